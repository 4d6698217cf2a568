"""Speed of a grid, as ratios of arms measured in one run on the tiny model. `make bench` runs it; quote it with its n.

Arms, all with the model loaded and warm:
  mmplat    ask + decide of the whole grid, everything included: reading images, processing, Parquet, predictions, metrics
  cells     `generate()` once per cell, batched: inputs processed once and outside the clock, one new token, a contrastive
            method as a LogitsProcessor, post-hoc by its extra forwards: the best shape that a cell-by-cell harness has
  cells+in  the same with the processor's work of each cell inside the clock
  floor     just the distinct forwards, bare batched transformers, inputs processed once and outside the clock
  floor+in  the same with the processor's work inside the clock, as any program that starts from images must do it
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmplat import asking
from mmplat.artifacts import Results
from mmplat.asking import suite_job
from mmplat.deciding import decide
from mmplat.grid import parse_grid
from mmplat.models import bind, families
from mmplat.plan import Plan, make_plan, write_plan
from mmplat.preparing import load_picture, load_samples, prepare
from mmplat.records import DecodingSpec, ViewSpec
from mmplat.views import catalog as views

GRID = """
campaign: bench
models: [tiny]
suites: [{{name: world-objects, params: {{n: {n}, seed: 0}}}}]
decodings: [greedy, sample, t0.2, p0.9, k5, t0.7-k50-p0.9]
methods: [naive, posthoc-none, posthoc-unk, posthoc-both, posthoc-noise, vdd-none, vdd-unk, vdd-both, vcd, apc-only]
"""
BATCHES = (64, 256)
"""Batch sizes tried for the bare arms; the faster one is used."""


class Bare:
    """transformers alone: inputs of every view, processed once."""

    def __init__(self, plan: Plan, results: Results) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        from mmplat.world import checkpoint_folder

        folder = checkpoint_folder("tiny")
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        suite = plan.grid.suites[0]
        self.place = results.suite(suite.name, suite.key)
        self.samples = load_samples(self.place)
        self.views = plan.pairs[0].views
        self.batch = BATCHES[-1]

    def process(self, view: ViewSpec) -> list[dict[str, Any]]:
        """Batched inputs of one view, from images and text."""
        kind = views.get(view.kind)
        ready = []
        for start in range(0, len(self.samples), self.batch):
            some = self.samples[start : start + self.batch]
            texts = [self._chat(s.question, image=kind.image != "drop") for s in some]
            if kind.image == "unk":
                texts = [t.replace(self.processor.image_token, self.processor.tokenizer.unk_token) for t in texts]
            if kind.image != "keep":
                ready.append(dict(self.processor.tokenizer(texts, return_tensors="pt", padding=True)))
                continue
            pictures = [load_picture(self.place, s.images[0]) for s in some]
            inputs = dict(self.processor(text=texts, images=pictures, return_tensors="pt", padding=True))
            pixels = inputs["pixel_values"].numpy()
            changed = [kind.transform(p, view.params, i) for i, p in enumerate(pixels)]
            inputs["pixel_values"] = torch.stack([torch.from_numpy(p) for p in changed])
            ready.append(inputs)
        return ready

    def forwards(self, inputs: list[dict[str, Any]]) -> list[torch.Tensor]:
        with torch.inference_mode():
            return [self.model(**one, logits_to_keep=1, use_cache=False).logits[:, -1] for one in inputs]

    def _chat(self, question: str, *, image: bool) -> str:
        content = [{"type": "image"}] * image + [{"type": "text", "text": question}]
        return str(
            self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        )


class Contrast:
    """A contrastive method as a LogitsProcessor: the reference forwards run when the step is generated."""

    def __init__(self, bare: Bare, references: list[dict[str, Any]], alpha: float, beta: float) -> None:
        self.bare, self.references, self.alpha, self.beta = bare, references, alpha, beta

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        low = scores < scores.max(dim=-1, keepdim=True).values + torch.log(torch.tensor(self.beta))
        if self.references:
            poorer = torch.stack(self.bare.forwards(self.references)).mean(dim=0)
            scores = (1 + self.alpha) * scores - self.alpha * poorer
        return scores.masked_fill(low, -torch.inf)


def run_cells(plan: Plan, bare: Bare, inputs: dict[str, list[dict[str, Any]]]) -> int:
    """Every cell by `generate()`; returns how many cells were run."""
    count = 0
    for seeded in plan.pairs[0].methods:
        method = seeded.method
        references = [inputs[view.key] for view in method.references]
        for decoding in plan.grid.decodings:
            for index, main in enumerate(inputs[bare.views[0].key]):
                mine = [of_view[index] for of_view in references]
                processors = []
                if method.beta is not None:
                    processors = [Contrast(bare, mine, float(method.spec.params.get("alpha", 0)), method.beta)]
                elif mine:
                    bare.forwards(mine)
                bare.model.generate(**main, **settings(decoding), logits_processor=processors, max_new_tokens=1)
            count += 1
    return count


def process_for_cells(plan: Plan, bare: Bare) -> None:
    """The processor's work of a harness that starts each cell from images and text."""
    for seeded in plan.pairs[0].methods:
        for _ in plan.grid.decodings:
            for view in (bare.views[0], *seeded.method.references):
                bare.process(view)


