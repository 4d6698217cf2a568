"""Mini-ImageNet, Caltech-101 and Food-101 as multiple choice: a picture, its class, and the names of other classes.

The other options are drawn uniformly without replacement, and the slot of the right one uniformly: both by `seed` and the
picture's id, so that no limit and no other picture changes them. The hub's tables have a column of images and one of labels
(timm/mini-imagenet, dpdl-benchmark/caltech101, ethz/food101); their pictures are named by their place in the table.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.ids import seed_from
from mmplat.records import SuiteSpec
from mmplat.samples import LeftOut
from mmplat.suites import _classes, _hub
from mmplat.suites._choices import LAYOUTS, MOST, add, asked, is_of_split, letters
from mmplat.suites._files import Row, chosen, embedded, table_files, table_rows
from mmplat.suites._loading import Asked, Loader

WORDINGS = {
    "object": "What type of object is in this photo?",
    "animal": "Which animal is this picture classified as?",  # the figure of the paper on modality interference
}


@dataclass(frozen=True, slots=True)
class Collection:
    """One published set of pictures, with what must be known to ask about it."""

    what: str
    split: str
    """What is asked unless the grid says otherwise; empty: there are no splits."""
    sizes: Mapping[str, int]
    left_out: Mapping[str, str]
    """Classes (in small letters) that cannot be asked about, and why."""
    alike: tuple[frozenset[str], ...]
    """Classes of which a picture may show several: none of them is a wrong option to another."""

    @property
    def loader(self) -> Loader:
        return Loader(
            what=self.what,
            hub=_hub_rows,
            of_table=self.of_table,
            files=_classes.files,
            questions=self.questions,
            pictures=self.pictures,
            is_read=is_of_split,
            parts=2,
        )

    def published(self, spec: SuiteSpec) -> Mapping[str, int]:
        size = self.sizes.get(spec.params["split"])
        return {} if size is None else {"": size}

    def pictures(self, spec: SuiteSpec, path: Path) -> Sequence[Path]:
        for param, known in (("wording", WORDINGS), ("prompt", LAYOUTS)):
            chosen(spec, param, known)  # said when a grid is planned, although questions are made later
        found = _classes.pictures(spec, path, self.what)
        names = self.names((picture.of for picture in found), spec)
        return [picture.path for picture in found if picture.of in names]

    def questions(self, spec: SuiteSpec, path: Path) -> Sequence[Asked]:
        found = sorted(_classes.pictures(spec, path, self.what), key=lambda picture: picture.identity)
        names = self.names((picture.of for picture in found), spec)
        return [self.question(Row({}, p.place), p.of, p.identity, (p.path,), names, spec) for p in found]

    def of_table(self, rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Asked]:
        """Labels are read before pictures: all of them are options, and a limit takes the smallest ids."""
        labels = _labels(spec)
        names = self.names(labels, spec)
        ids = [_classes.identity(of, str(number)) for number, of in enumerate(labels, 1)]
        askable = sorted(one for one, of in zip(ids, labels, strict=True) if of in names)
        wanted = set(askable[: spec.limit])
        for row, one, of in zip(rows, ids, labels, strict=True):
            if one in wanted or of not in names:
                yield self.question(row, of, one, embedded(row.get("image", "img")), names, spec)

    def names(self, classes: Iterable[str], spec: SuiteSpec) -> Mapping[str, str]:
        """What the classes that are asked about are called."""
        asked = (of for of in set(classes) if of.lower() not in self.left_out)
        found = _classes.called(asked, spec.params["names"])
        there = {of.lower() for of in found}
        alike = max((len(self.near(of) & there) for of in there), default=1)
        options, most = spec.params["options"], min(MOST, len(found) - alike + 1)
        if not isinstance(options, int) or not 2 <= options <= most:
            raise ConfigError(f"options = {options!r}: from 2 to {most} are possible with these {len(found)} classes.")
        return found

    def near(self, of: str) -> frozenset[str]:
        """The class, and those that a picture of it may show too (in small letters)."""
        return next((group for group in self.alike if of.lower() in group), frozenset({of.lower()}))

    def question(
        self,
        row: Row,
        of: str,
        identity: str,
        images: tuple[Path | bytes, ...],
        names: Mapping[str, str],
        spec: SuiteSpec,
    ) -> Asked:
        if of not in names:
            return LeftOut(identity, self.left_out[of.lower()])
        options, slot = self.drawn(of, identity, names, spec)
        stem = WORDINGS[chosen(spec, "wording", WORDINGS)]
        gold = letters(options)[slot]
        return asked(row, spec, identity, stem, options, gold, images, groups={"class": names[of]})

    def drawn(self, of: str, identity: str, names: Mapping[str, str], spec: SuiteSpec) -> tuple[list[str], int]:
        """The options of a picture, and which of them is right."""
        draw = random.Random(seed_from("options", spec.params["seed"], identity))
        near = self.near(of)
        others = [name for other, name in names.items() if other.lower() not in near]
        options = draw.sample(others, spec.params["options"] - 1)
        slot = draw.randrange(spec.params["options"])
        return [*options[:slot], names[of], *options[slot:]], slot


def _hub_rows(spec: SuiteSpec, columns: Sequence[str] | None = None) -> Iterator[Row]:
    return _hub.rows(spec.params["hub"], None, spec.params["split"] or "all", spec.params["revision"], columns)


def _labels(spec: SuiteSpec) -> list[str]:
    """The class of every row."""
    path = Path(spec.params["path"])
    tables = [] if spec.params["hub"] else [table for table in table_files(path) if is_of_split(spec, table)]
    rows = _hub_rows(spec, ["label"]) if spec.params["hub"] else table_rows(tables, path, ["label"])
    return [row.text("label") for row in rows]


COLLECTIONS = {
    "mini-imagenet": Collection(
        what="the folder with images/ and <split>.csv, with a folder per class (below <split>/), or of Parquet files",
        split="test",
        sizes={},  # two selections of 100 classes go by this name: 12,000 and 5,000 pictures in `test`
        left_out={},
        alike=(),
    ),
    "caltech-101": Collection(
        what="the folder with a folder per class (101_ObjectCategories), or a folder of Parquet files",
        split="",
        sizes={"": 8242},
        left_out={
            "background_google": "it shows whatever a search gave: clutter is no class",
            "faces_easy": "it is a photo of the class Faces, cut out",
        },
        alike=(
            frozenset({"cougar_body", "cougar_face"}),
            frozenset({"crocodile", "crocodile_head"}),
            frozenset({"flamingo", "flamingo_head"}),
        ),
    ),
    "food-101": Collection(
        what="the released folder with images/ and meta/, or a folder of Parquet files",
        split="test",
        sizes={"train": 75750, "test": 25250, "validation": 25250},  # the hub calls the test split so
        left_out={},
        alike=(),
    ),
}
SUMMARIES = {
    "mini-imagenet": "which of N classes of ImageNet is in the photo? A picture of each of 100 classes",
    "caltech-101": "which of N classes is in the photo? Caltech-101 without clutter",
    "food-101": "which of N dishes is in the photo?",
}
for _name, _of in COLLECTIONS.items():
    add(
        _name,
        SUMMARIES[_name],
        _of.loader,
        "image",
        {"options": 4, "seed": 0, "wording": "object", "split": _of.split, "names": ""},
        places=("names",),
        published=_of.published,
    )
