"""Cost of answers in words: the stepper against `generate()` once per cell. `make bench` runs it.

Arms, the model loaded and warm, inputs processed once and outside the clock where a harness could do that:
  mmplat     all cells by the stepper: each view read once, prompts held once, all streams stepped together
  cells      `generate()` once per cell, batched over samples; a contrast is a LogitsProcessor with a cache of its own
  one cell   greedy naive by the stepper, and the same by `generate()` at equal batch, bare and with the processor's work, which
             is inside the stepper's clock always: tokens per second

Two cases, since answers that say the same so far are computed once:
  random     a LLaVA of random weights: every drawn answer parts from all others at its first token, and none ends early
  captions   the tiny model that ships with mmplat, trained, on captions of the synthetic world

Beside seconds of the clock stand those of the processor, which a busy machine lengthens less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from asking import SHAPES, make_checkpoint, make_samples, peak_gb
from PIL import Image

from mmplat.artifacts import Results
from mmplat.asking.outcome import Outcome
from mmplat.asking.stepper import speak
from mmplat.asking.suite_job import picture_of
from mmplat.asking.writing_job import WritingJob, speakers_of
from mmplat.decoding import parse_decoding
from mmplat.methods import bind as bind_method
from mmplat.models import bind, families
from mmplat.preparing import load_samples, prepare
from mmplat.records import BatchSuite, ModelSpec, Sample, SuiteSpec, Writing
from mmplat.suites import bind as bind_suite

METHODS = ("naive", "vdd-none", "vcd")
DECODINGS = ("greedy", "sample", "t0.2", "p0.9", "k5", "t0.7-k50-p0.9")
CELLS = [(method, decoding) for method in METHODS for decoding in DECODINGS]
REFERENCES = {"vdd-none": "none", "vcd": "noise"}
LUCK = 0.05
"""Drawn captions differ from arm to arm: by how much the arms' tokens may."""


@dataclass(frozen=True, slots=True)
class Took:
    """What writing took."""

    seconds: float
    processor: float
    tokens: int

    def __add__(self, other: Took) -> Took:
        return Took(self.seconds + other.seconds, self.processor + other.processor, self.tokens + other.tokens)


def timed(write: Callable[[], int]) -> Took:
    """`write` gives the number of tokens that it wrote."""
    clock, processor = time.perf_counter(), time.process_time()
    tokens = write()
    return Took(time.perf_counter() - clock, time.process_time() - processor, tokens)


class Contrast:
    """A contrast inside `generate()`, as the papers' code runs it, but with a cache of the reference's own."""

    def __init__(self, model: Any, inputs: dict[str, Any]) -> None:
        self.model, self.inputs, self.cache, self.mask = model, inputs, None, inputs["attention_mask"]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self.cache is None:
            inputs = self.inputs
        else:
            self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], dim=1)
            inputs = {"input_ids": input_ids[:, -1:], "attention_mask": self.mask, "past_key_values": self.cache}
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)[:, -inputs["input_ids"].shape[1] :]
        out = self.model(**inputs, position_ids=positions, use_cache=True, logits_to_keep=1)
        self.cache = out.past_key_values
        reference = out.logits[:, -1]
        low = scores < scores.amax(dim=-1, keepdim=True) + torch.log(torch.tensor(0.1))
        return (2 * scores - reference).masked_fill(low, -torch.inf)


class Bench:
    """One model and its samples, their pictures below `folder`."""

    def __init__(self, spec: ModelSpec, folder: Path, samples: list[Sample], longest: int) -> None:
        self.model: Any = families.get(spec.family).load(spec)
        self.samples, self.longest = samples, longest
        part = BatchSuite(suite=SuiteSpec(name="b", kind="b", version=1), views=())
        self.job = WritingJob(self.model, part, folder, folder, Outcome(), lambda n: None)
        self.folder = folder
        self.inputs = {"image": self.shown(), "none": self._inputs(0, None)}
        noise = torch.randn_like(self.inputs["image"]["pixel_values"])
        self.inputs["noise"] = {**self.inputs["image"], "pixel_values": noise}

    def shown(self) -> dict[str, Any]:
        """What transformers' processor makes of all samples, from files to tensors."""
        paths = [self.folder / "images" / s.images[0] for s in self.samples]
        return self._inputs(1, [Image.open(path).convert("RGB") for path in paths])

    def _inputs(self, pictures: int, images: Any) -> dict[str, Any]:
        texts = [self.model.render(s.question, pictures) for s in self.samples]
        found = self.model.processor(text=texts, images=images, return_tensors="pt", padding=True, padding_side="left")
        return {name: self.model.moved(value) for name, value in found.items()}

    def mmplat(self, cells: list[tuple[str, str]]) -> Took:
        writings = [
            Writing(method=bind_method(m).spec, decoding=parse_decoding(d), seed=0, longest=self.longest)
            for m, d in cells
        ]
        self.model.pictures.forget()
        picture_of.cache_clear()
        return timed(lambda: self._spoken(writings))

    def _spoken(self, writings: list[Writing]) -> int:
        views, speakers = speakers_of(writings)
        asks = [[self.job._ask(sample, view) for sample in self.samples] for view in views]
        spoken = speak(self.model, asks, speakers, self.longest)
        return sum(len(one.tokens) for some in spoken for one in some)

    def generate(self, cells: list[tuple[str, str]]) -> Took:
        first, *others = (timed(lambda cell=cell: self._generated(*cell)) for cell in cells)
        return sum(others, first)

    def with_inputs(self, cell: tuple[str, str]) -> Took:
        def write() -> int:
            self.shown()
            return self._generated(*cell)

        return timed(write)

    def _generated(self, method: str, decoding: str) -> int:
        reference = REFERENCES.get(method)
        processors = [] if reference is None else [Contrast(self.model.network, self.inputs[reference])]
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
        return self._count(out[:, self.inputs["image"]["input_ids"].shape[1] :])

    def _count(self, answers: Any) -> int:
        """Tokens of some answers (row, step), what ends them included, and not what fills the shorter ones up."""
        ends = torch.isin(answers, torch.tensor(sorted(self.model.stops), device=answers.device))
        return int((ends.cumsum(dim=1) - ends.long() == 0).sum())


