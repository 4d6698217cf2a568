"""Qwen2-VL and Qwen2.5-VL. What "none" and "unk" mean there stands in `_qwen`.

Both read a prompt alike; the vision towers differ, and those are the checkpoint's own.
"""

from __future__ import annotations

from mmplat.models._no_video import images_only
from mmplat.models._qwen import Qwen
from mmplat.models.base import Family, families


class Qwen2VL(Qwen):
    family = "qwen2-vl"
    load_processor = staticmethod(images_only("Qwen2VLProcessor"))


class Qwen25VL(Qwen):
    family = "qwen2.5-vl"
    load_processor = staticmethod(images_only("Qwen2_5_VLProcessor"))


families.add(
    "qwen2-vl",
    Family(
        "qwen2-vl",
        "Qwen2-VL checkpoints",
        Qwen2VL,
        version=Qwen2VL.version,
        architectures=("Qwen2VLForConditionalGeneration",),
        hub=("Qwen/Qwen2-VL-",),
    ),
)
families.add(
    "qwen2.5-vl",
    Family(
        "qwen2.5-vl",
        "Qwen2.5-VL checkpoints",
        Qwen25VL,
        version=Qwen25VL.version,
        architectures=("Qwen2_5_VLForConditionalGeneration",),
        hub=("Qwen/Qwen2.5-VL-",),
    ),
)
