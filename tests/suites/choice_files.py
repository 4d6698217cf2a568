"""Small files in the layouts in which multiple-choice benchmarks are published."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark_files import Shelf, png, write_lines, write_picture

Params = dict[str, Any]
CLASSES = ("accordion", "car_side", "crocodile", "crocodile_head", "flamingo", "lotus")


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


class ChoiceShelf(Shelf):
    """Multiple-choice benchmarks on disk."""

    def caltech(self, classes: Iterable[str] = CLASSES, images: int = 3) -> Params:
        """A folder per class, as the release has them."""
        for at, of in enumerate(classes):
            for number in range(images):
                folder = self.root / "caltech-101" / "101_ObjectCategories" / of
                write_picture(folder / f"image_{number + 1:04}.jpg", 100 * at + number)
        return {"path": str(self.root / "caltech-101")}

    def food(self, classes: Iterable[str] = ("apple_pie", "baklava", "pho", "ramen"), images: int = 4) -> Params:
        """All images below images/, and lists of those of each split without suffixes."""
        folder = self.root / "food-101"
        listed: dict[str, list[str]] = {"train": [], "test": []}
        for at, of in enumerate(classes):
            for number in range(images):
                write_picture(folder / "images" / of / f"{number}.jpg", 100 * at + number)
                listed["test" if number % 4 == 0 else "train"].append(f"{of}/{number}")
        (folder / "meta").mkdir(exist_ok=True)
        for split, lines in listed.items():
            (folder / "meta" / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines))
        (folder / "meta" / "classes.txt").write_text("".join(f"{of}\n" for of in classes))
        return {"path": str(folder)}

    def mini_imagenet(self, images: int = 2) -> Params:
        """All images in one folder, lists with WordNet ids, and what ImageNet calls these."""
        folder = self.root / "mini-imagenet"
        classes = {"n01532829": "house finch, linnet", "n02099601": "golden retriever", "n03400231": "frying pan, skillet",
                   "n07613480": "trifle"}  # fmt: skip
        rows = [("filename", "label")]
        for at, of in enumerate(classes):
            for number in range(images):
                rows.append((f"{of}{number:08}.jpg", of))
                write_picture(folder / "images" / rows[-1][0], 100 * at + number)
        with (folder / "test.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
        names = folder / "LOC_synset_mapping.txt"
        names.write_text("".join(f"{of} {name}\n" for of, name in classes.items()))
        return {"path": str(folder), "names": str(names)}

    def openbookqa(self) -> Params:
        rows = [
            {
                "id": f"7-98{n}",
                "question": {"stem": f"What melts {n}?", "choices": self.options("ABCD", n)},
                "answerKey": "ABCD"[n],
                "fact1": f"ice melts {n}",
            }
            for n in range(4)
        ]
        write_lines(self.root / "openbookqa" / "Data" / "Main" / "test.jsonl", rows)
        return {"path": str(self.root / "openbookqa")}

    def arc(self, rows: list[dict[str, Any]] | None = None) -> Params:
        """Options called A to D, 1 to 4, or A to E."""
        made = [
            {"id": name, "question": {"stem": f"Why {name}?", "choices": self.options(labels, 0)}, "answerKey": key}
            for name, labels, key in (("MCAS_1", "ABCD", "D"), ("NYSEDREGENTS_2", "1234", "2"), ("MSA_3", "ABCDE", "E"))
        ]
        write_lines(self.root / "arc-challenge" / "ARC-Challenge-Test.jsonl", made if rows is None else rows)
        return {"path": str(self.root / "arc-challenge")}

    @staticmethod
    def options(labels: str, n: int) -> list[dict[str, str]]:
        return [{"text": f"thing {n}{label}", "label": label} for label in labels]

    def mmlu(self, subjects: Iterable[str] = ("abstract_algebra", "virology"), questions: int = 3) -> Params:
        folder = self.root / "mmlu" / "test"
        folder.mkdir(parents=True, exist_ok=True)
        for subject in subjects:
            with (folder / f"{subject}_test.csv").open("w", newline="") as stream:
                rows = ((f'What, "{subject}",\nis {n}?', "w", "x, y", "y", "z", "ABCD"[n]) for n in range(questions))
                csv.writer(stream).writerows(rows)
        return {"path": str(folder.parent)}

    def mmlu_rows(self, subjects: Iterable[str] = ("abstract_algebra", "virology")) -> list[dict[str, Any]]:
        return [
            {"question": f'What, "{of}",\nis {n}?', "subject": of, "choices": ["w", "x, y", "y", "z"], "answer": n}
            for of in subjects
            for n in range(3)
        ]

    def science(self) -> Params:
        """Three questions with an image, two of them with the same, and one without."""
        folder = self.root / "scienceqa"
        write_json(folder / "problems.json", {str(n): self.science_problem(n) for n in range(5)})
        write_json(folder / "pid_splits.json", {"train": ["4"], "val": [], "test": ["0", "1", "2", "3"]})
        for n in (0, 1, 2):
            write_picture(folder / "images" / "test" / str(n) / "image.png", min(n, 1))
        return {"path": str(folder)}

    @staticmethod
    def science_problem(n: int) -> dict[str, Any]:
        return {
            "question": f"Which is {n}?",
            "choices": ["this", "that", "neither"][: 2 + n % 2],
            "answer": n % 2,
            "hint": "Look at the figure." if n % 2 else "",
            "image": "image.png" if n < 3 else None,
            "task": "closed choice",
            "grade": f"grade{5 + n}",
            "subject": "natural science",
            "topic": "physics",
            "category": "Magnets",
            "skill": "s",
            "lecture": f"Lesson {n}.",
            "solution": "",
            "split": "test",
        }

    def mmbench_rows(self) -> list[dict[str, Any]]:
        """One question of three options with its rotations, one of two, both about one picture, and one without an answer."""
        picture = base64.b64encode(png(1)).decode()
        common = {
            "hint": "nan",
            "category": "color",
            "source": "s",
            "l2-category": "perception",
            "comment": "",
            "split": "dev",
        }
        three, two = ["red", "green", "blue"], ["yes", "no"]
        asked = [
            *(
                (turn * 1_000_000 + 241, "Which color?", three[-turn:] + three[:-turn], "ABC"[turn])
                for turn in range(3)
            ),
            *((turn * 1_000_000 + 242, "Is it so?", two[-turn:] + two[:-turn], "AB"[turn]) for turn in range(2)),
            (243, "Who knows?", ["a", "b", "c", "d"], ""),
        ]
        return [
            {
                "index": index,
                "question": question,
                **{letter: (options[at] if at < len(options) else "") for at, letter in enumerate("ABCD")},
                **common,
                "answer": answer,
                "image": picture if index == 241 else "241",
            }
            for index, question, options, answer in asked
        ]

    def mmbench(self, rows: list[dict[str, Any]] | None = None) -> Params:
        file = self.root / "mmbench" / "MMBench_DEV_EN.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = self.mmbench_rows() if rows is None else rows
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
        return {"path": str(file)}

    def seed_rows(self) -> list[dict[str, Any]]:
        """Two questions about one picture, one about another, and one about a video."""
        choices = {f"choice_{letter}": f"{letter} thing" for letter in "abcd"}
        return [
            {"answer": "A", **choices, "data_id": "1_1", "data_type": "image", "question": "How many?", "question_id": "101",
             "question_type_id": 5},
            {"answer": "D", **choices, "data_id": "1_1", "data_type": "image", "question": "Where?", "question_id": "102",
             "question_type_id": 4},
            {"answer": "B", **choices, "data_id": "2_2", "data_type": "image", "question": "What says it?", "question_id": "103",
             "question_type_id": 9},
            {"answer": "B", **choices, "data_id": "9.webm", "data_type": "video", "question": "Next?", "question_id": "v1",
             "question_type_id": 10},
        ]  # fmt: skip

    def seed(self) -> Params:
        folder = self.root / "seed-bench"
        write_json(
            folder / "SEED-Bench.json", {"questions": self.seed_rows(), "question_type": {"Scene Understanding": 1}}
        )
        for n, name in enumerate(("1_1", "2_2")):
            path = folder / "SEED-Bench-image" / name  # the release's files have no suffix
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png(n))
        return {"path": str(folder)}

    def class_table(self, rows: Iterable[tuple[int, int]], names: list[str], kind: str = "ClassLabel") -> Params:
        """A table as `datasets` writes it: labels are numbers, and their names lie in its metadata."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": kind}}
        data = [{"image": {"bytes": png(seed), "path": None}, "label": label} for label, seed in rows]
        said = json.dumps({"info": {"features": features}})
        path = self.root / "classes" / "data" / "test-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(data).replace_schema_metadata({"huggingface": said}), path)
        return {"path": str(self.root / "classes")}

    def everything(self) -> dict[str, Params]:
        """The nine suites by name."""
        return {
            "mini-imagenet": self.mini_imagenet(),
            "caltech-101": self.caltech(),
            "food-101": self.food(),
            "openbookqa": self.openbookqa(),
            "arc-challenge": self.arc(),
            "mmlu": self.mmlu(),
            "scienceqa": self.science(),
            "mmbench": self.mmbench(),
            "seed-bench": self.seed(),
        }
