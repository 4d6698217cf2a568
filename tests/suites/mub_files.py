"""A small file as MUB released it: one array, items repeated, some in Chinese, broken off in the middle of the last one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark_files import write_picture


def item(number: int, question: str, answer: str, choices: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    right_first = number % 2 == 0
    guide = (
        next((x for x in [*(choices or ()), "No", "Yes"] if x.lower() != answer.lower()), "No")
        if right_first
        else answer
    )
    found = {
        "question": question,
        "choices": choices,
        "answer": answer,
        "response": -2 if number == 3 else answer,
        "all_category": "Art History",
        "question_correction": "TF" if right_first else "FT",
        "model": "phi3-vision-128k-instruct",
        "question_type_CHorYN": "CH",
        "guide": f"And the true answer is : {guide}",
        "dataset": "MMMU",
        "num": 6,
        "new_id": f"extract_img_all/{number}.jpg",
        **more,
    }
    return {name: value for name, value in found.items() if value is not None}


LETTERED = {"A": "a cat", "B": "a dog", "C": "a hen", "D": "a pig", "E": "a cow"}
ITEMS = [
    item(0, "<image 1> What is in <image 1> here?", "E", LETTERED),
    item(1, "No major ____ should cross.<image 1>", "B", {"A": "traffic", "B": "cabinet"}, num=9),
    item(2, "图中文物的名称是什么？", "C", {"A": "鼎", "B": "壶", "C": "陶器盖"}, dataset="MMBench-cc", num=12),
    item(3, "Is it a cat?", "No", dataset="MME", question_type_CHorYN="YN"),
    item(4, "Is it a dog?", "yes", dataset="ConBench_YN", question_type_CHorYN="YN", num=7),
    item(5, "What is it? A) a cat B) a dog, C) a pig\nPlease answer.", "B", dataset="ConBench_CH"),
    item(6, "What is wrong here?", "F", {"A": "x", "B": "y"}),
    item(7, "Which of them?", "A", dataset="ConBench_CH"),
]


def write_mub(folder: Path, items: list[dict[str, Any]] = ITEMS, *, cut: bool = True, times: int = 3) -> dict[str, Any]:
    """The parameters of a suite that reads it. Every item is repeated, and one once more with another answer."""
    rows = [one for one in items for _ in range(times)] + [{**items[1], "answer": "A"}, items[0]]
    text = json.dumps(rows, indent=2, ensure_ascii=False)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "all_combined_items.jsonl").write_text(text[:-120] if cut else text, encoding="utf-8")
    for number in range(len(items)):
        write_picture(folder / "extract_img_all" / f"{number}.jpg", number)
    return {"path": str(folder)}