def measure(bench: Bench, repeats: int) -> dict[str, list[Took]]:
    one = CELLS[0]
    arms: dict[str, Callable[[], Took]] = {
        "mmplat": lambda: bench.mmplat(CELLS),
        "cells": lambda: bench.generate(CELLS),
        "one, stepper": lambda: bench.mmplat([one]),
        "one, bare": lambda: bench.generate([one]),
        "one, with inputs": lambda: bench.with_inputs(one),
    }
    bench.mmplat(CELLS)
    bench.generate([one])
    rounds = [{name: arm() for name, arm in arms.items()} for _ in range(repeats)]
    return {name: [found[name] for found in rounds] for name in arms}


def refuse_unequal(arms: dict[str, list[Took]], luck: float) -> None:
    for ours, theirs, allowed in (("mmplat", "cells", luck), ("one, stepper", "one, bare", 0.0)):
        for a, b in zip(arms[ours], arms[theirs], strict=True):
            if abs(a.tokens - b.tokens) > allowed * b.tokens:
                raise SystemExit(f"the arms wrote different amounts: {ours} {a.tokens}, {theirs} {b.tokens} tokens")


def report(title: str, arms: dict[str, list[Took]]) -> None:
    print(title)
    for name in ("mmplat", "cells"):
        clock, processor = spread(t.seconds for t in arms[name]), spread(t.processor for t in arms[name])
        print(f"  {name:<8} {clock} by the clock, {processor} of the processor, {arms[name][0].tokens} tokens")
    for title, slow, fast in (
        ("cells ÷ mmplat", "cells", "mmplat"),
        ("one cell, bare generate() ÷ stepper", "one, bare", "one, stepper"),
        ("one cell, generate() with inputs ÷ stepper", "one, with inputs", "one, stepper"),
    ):
        pairs = list(zip(arms[slow], arms[fast], strict=True))
        clock = statistics.median(a.seconds / b.seconds for a, b in pairs)
        processor = statistics.median(a.processor / b.processor for a, b in pairs)
        print(f"  {title:<44}{clock:6.2f} × by the clock, {processor:6.2f} × of the processor")


def spread(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{statistics.median(found):.2f} s ({found[0]:.2f}–{found[-1]:.2f})"


def random_case(place: Path, options: argparse.Namespace) -> tuple[str, Bench]:
    millions = make_checkpoint(place / "model", SHAPES[options.shape], options.dtype)
    spec = bind("bench", {"path": str(place / "model"), "dtype": options.dtype})
    samples = make_samples(place / "suite", options.samples)
    title = f"random: {millions:.0f} M parameters, {options.samples} samples × {len(CELLS)} cells × {options.longest} tokens"
    return title, Bench(spec, place / "suite", samples, options.longest)


def captions_case(place: Path, options: argparse.Namespace) -> tuple[str, Bench]:
    suite = prepare(bind_suite("world-captions", {"n": options.captions}), Results(place / "results")).parent
    samples = load_samples(suite)
    title = f"captions: tiny, {len(samples)} pictures × {len(CELLS)} cells, 16 tokens at most"
    return title, Bench(bind("tiny"), suite, samples, 16)


CASES = {"random": random_case, "captions": captions_case}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--shape", choices=SHAPES, default="100m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--samples", type=int, default=6, help="of the random case")
    parser.add_argument("--longest", type=int, default=24, help="tokens of each answer of the random case")
    parser.add_argument("--captions", type=int, default=100, help="pictures")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = {}
    for name in options.cases:
        with tempfile.TemporaryDirectory() as folder:
            title, bench = CASES[name](Path(folder), options)
            arms = measure(bench, options.repeats)
        refuse_unequal(arms, luck=LUCK if name == "captions" else 0.0)
        report(f"{title}, {bench.model.hardware}, {options.repeats} runs", arms)
        found[name] = {arm: [asdict(one) for one in runs] for arm, runs in arms.items()}
    print(f"peak memory {peak_gb():.2f} GB")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
