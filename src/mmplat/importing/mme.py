"""MME's text files: one per subtask, a line per question (image, question, gold, answer, tab-separated), two about each image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmplat.errors import ConfigError
from mmplat.importing._rows import existing
from mmplat.importing.base import YES_NO, Answer, Format, Given, Question, Told, catalog


def read(given: Given) -> Told:
    folder = existing(given.answers)
    files = sorted(folder.glob("*.txt")) if folder.is_dir() else [folder]
    if not files:
        raise ConfigError(f"{folder} holds no <subtask>.txt: MME's evaluation tool reads one text file per subtask.")
    both = [pair for file in files for pair in _subtask(file)]
    return [question for question, _ in both], [answer for _, answer in both]


def _subtask(path: Path) -> Iterator[tuple[Question, Answer]]:
    seen: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        place, parts = f"{path}:{number}", line.rstrip("\r").split("\t", 3)
        if len(parts) < 4:
            raise ConfigError(
                f"{place}: a line is image, question, right answer and answer, with tabs between them: {line!r}."
            )
        image, asked, gold, said = parts
        pair = f"{path.stem}/{Path(image).stem}"
        places = seen.setdefault(pair, [])
        places.append(place)
        key = f"{pair}/{len(places)}"  # the ids of the suite `mme`
        groups = {"subtask": path.stem, "pair": pair}
        question = Question(key, gold.strip().lower(), place, text=asked, labels=YES_NO, image=pair, groups=groups)
        yield question, Answer(key, said, place)
    _refuse_no_pairs(seen)


def _refuse_no_pairs(seen: dict[str, list[str]]) -> None:
    """accuracy+ counts images of which both questions are right: half a pair would count as a whole one."""
    for pair, places in seen.items():
        if len(places) != 2:
            raise ConfigError(f"{places[-1]}: {pair!r} has {len(places)} questions; MME asks two about each image.")


catalog.add("mme", Format("mme", "a folder of <subtask>.txt: image, question, gold, answer by tabs; two lines per image",
                          read, suites=("mme",)))  # fmt: skip
