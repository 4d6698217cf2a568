"""MME: 14 subtasks of yes/no questions, two about each image, one of them to be denied.

Layouts: the released folder (a folder per subtask, images and a text file of two lines per image); the text files of its
evaluation tool (file, question, gold, tab-separated); LLaVA's JSON lines, which carry no gold answers and take them from either of
the others; and the hub's table (lmms-lab/MME).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites import _hub
from mmplat.suites._files import DEFAULTS, PLACES, Question, Row, chosen, embedded, images_folder, json_rows
from mmplat.suites._loading import Loader
from mmplat.suites._official import mme
from mmplat.suites._parsing import strict
from mmplat.suites._prompts import PROMPTS, YES_NO, bare
from mmplat.suites.base import RawSample, Suite, catalog

QUESTIONS = {
    **{"existence": 60, "count": 60, "position": 60, "color": 60, "posters": 294, "celebrity": 340, "scene": 400},
    **{"landmark": 400, "artwork": 400, "OCR": 40, "commonsense_reasoning": 140, "numerical_calculation": 40},
    **{"text_translation": 40, "code_reasoning": 40},
}
WHAT = "the released folder, a folder of <subtask>.txt files, LLaVA's .jsonl file, or a folder of Parquet files"
SUFFIXES = (".jpg", ".png", ".jpeg")


def published(spec: SuiteSpec) -> Mapping[str, int]:
    return {f"subtask={subtask}": n for subtask, n in QUESTIONS.items()}


def _files(spec: SuiteSpec, path: Path) -> dict[str, Path]:
    """Every file with questions or answers."""
    if path.is_file():
        return {"questions": path, **(_text_files(images_folder(spec)) if not _has_answers(path) else {})}
    return _text_files(path)


def _text_files(root: Path) -> dict[str, Path]:
    """`<subtask>.txt` of the evaluation tool, or one text file per image below `<subtask>/` of the release."""
    found = {}
    for subtask in QUESTIONS:
        one, folder = root / f"{subtask}.txt", root / subtask
        folder = folder / "questions_answers_YN" if (folder / "questions_answers_YN").is_dir() else folder
        for file in [one] if one.is_file() else sorted(folder.glob("*.txt")):
            found[f"{subtask}/{file.name}"] = file
    if not found:
        raise ConfigError(f"{root} holds no <subtask>.txt and no folder of a subtask. `path` is {WHAT}.")
    return found


def _questions(spec: SuiteSpec, path: Path) -> Sequence[Question]:
    rows = _of_json(path, spec) if path.is_file() else list(_of_text(_files(spec, path)))
    folder = images_folder(spec, None if path.is_file() else path)
    asked = [_question(row, (_image(folder, row.text("subtask"), row.text("image")),), spec) for row in rows]
    return list(_numbered(asked))


def _of_text(files: Mapping[str, Path]) -> Iterator[Row]:
    """Lines `question, gold` of the release, or `file, question, gold` and whatever a model answered."""
    for name, file in files.items():
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            place, parts = f"{file}:{number}", line.split("\t")
            if not line.strip():
                continue
            if len(parts) < 2:
                raise ConfigError(
                    f"{place}: a line is `question, answer` or `file, question, answer`, tab-separated: {line!r}."
                )
            image, question, gold = (file.stem, *parts) if len(parts) == 2 else parts[:3]
            yield Row({"subtask": name.split("/")[0], "image": image, "text": question, "label": gold}, place)


def _of_json(path: Path, spec: SuiteSpec) -> list[Row]:
    """LLaVA's questions; their gold answers are those of the same words about the same image."""
    rows = [_named(row) for row in json_rows(path)]
    if _has_answers(path):
        return rows
    gold = {_asked(row): row.text("label") for row in _of_text(_text_files(images_folder(spec)))}
    for row in rows:
        if _asked(row) not in gold:
            raise ConfigError(
                f"{row.place}: the released files have no answer to {row.text('text')!r} about {_asked(row)[1]!r}."
            )
    return [Row({**row.data, "label": gold[_asked(row)]}, row.place) for row in rows]


def _has_answers(path: Path) -> bool:
    return any({"label", "answer"} & set(row.data) for row in json_rows(path)[:1])


def _named(row: Row) -> Row:
    """question_id is `code_reasoning/0020.png`."""
    subtask, _, image = row.text("question_id").partition("/")
    return Row({"subtask": subtask, **row.data, "image": Path(image).name}, row.place)


def _asked(row: Row) -> tuple[str, str, str]:
    """Spaces and endings of questions differ between releases."""
    return row.text("subtask"), Path(row.text("image")).stem, " ".join(bare(row.text("text")).split())


def _image(root: Path, subtask: str, name: str) -> Path:
    """Images lie in the subtask's folder or below it, under their own suffix."""
    known = [Path(name).suffix] if Path(name).suffix in SUFFIXES else []
    places = [
        folder / f"{Path(name).stem}{suffix}"
        for suffix in (*known, *SUFFIXES)
        for folder in (root / subtask, root / subtask / "images", root)
    ]
    return next((place for place in places if place.exists()), places[0])


def _of_table(rows: Iterable[Row], spec: SuiteSpec) -> Iterator[Question]:
    return _numbered(_question(_of_hub(row), embedded(row.get("image")), spec) for row in rows)


def _of_hub(row: Row) -> Row:
    return Row({**_named(row).data, "subtask": row.text("category"), "text": row.text("question")}, row.place)


def _numbered(questions: Iterable[Question]) -> Iterator[Question]:
    """Ids are the number within the pair; a third question about an image would make no pair."""
    seen: Counter[str] = Counter()
    for question in questions:
        pair = question.sample.cluster
        seen[pair] += 1
        if seen[pair] > 2:
            raise ConfigError(
                f"{question.place}: this is the third question about {pair!r}; MME asks two about each image."
            )
        yield replace(question, sample=replace(question.sample, sample_id=f"{pair}/{seen[pair]}"))


def _question(row: Row, images: tuple[Path | bytes, ...], spec: SuiteSpec) -> Question:
    subtask, image, asked = _asked(row)
    if subtask not in QUESTIONS:
        raise ConfigError(f"{row.place}: the subtask {subtask!r} is unknown. Known: {', '.join(QUESTIONS)}.")
    gold, pair = row.text("label", "answer").strip().lower(), f"{subtask}/{image}"
    sample = RawSample(
        sample_id=pair,
        question=PROMPTS[chosen(spec, "prompt", PROMPTS)].format(asked),
        stem=asked,
        labels=YES_NO,
        gold=gold,
        cluster=pair,
        groups={"subtask": subtask, "pair": pair},
    )
    return Question(sample, images, row.place)


LOADER = Loader(
    what=WHAT,
    hub=lambda spec: _hub.rows(spec.params["hub"], None, "test", spec.params["revision"]),
    of_table=_of_table,
    files=_files,
    questions=_questions,
)
catalog.add(
    "mme",
    Suite(
        "mme",
        "14 subtasks of perception and cognition, two yes/no questions about each image",
        1,
        LOADER.samples,
        LOADER.count,
        defaults={"prompt": "yes-no", **DEFAULTS},
        subsets=(("subtask",),),
        positive="yes",
        parse=strict,
        official={"official": mme},
        metrics=("accuracy_plus", "mme_score", "mme_perception", "mme_cognition", "mme_total_8"),
        sources=LOADER.sources,
        places=PLACES,
        published=published,
    ),
)
