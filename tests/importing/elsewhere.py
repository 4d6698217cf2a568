"""Files as other tools leave them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def pope(n: int = 12, *, per_image: int = 6) -> list[dict[str, Any]]:
    """Annotations of POPE: odd ids are there, even ones are not."""
    return [
        {
            "question_id": i,
            "image": f"COCO_val2014_{(i - 1) // per_image:012d}.jpg",
            "text": f"Is there a thing {i} in the image?",
            "label": "yes" if i % 2 else "no",
        }
        for i in range(1, n + 1)
    ]


SPLITS = ("random", "popular", "adversarial")


def pope_split(split: str, n: int = 6) -> list[dict[str, Any]]:
    """Annotations of one split: every split numbers its questions from 1, and asks others."""
    return [{**row, "text": f"Is there a {split} thing {row['question_id']} in the image?"} for row in pope(n)]


def said_to(annotations: Iterable[dict[str, Any]], *texts: str) -> list[dict[str, Any]]:
    """LLaVA's answers file; texts are given in turns."""
    return [
        {
            "question_id": row["question_id"],
            "prompt": f"{row['text']}\nAnswer the question using a single word or phrase.",
            "text": texts[at % len(texts)],
            "answer_id": f"a{at}",
            "model_id": "llava",
            "metadata": {},
        }
        for at, row in enumerate(annotations)
    ]
