"""HallusionBench: yes/no questions about figures, their altered copies, and about no figure at all.

Layouts: HallusionBench.json and the image folder of the release, or the hub's table (lmms-lab/HallusionBench). Questions of the
category VS about figure 0 have no image: what the model knows by heart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, chosen, embedded, images_folder, json_rows
from mmplat.suites._loading import Loader
from mmplat.suites._parsing import strict
from mmplat.suites._prompts import PROMPTS, YES_NO, bare
from mmplat.suites.base import RawSample, Suite, catalog

WHAT = "HallusionBench.json, or a folder of Parquet files"
GOLD = {"1": "yes", "0": "no"}


def published(spec: SuiteSpec) -> Mapping[str, int]:
    """Release 1.0.1: 1129 questions, 951 of them with a figure."""
    return {"": 1129, "image=with": 951}


def _files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    file = path / "HallusionBench.json" if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"there is no {file}. `path` is {WHAT}.")
    return {"questions": file}


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Question]:
    rows = json_rows(_files(spec, path)["questions"])
    return [_question(row, _image(row, images_folder(spec)) if _shown(row) else (), spec) for row in rows]


def _image(row: Row, folder: Path) -> tuple[Path]:
    return (folder / row.text("filename").removeprefix("./"),)


def _shown(row: Row) -> bool:
    return row.text("visual_input") != "0"


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Question]:
    for row in rows:
        yield _question(row, embedded(row.get("image")) if _shown(row) else (), spec)


def _question(row: Row, images: tuple[Path | bytes, ...], spec: SuiteSpec) -> Question:
    category, subcategory, group = (row.text(c) for c in ("category", "subcategory", "set_id"))
    figure, number = row.text("figure_id"), row.text("question_id")
    of_set = f"{category}/{subcategory}/{group}"
    groups = {
        "category": category,
        "subcategory": subcategory,
        "image": "with" if images else "without",
        "question": f"{of_set}/question-{number}",
    }
    stem = bare(row.text("question"))
    sample = RawSample(
        sample_id=f"{of_set}/{figure}/{number}",
        question=PROMPTS[chosen(spec, "prompt", PROMPTS)].format(stem),
        stem=stem,
        labels=YES_NO,
        gold=GOLD.get(row.text("gt_answer"), row.text("gt_answer")),
        cluster=of_set,
        groups=groups if category == "VS" and figure == "0" else {**groups, "figure": f"{of_set}/figure-{figure}"},
    )
    return Question(sample, images, row.place)


def _hub_rows(spec: SuiteSpec) -> Iterator[Row]:
    name, revision = spec.params["hub"], spec.params["revision"]
    return chain.from_iterable(_hub.rows(name, None, split, revision) for split in ("image", "non_image"))


LOADER = Loader(what=WHAT, hub=_hub_rows, of_table=_of_table, files=_files, questions=_questions)
catalog.add(
    "hallusion-bench",
    Suite(
        "hallusion-bench",
        "language priors against figures: yes/no about figures, altered figures, and no figure",
        1,
        LOADER.samples,
        LOADER.count,
        defaults={"prompt": "yes-no", **DEFAULTS},
        subsets=(("category",), ("subcategory",), ("image",)),
        positive="yes",
        parse=strict,
        metrics=("figure_accuracy", "question_accuracy"),
        sources=LOADER.sources,
        places=PLACES,
        published=published,
    ),
)
