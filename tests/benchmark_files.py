"""Small files in the layouts in which benchmarks are published."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8))


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "PNG")
    return buffer.getvalue()


def write_picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path)
    return path


def write_lines(path: Path, rows: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


class Shelf:
    """Benchmarks on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def pope(self, images: int = 3, source: str = "coco", name: str = "pope") -> dict[str, Any]:
        """Six questions per image and split, half of them to be confirmed, as POPE's repository has them."""
        folder = self.root / name
        for at, split in enumerate(("random", "popular", "adversarial")):
            rows = [
                {
                    "question_id": 6 * image + number + 1,
                    "image": f"COCO_val2014_{image:012}.png",
                    "text": f"Is there a thing {number if number % 2 == 0 else 10 * at + number} in the image?",
                    "label": ("yes", "no")[number % 2],
                }
                for image in range(images)
                for number in range(6)
            ]
            write_lines(folder / source / f"{source}_pope_{split}.json", rows)
        for image in range(images):
            write_picture(folder / "val2014" / f"COCO_val2014_{image:012}.png", image)
        return {"path": str(folder), "images": str(folder / "val2014"), "source": source}

    def mme(
        self, subtasks: tuple[str, ...] = ("existence", "OCR", "code_reasoning"), images: int = 3
    ) -> dict[str, Any]:
        """The released folder: perception subtasks may have their images and questions in folders of their own."""
        folder = self.root / "mme"
        for subtask in subtasks:
            own = subtask == "OCR"
            for image in range(images):
                name = f"{image:04}"
                write_picture(folder / subtask / ("images" if own else "") / f"{name}.png", image)
                text = folder / subtask / ("questions_answers_YN" if own else "") / f"{name}.txt"
                text.parent.mkdir(exist_ok=True)
                text.write_text(
                    f"Is it {image}?  Please answer yes or no.\tYes\nIs it {image + 1}? Please answer yes or no.\tNo\n"
                )
        return {"path": str(folder)}

    def hallusion(self) -> dict[str, Any]:
        """A figure, its altered copy, and questions without a figure."""
        folder = self.root / "hallusion"
        rows = []
        for category, figures in (("VD", ("0", "1")), ("VS", ("0", "1", "2"))):
            for figure in figures:
                shown = not (category == "VS" and figure == "0")
                name = f"./{category}/chart/0_{figure}.png"
                if shown:
                    write_picture(folder / "images" / name, int(figure))
                for number in ("0", "1"):
                    rows.append(
                        {
                            "category": category,
                            "subcategory": "chart",
                            "visual_input": str(min(int(figure) + (category == "VD"), 2)),
                            "set_id": "0",
                            "figure_id": figure,
                            "question_id": number,
                            "question": f"Is claim {number} right?",
                            "gt_answer": str((int(figure) + int(number)) % 2),
                            "gt_answer_details": "It is what it is.",
                            "filename": name if shown else None,
                        }
                    )
        (folder / "HallusionBench.json").write_text(json.dumps(rows))
        return {"path": str(folder), "images": str(folder / "images")}

    def mmmu_rows(self, subject: str = "Accounting") -> list[dict[str, Any]]:
        """Columns of the hub: options as Python spells a list, images as bytes with a name."""
        blank = {f"image_{n}": None for n in range(1, 8)}
        common = {"explanation": "", "img_type": "['Table']", "topic_difficulty": "Easy", "subfield": "Finance"}
        choice, short = "multiple-choice", "open"
        rows = [
            {"question": "What is <image 1>?", "options": "['$6', '$7', \"it's $8\"]", "answer": "B", "question_type": choice},
            {"question": "Is <image 2> <image 1>?", "options": "['yes', '<image 3>']", "answer": "A", "question_type": choice},
            {"question": "How many? <image 1>", "options": "[]", "answer": "['12', 'twelve']", "question_type": short},
        ]  # fmt: skip
        for number, row in enumerate(rows, 1):
            pictures = {f"image_{n}": {"bytes": png(n), "path": f"{n}.png"} for n in range(1, 4)}
            row.update({**blank, **pictures, **common, "id": f"validation_{subject}_{number}"})
        return rows

    def mmmu(self, rows: list[dict[str, Any]] | None = None, subject: str = "Accounting") -> dict[str, Any]:
        self.parquet(f"mmmu/{subject}/validation-00000-of-00001.parquet", rows or self.mmmu_rows(subject))
        return {"path": str(self.root / "mmmu")}

    def parquet(self, name: str, rows: list[dict[str, Any]]) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path

    def llava_wild(self) -> dict[str, Any]:
        folder = self.root / "wild"
        questions = [
            {
                "question_id": n,
                "image": f"{n // 2:03}.jpg",
                "text": f"What is {n}?",
                "category": ("conv", "detail")[n % 2],
            }
            for n in range(4)
        ]
        write_lines(folder / "questions.jsonl", questions)
        write_lines(folder / "answers_gpt4.jsonl", [{"question_id": n, "text": f"It is {n}."} for n in range(4)])
        write_lines(
            folder / "context.jsonl", [{"image": f"{n:03}.jpg", "caption": f"A picture of {n}."} for n in (0, 1)]
        )
        for n in (0, 1):
            write_picture(folder / "images" / f"{n:03}.jpg", n)
        return {"path": str(folder)}

    def mmhal_rows(self) -> list[dict[str, Any]]:
        """Columns of the release: an address per image, and what a detector saw there as a list."""
        types = ("attribute", "adversarial", "comparison", "counting", "relation", "environment", "holistic", "other")
        return [
            {
                "question_type": types[n % 8],
                "question_topic": ("animal", "food")[n % 2],
                "image_id": f"id{n}",
                "image_src": f"https://images.example/{n % 4}/{n}_o.jpg?size=full",
                "image_content": ["Cat", f"Thing {n}"],
                "question": f"What is {n}?",
                "gt_answer": f"It is {n}.",
                "model_answer": "",
            }
            for n in range(16)
        ]

    def mmhal(self) -> dict[str, Any]:
        """Every other image is called by its id."""
        folder = self.root / "mmhal"
        for n, row in enumerate(self.mmhal_rows()):
            write_picture(folder / "images" / f"{row['image_id'] if n % 2 else f'{n}_o'}.jpg", n)
        (folder / "response_template.json").write_text(json.dumps(self.mmhal_rows()))
        return {"path": str(folder)}

    def llava_instruct(self) -> dict[str, Any]:
        """Rows of the release: two about one picture, one about text alone, and one that no question opens."""
        folder = self.root / "instruct"
        told = [
            ("000000033471", "coco/train2017/000000033471.jpg", ["human", "gpt", "human", "gpt"]),
            ("000000033471", "coco/train2017/000000033471.jpg", ["human", "gpt"]),
            ("wgByO4Y_0", None, ["human", "gpt"]),
            ("VG_100K_2/2", "vg/VG_100K_2/2.jpg", ["gpt", "human"]),
        ]
        rows = []
        for number, (name, image, turns) in enumerate(told):
            ending = "Answer the question using a single word or phrase."
            values = {"human": f"<image>\nWhat is {number}?\n{ending}", "gpt": f"A {number}. "}
            row = {"id": name, "conversations": [{"from": who, "value": values[who]} for who in turns]}
            rows.append({**row, "image": image} if image else row)
            if image:
                write_picture(folder / image, number)
        file = folder / "llava_v1_5_mix665k.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        return {"path": str(file), "images": str(folder)}

    def textcaps(self) -> dict[str, Any]:
        folder = self.root / "textcaps"
        rows = [
            {"image_id": image, "caption_str": f"{text} of {image}", "caption_id": at}
            for at, (image, text) in enumerate([("a1", "A sign"), ("b2", "A bus"), ("a1", "A red sign")])
        ]
        for image in ("a1", "b2"):
            write_picture(folder / "train_images" / f"{image}.jpg", ord(image[0]))
        file = folder / "TextCaps_0.1_train.json"
        file.write_text(json.dumps({"dataset_name": "textcaps", "data": rows}), encoding="utf-8")
        return {"path": str(file), "images": str(folder / "train_images")}

    def coco(self) -> dict[str, Any]:
        folder = self.root / "coco"
        images = [{"id": n, "file_name": f"COCO_val2014_{n:012}.jpg"} for n in range(4)]
        annotations = [{"image_id": n, "category_id": 1 + n % 2} for n in range(3)]
        categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "hot dog"}]
        said = {"images": images, "annotations": annotations, "categories": categories}
        folder.mkdir(parents=True)
        (folder / "instances_val2014.json").write_text(json.dumps(said))
        captions = {"images": images, "annotations": [{"image_id": 0, "caption": "Two men walk a puppy."}]}
        (folder / "captions_val2014.json").write_text(json.dumps(captions))
        for image in images:
            write_picture(folder / "val2014" / str(image["file_name"]), int(str(image["id"])))
        return {"path": str(folder), "images": str(folder / "val2014")}
