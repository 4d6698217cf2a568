"""Any other architecture of transformers that answers about pictures: taken as LLaVA works, and tried out before it is used.

"None" is the chat template without the picture's entry, or, where that changes more than one piece of the prompt, the prompt
with its image token deleted; "unk" is one unk token in its place. A family file knows why its way is right; this one can
only compare. When a checkpoint is loaded, made-up questions are put through mmplat's way and
through the processor and network of transformers. What does not come to the same is refused with that reason, and an
architecture whose plain question about one picture does not come to the same is not served at all.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmplat.errors import ModelError
from mmplat.ids import bytes_id, content_id
from mmplat.models._no_video import images_only
from mmplat.models._pictures import Processed
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Ask, Family, families
from mmplat.records import ModelSpec, Sample
from mmplat.views import bind as bind_view
from mmplat.views import catalog as view_kinds

ALLOWED = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 6e-2}
"""Difference of a logit, relative to the largest one, that another order of adding can make."""
SIZES = ((96, 128), (128, 64))
UNVERIFIED = (
    "Not verified, for want of a family file: that the unknown token is neutral, that views in pixel space leave no tile out, "
    "that longer answers go on as they should. `mmplat models check` tries what can be tried."
)
log = logging.getLogger(__name__)


def load_processor(path: str, **options: Any) -> Any:
    """The checkpoint's processor; one that also reads videos is loaded without that part."""
    from transformers import PROCESSOR_MAPPING, AutoConfig, AutoProcessor

    kind = type(AutoConfig.from_pretrained(path, **options))
    if kind in PROCESSOR_MAPPING and "video_processor" in PROCESSOR_MAPPING[kind].get_attributes():
        return images_only(PROCESSOR_MAPPING[kind].__name__)(path, **options)
    return AutoProcessor.from_pretrained(path, **options)


NO_INSIDE = "nobody looked at how this architecture attends: views inside the network need a family file"


class Generic(VisionLanguage):
    family = "generic"
    no_inside = NO_INSIDE
    load_processor = staticmethod(load_processor)

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._expect(spec)
        self._try_out(spec)

    def render_blind(self, question: str, pictures: int) -> str:
        shown, plain = self.render(question, pictures), self.render(question, 0)
        cut = len(shown) - len(plain)
        less_a_piece = any(shown[:at] + shown[at + cut :] == plain for at in range(len(plain) + 1))
        return plain if less_a_piece else shown.replace(self.placeholder, "")

    def see(self, processed: list[Processed]) -> list[Any]:
        """One picture at a time: nothing is known about how this architecture batches them."""
        return [self._features(one) for one in processed]

    def by_processor(self, text: str, images: list[Any]) -> Mapping[str, Any]:
        """As chat pipelines call it: the pictures of one prompt in a list, so that it knows that they belong together."""
        return super().by_processor(text, [images] if images else [])

    def _features(self, processed: Processed) -> Any:
        import torch

        tower = self.network.get_image_features
        inputs = {
            name: self.tensor(processed[name]) for name in inspect.signature(tower).parameters if name in processed
        }
        found = tower(**inputs, return_dict=True).pooler_output
        self.one_tensor = isinstance(found, torch.Tensor)
        return found.flatten(0, -2) if self.one_tensor else torch.cat(list(found))

    def _expect(self, spec: ModelSpec) -> None:
        """What this way of asking needs of an architecture."""
        taken = inspect.signature(self.network.forward).parameters
        needs = {
            "a network that takes what its vision tower made (mm_encoder_outputs)": "mm_encoder_outputs" in taken,
            "a vision tower that can be called by itself (get_image_features)": hasattr(
                self.network, "get_image_features"
            ),
            "a processor that knows its image token": bool(self.placeholder),
            "a chat template": bool(self.processor.chat_template),
        }
        missing = [need for need, met in needs.items() if not met]
        if missing:
            raise ModelError(self._refusal(spec, f"it needs {', and '.join(missing)}"))

    def _try_out(self, spec: ModelSpec) -> None:
        """Compares with transformers; what does not come to the same is refused from now on."""
        wide, tall, two, plain = (_probe(*sizes) for sizes in (SIZES[:1], SIZES[1:], SIZES, ()))
        for ask in (wide, tall):
            if why := self._differs(ask):
                raise ModelError(self._refusal(spec, f"to a question about one picture {why}"))
        refused = []
        if why := self._differs(plain):
            self.no_image = f"without a picture {why}"
            refused.append(self.no_image)
        if why := self._differs(two):
            self.max_pictures = 1
            refused.append(f"about several pictures {why}")
        if self._mixes([wide, tall] if self.no_image else [wide, tall, plain]):
            self.batch_limit = 1
            refused.append("in a batch, a row does not say what it says alone")
        said = f"Refused, since it was tried and failed: {'; '.join(refused)}. " if refused else ""
        log.warning("Model %r (%s) is asked in the generic way. %s%s", spec.name, self._architecture, said, UNVERIFIED)

    def _differs(self, ask: Ask) -> str | None:
        """How mmplat's way and transformers' own part on one ask; None: they do not."""
        import torch

        try:
            ours = self.forward(self.encode([ask]))
            with torch.inference_mode():
                theirs = self.network(**self.reference_inputs(ask)).logits[:, -1].float()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # anything can go wrong in an architecture that nobody looked at
            return f"it fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        off = self._distance(ours, theirs)
        return None if off is None else f"it says other things than transformers does (logits differ by {off:.1g})"

    def _mixes(self, asks: list[Ask]) -> bool:
        import torch

        encoded = self.encode(asks)
        return self._distance(self.forward(encoded), torch.cat([self.forward([one]) for one in encoded])) is not None

    def _distance(self, ours: Any, theirs: Any) -> float | None:
        """The largest difference of a logit; None where another order of adding may have made it."""
        off, largest = float((ours - theirs).abs().max()), float(theirs.abs().max())
        return None if off <= ALLOWED[self.dtype] * max(1.0, largest) else off

    def _refusal(self, spec: ModelSpec, why: str) -> str:
        return (
            f"Model {spec.name!r} ({self._architecture}) cannot be asked in the generic way: {why}. Write a family file for "
            "this architecture (docs/add-a-model.md), or use a checkpoint of another. "
            f"Families: {', '.join(families)}."
        )

    @property
    def _architecture(self) -> str:
        return type(self.network).__name__


def _probe(*sizes: tuple[int, int]) -> Ask:
    """A made-up question about pictures of some sizes."""
    rng = np.random.default_rng(len(sizes))
    pictures = tuple(rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes)
    names = tuple(bytes_id(picture.tobytes()) for picture in pictures)
    question = "What is this? Answer with one word." if sizes else "Is the sky blue?"
    key = content_id([question, *names])
    return Ask(Sample(key, key, key, question, (), ("yes", "no"), "yes", names), bind_view("image"), pictures)


families.add(
    "generic",
    Family(
        "generic",
        "any other architecture, tried out as it is loaded",
        Generic,
        unavailable=lambda kind: NO_INSIDE if view_kinds.get(kind).place == "inside" else None,
    ),
)