def settings(decoding: DecodingSpec) -> dict[str, Any]:
    if decoding.greedy:
        return {"do_sample": False}
    return {
        "do_sample": True,
        "temperature": decoding.temperature,
        "top_k": decoding.top_k or 0,
        "top_p": decoding.top_p or 1.0,
    }


def run_mmplat(plan: Plan, prepared: Results) -> tuple[float, float]:
    """(ask, decide) seconds of the whole grid into a fresh results folder that shares the prepared suite."""
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder))
        shutil.copytree(prepared.suites_root, results.suites_root)
        suite_job.picture_of.cache_clear()
        began = time.perf_counter()
        asking.ask(plan.batches[0], results)
        asked = time.perf_counter()
        decide(plan, plan.pairs[0], results)
        return asked - began, time.perf_counter() - asked


def seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def keep_model_loaded() -> None:
    """The model is loaded once for all repeats, as it is for the bare arms."""
    loaded = families.get("llava").load(bind("tiny"))

    def again(spec: object) -> object:
        loaded.pictures.forget()  # features of an earlier repeat would be a gift
        return loaded

    object.__setattr__(families.get("llava"), "load", again)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000, help="samples")
    parser.add_argument("--repeats", type=int, default=5, help="repeats of the short arms")
    parser.add_argument("--cell-repeats", type=int, default=1, help="repeats of the cell-by-cell arm (minutes each)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    plan = make_plan(parse_grid(GRID.format(n=options.n)))
    with tempfile.TemporaryDirectory() as folder:
        report = measure(plan, Results(Path(folder)), options)
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def measure(plan: Plan, results: Results, options: argparse.Namespace) -> dict[str, Any]:
    write_plan(plan, results)
    prepare(plan.grid.suites[0], results)
    keep_model_loaded()
    bare = Bare(plan, results)
    inputs = {}
    for size in BATCHES:
        bare.batch = size
        inputs[size] = {view.key: bare.process(view) for view in bare.views}
    run_mmplat(plan, results)  # warm
    arms: dict[str, list[float]] = {"ask": [], "decide": [], "mmplat": []}
    for _ in range(options.repeats):  # arms alternate, so that a slow minute hits all of them
        asked, decided = run_mmplat(plan, results)
        for name, value in (("ask", asked), ("decide", decided), ("mmplat", asked + decided)):
            arms[name].append(value)
        for size in BATCHES:
            bare.batch = size
            ready = inputs[size]
            arms.setdefault(f"floor {size}", []).append(seconds(lambda: [bare.forwards(r) for r in ready.values()]))  # noqa: B023
            arms.setdefault(f"floor+in {size}", []).append(
                seconds(lambda: [bare.forwards(bare.process(view)) for view in bare.views])
            )
    for name in ("floor", "floor+in"):  # the faster shape is the floor
        shapes = [arms.pop(f"{name} {size}") for size in BATCHES]
        arms[name] = min(shapes, key=statistics.median)
        if name == "floor":
            bare.batch = BATCHES[shapes.index(arms[name])]
    for _ in range(options.cell_repeats):
        arms.setdefault("cells", []).append(seconds(lambda: run_cells(plan, bare, inputs[bare.batch])))
        arms.setdefault("cells+in", []).append(arms["cells"][-1] + seconds(lambda: process_for_cells(plan, bare)))
    return {
        "n": options.n,
        "cells": plan.planned,
        "rows": len(bare.samples) * len(bare.views),
        "batch": bare.batch,
        "threads": options.threads,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "seconds": arms,
    }


def table(report: dict[str, Any]) -> str:
    """Medians, ranges and ratios, as people quote them."""
    arms = {name: values for name, values in report["seconds"].items() if values}
    median = {name: statistics.median(values) for name, values in arms.items()}
    lines = [
        f"n = {report['n']} samples, {report['cells']} cells, batch {report['batch']}, {report['threads']} threads"
    ]
    lines += [
        f"{name:<10}{median[name]:9.2f} s   ({min(v):.2f}–{max(v):.2f}, {len(v)} runs)" for name, v in arms.items()
    ]
    for other in ("cells", "cells+in", "floor", "floor+in"):
        if other in median:
            slower = other.startswith("cells")
            ratio = median[other] / median["mmplat"] if slower else median["mmplat"] / median[other]
            meaning = f"{other} ÷ mmplat" if slower else f"mmplat ÷ {other}"
            lines.append(f"{meaning:<20}{ratio:6.2f} ×")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
