"""Processors that serve videos too, loaded for pictures alone: their video part would want torchvision."""

from __future__ import annotations

from typing import Any

from mmplat.models._loading import ProcessorLoader


def images_only(name: str) -> ProcessorLoader:
    """A loader of the processor class `name` of transformers, from the same files, less its video processor.

    A subclass that names one part less, instead of a patch: transformers stays as it was.
    """

    def load(path: str, **options: Any) -> Any:
        import transformers

        whole = getattr(transformers, name)

        def get_attributes(cls: type) -> list[str]:
            return [part for part in whole.get_attributes() if part != "video_processor"]

        lesser: Any = type(name, (whole,), {"get_attributes": classmethod(get_attributes)})
        return lesser.from_pretrained(path, **options)

    return load
