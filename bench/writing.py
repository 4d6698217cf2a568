"""Cost of answers in words: the stepper against `generate()` once per cell, on a LLaVA-shaped model of random weights.

Arms, the model loaded and warm, inputs processed once and outside the clock where a harness could do that:
  mmplat     all cells by the stepper: each view read once, caches fanned out, all streams stepped together
  cells      `generate()` once per cell, batched over samples; a contrast is a LogitsProcessor with a cache of its own
  one cell   greedy naive by the stepper, and the same by bare `generate()`, at equal batch: tokens per second

Random weights never end an answer, so all arms write the same number of tokens.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from asking import SHAPES, make_checkpoint, make_samples, peak_gb
from PIL import Image

from mmplat.asking.stepper import speak
from mmplat.asking.suite_job import Outcome
from mmplat.asking.writing_job import WritingJob, speakers_of
from mmplat.decoding import parse_decoding
from mmplat.methods import bind as bind_method
from mmplat.models import bind, families
from mmplat.records import BatchSuite, Sample, SuiteSpec, Writing

METHODS = ("naive", "vdd-none", "vcd")
DECODINGS = ("greedy", "sample", "t0.2", "p0.9", "k5", "t0.7-k50-p0.9")


class Contrast:
    """A contrast inside `generate()`, as the papers' code runs it, but with a cache of the reference's own."""

    def __init__(self, model: Any, inputs: dict[str, Any]) -> None:
        self.model, self.inputs, self.cache, self.mask = model, inputs, None, inputs["attention_mask"]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self.cache is None:
            out = self.model(**self.inputs, use_cache=True, logits_to_keep=1)
        else:
            self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], dim=1)
            out = self.model(
                input_ids=input_ids[:, -1:], attention_mask=self.mask, past_key_values=self.cache, use_cache=True
            )
        self.cache = out.past_key_values
        reference = out.logits[:, -1]
        low = scores < scores.amax(dim=-1, keepdim=True) + torch.log(torch.tensor(0.1))
        return (2 * scores - reference).masked_fill(low, -torch.inf)


class Bench:
    def __init__(self, model: Any, folder: Path, samples: list[Sample], longest: int) -> None:
        self.model, self.samples, self.longest = model, samples, longest
        self.writings = [
            Writing(method=bind_method(method).spec, decoding=parse_decoding(decoding), seed=0, longest=longest)
            for method in METHODS
            for decoding in DECODINGS
        ]
        part = BatchSuite(suite=SuiteSpec(name="b", kind="b", version=1), views=())
        self.job = WritingJob(model, part, folder, folder, Outcome(), lambda n: None)
        images = [Image.open(folder / "images" / s.images[0]).convert("RGB") for s in samples]
        self.inputs = {
            "image": self._inputs([model.render(s.question, 1) for s in samples], images),
            "none": self._inputs([model.render(s.question, 0) for s in samples], None),
        }
        self.inputs["noise"] = {**self.inputs["image"]}
        self.inputs["noise"]["pixel_values"] = torch.randn_like(self.inputs["image"]["pixel_values"])

    def _inputs(self, texts: list[str], images: Any) -> dict[str, Any]:
        found = self.model.processor(text=texts, images=images, return_tensors="pt", padding=True)
        return {name: self.model.moved(value) for name, value in found.items()}

    def mmplat(self, writings: list[Writing]) -> tuple[float, int]:
        """(seconds, tokens)"""
        self.model.pictures.forget()
        began = time.perf_counter()
        views, speakers = speakers_of(writings)
        asks = [[self.job._ask(sample, view) for sample in self.samples] for view in views]
        spoken = speak(self.model, asks, speakers, self.longest)
        return time.perf_counter() - began, sum(len(one.tokens) for some in spoken for one in some)

    def generate(self, method: str, decoding: str) -> tuple[float, int]:
        references = {"vdd-none": "none", "vcd": "noise"}
        began = time.perf_counter()
        processors = [Contrast(self.model.network, self.inputs[references[method]])] if method in references else []
        how = parse_decoding(decoding)
        sampling = (
            {"do_sample": False}
            if how.greedy
            else {"do_sample": True, "temperature": how.temperature, "top_k": how.top_k or 0, "top_p": how.top_p or 1.0}
        )
        with torch.inference_mode():
            out = self.model.network.generate(
                **self.inputs["image"], **sampling, logits_processor=processors, max_new_tokens=self.longest
            )
        tokens = (out.shape[1] - self.inputs["image"]["input_ids"].shape[1]) * out.shape[0]
        return time.perf_counter() - began, tokens


def measure(bench: Bench, repeats: int) -> dict[str, list[float]]:
    naive = [w for w in bench.writings if w.method.kind == "naive" and w.decoding.greedy]
    bench.mmplat(naive)
    bench.generate("naive", "greedy")
    arms: dict[str, list[float]] = {"mmplat": [], "cells": [], "stepper tokens/s": [], "generate tokens/s": []}
    for _ in range(repeats):
        seconds, tokens = bench.mmplat(bench.writings)
        arms["mmplat"].append(seconds)
        found = [bench.generate(method, decoding) for method in METHODS for decoding in DECODINGS]
        arms["cells"].append(sum(s for s, _ in found))
        if tokens != sum(t for _, t in found):
            raise SystemExit(f"the arms wrote different amounts: {tokens} and {sum(t for _, t in found)} tokens")
        for name, (took, said) in (("stepper", bench.mmplat(naive)), ("generate", bench.generate("naive", "greedy"))):
            arms[f"{name} tokens/s"].append(said / took)
    return arms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="100m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--longest", type=int, default=24, help="tokens of each answer")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        millions = make_checkpoint(place / "model", SHAPES[options.shape], options.dtype)
        spec = bind("bench", {"path": str(place / "model"), "dtype": options.dtype})
        model = families.get(spec.family).load(spec)
        bench = Bench(model, place / "suite", make_samples(place / "suite", options.samples), options.longest)
        arms = measure(bench, options.repeats)
    median = {name: statistics.median(values) for name, values in arms.items()}
    cells = len(METHODS) * len(DECODINGS)
    print(
        f"{millions:.0f} M parameters, {options.samples} samples × {cells} cells × {options.longest} tokens, {model.hardware}"
    )
    for name in ("mmplat", "cells"):
        print(
            f"{name:<10}{median[name]:9.2f} s   ({min(arms[name]):.2f}–{max(arms[name]):.2f}, {options.repeats} runs)"
        )
    print(f"cells ÷ mmplat       {median['cells'] / median['mmplat']:6.2f} ×")
    print(
        f"one cell, stepper ÷ generate {median['stepper tokens/s'] / median['generate tokens/s']:6.2f} × tokens per second"
    )
    print(f"peak memory          {peak_gb():6.2f} GB")
    if options.json:
        options.json.write_text(json.dumps({"parameters_m": millions, "arms": arms}, indent=1))


if __name__ == "__main__":
    main()
