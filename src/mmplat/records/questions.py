"""What is asked: a prepared sample of a suite, and words for a model that answers in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmplat.ids import content_id, file_id


@dataclass(frozen=True, slots=True)
class Sample:
    """One question as prepared: what is asked, what may be answered, what is right, and which images belong to it."""

    sample_id: str
    sample_key: str
    """Hash of question, labels and image bytes: evidence is joined by it, so equal samples share their evidence."""
    cluster: str
    """Samples of one cluster (questions about one image) are not independent; intervals respect it."""
    question: str
    options: tuple[str, ...]
    labels: tuple[str, ...]
    gold: str
    images: tuple[str, ...]
    """File names below the `images/` folder of the prepared suite, named by content."""
    groups: dict[str, str] = field(default_factory=dict)
    reference: dict[str, Any] = field(default_factory=dict)
    """What an answer in words is judged by (a reference answer, the objects that are there): JSON values, shown to no model."""

    @property
    def place(self) -> int:
        """Which of the places of a suite's shards the sample has, by content; without images each sample has its own."""
        return int(content_id(self.images or [self.sample_key], length=4), 16)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Words for a model that answers in words."""

    text: str
    system: str | None = None
    image: Path | None = None
    """A picture that is shown before the words; opened when it is asked about, so that no run holds all of them."""

    @property
    def key(self) -> str:
        shown = {} if self.image is None else {"image": file_id(self.image)}
        return content_id({"text": self.text, "system": self.system, **shown})
