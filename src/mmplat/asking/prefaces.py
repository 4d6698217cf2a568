"""What a model writes before some views can be made: one description per image and wording, kept beside the other answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmplat.evidence.written import read_written
from mmplat.ids import content_id
from mmplat.records import Sample, ViewSpec, Writing
from mmplat.writings import written_first


@dataclass(frozen=True, slots=True)
class Prefaces:
    """Texts that views put before the question, with the forward passes that each took."""

    written: Mapping[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """(images, writing) → (text, forward passes)."""

    def text(self, sample: Sample, view: ViewSpec) -> str | None:
        """None: the view needs none."""
        found = self._of(sample, view)
        return found[0] if found else None

    def forwards(self, sample: Sample, views: Iterable[ViewSpec]) -> int:
        """What an answer took before it could be asked for."""
        return sum(found[1] for found in (self._of(sample, view) for view in views) if found)

    def lacking(self, sample: Sample, view: ViewSpec) -> str | None:
        """Why a view cannot be made of a sample yet; None: it can."""
        missing = written_first(view) is not None and self._of(sample, view) is None
        return "the model could not write what stands before the question" if missing else None

    def _of(self, sample: Sample, view: ViewSpec) -> tuple[str, int] | None:
        writing = written_first(view)
        return None if writing is None else self.written.get((of_images(sample), writing.key))


NO_PREFACES = Prefaces()


def of_images(sample: Sample) -> str:
    """Key of what is written of a sample's images: questions about the same ones share it."""
    return content_id(["images", *sample.images])


def subjects(samples: Iterable[Sample]) -> list[Sample]:
    """The samples as what is written of their images: each set of images once."""
    return list({key: replace(s, sample_key=key) for s in samples if s.images and (key := of_images(s))}.values())


def read_prefaces(folder: Path, writings: Iterable[Writing]) -> Prefaces:
    rows = read_written(folder, [one.key for one in writings], ("sample_key", "writing", "text", "forwards"))
    return Prefaces({(key, writing): (text, forwards) for key, writing, text, forwards in rows.iter_rows()})
