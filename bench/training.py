"""Training against a plain SFT by transformers' Trainer: rows per second and memory, on the same rows in the same batches.

Both train all weights but the vision tower's, in float32 with AdamW; each arm is a process of its own, arms by turns. The
Trainer gets what people write: the processor on the whole batch in the collator, prompts masked in the labels, the loss that the
model computes from them.

    python bench/training.py                     # the tiny model on the world
    python bench/training.py --losses all        # what consistency and adversarial steps cost beside it
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPE = """
data:
  - suite: {{name: world-objects, params: {{n: {items}, seed: 77}}}}
    conditions: [misleading-description, unrelated-facts]
batch: {{image: {batch}}}
optimiser: {{lr: 1.0e-4, clip: 1.0}}
schedule: {{kind: constant, warmup: 0, steps: {steps}}}
checkpoint_every: 100000
losses: {losses}
"""
WAYS = 3
"""Rows of an item: clean, and under two conditions."""
LOSSES = {
    "sft": "{}",
    "kl": "{consistency: {kind: kl}}",
    "all": "{consistency: {kind: kl}, adversarial: {kind: sign-pgd, steps: 2}}",
}


def job_of(folder: Path, args: argparse.Namespace, losses: str) -> Any:
    from mmplat.models import bind as bind_model
    from mmplat.recipes import bind

    path = folder / "bench.yaml"
    said = {"items": args.items, "batch": args.batch, "steps": args.steps, "losses": LOSSES[losses]}
    path.write_text(RECIPE.format(**said), encoding="utf-8")
    base = bind_model("tiny") if args.model == "tiny" else bind_model(args.model, {"path": args.model})
    return bind(base, str(path))


class Clock:
    """Time on the wall and of the processor, from the end of the steps that only warm up."""

    def __init__(self) -> None:
        self.ticks: list[tuple[float, float]] = []

    def tick(self) -> None:
        self.ticks.append((time.monotonic(), time.process_time()))

    def rates(self, args: argparse.Namespace) -> dict[str, float]:
        rows = (len(self.ticks) - args.warm) * WAYS * args.batch
        wall, cpu = (self.ticks[-1][at] - self.ticks[args.warm - 1][at] for at in range(2))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return {"rows_per_s": rows / wall, "rows_per_cpu_s": rows / cpu, "peak_memory_mb": peak}


def ours(folder: Path, args: argparse.Namespace, losses: str) -> dict[str, float]:
    from mmplat.artifacts import Results
    from mmplat.training import train

    clock = Clock()
    train(job_of(folder, args, losses), Results(folder / "results"), advance=lambda done, total: clock.tick())
    return clock.rates(args)


def trainers(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """The same rows by transformers alone."""
    from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainerCallback, TrainingArguments

    from mmplat.artifacts import Results
    from mmplat.models.identity import checkpoint_folder
    from mmplat.training.data import Batches, items_of

    job = job_of(folder, args, "sft")
    items = [item for part in job.data for item in items_of(part, Results(folder / "results"))]
    batches = Batches({"image": items}, job)
    where = checkpoint_folder(job.base.path)
    processor = AutoProcessor.from_pretrained(where)
    network = AutoModelForImageTextToText.from_pretrained(where)
    network.get_encoder(modality="image").requires_grad_(False)
    rows = [row for number in range(args.steps) for row in batches.rows(number)]
    clock = Clock()

    class Ticking(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *given: Any, **named: Any) -> None:
            clock.tick()

    made = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=WAYS * args.batch,
        max_steps=args.steps,
        learning_rate=1e-4,
        lr_scheduler_type="constant",
        weight_decay=1e-4,
        adam_epsilon=1e-6,
        save_strategy="no",
        report_to=[],
        remove_unused_columns=False,
        disable_tqdm=True,
        logging_steps=10,
        use_cpu=True,
    )
    trainer = Trainer(
        network, made, train_dataset=rows, data_collator=lambda some: collated(processor, some), callbacks=[Ticking()]
    )
    trainer._get_train_sampler = lambda *given: None  # the same order
    trainer.train()
    return clock.rates(args)


def collated(processor: Any, rows: list[Any]) -> dict[str, Any]:
    """A batch as tutorials make it: prompt and answer as one text, labels only where the answer is."""
    from PIL import Image

    asks = [row.way.ask for row in rows]
    turns = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": ask.question}]}] for ask in asks]
    prompts = [processor.apply_chat_template(turn, add_generation_prompt=True) for turn in turns]
    texts = [f"{p} {row.answer}{processor.tokenizer.eos_token}" for p, row in zip(prompts, rows, strict=True)]
    images = [[Image.fromarray(picture) for picture in ask.pictures] for ask in asks]
    batch = processor(text=texts, images=images, return_tensors="pt", padding=True, padding_side="left")
    labels = batch["input_ids"].clone()
    labels[:, :-2] = -100  # an answer of one token, and the end
    return {**batch, "labels": labels}


def run(args: argparse.Namespace, arm: str, folder: Path) -> dict[str, float]:
    """One arm in a process of its own."""
    options = [f"--{name}={getattr(args, name)}" for name in ("model", "items", "batch", "steps", "warm", "threads")]
    command = [sys.executable, __file__, "--arm", arm, "--folder", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="tiny, or a checkpoint folder")
    parser.add_argument("--items", type=int, default=240)
    parser.add_argument("--batch", type=int, default=8, help="items of a batch, of three rows each")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warm", type=int, default=5, help="first steps that are not counted")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--losses", choices=LOSSES, default="sft")
    parser.add_argument("--arm")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.arm:
        import torch

        torch.set_num_threads(args.threads)
        found = trainers(args.folder, args) if args.arm == "trainer" else ours(args.folder, args, args.arm)
        print(json.dumps(found))
        return
    compare(args)


def compare(args: argparse.Namespace) -> None:
    from mmplat.artifacts import Results
    from mmplat.preparing import prepare

    arms = list(dict.fromkeys(["sft", args.losses, "trainer"]))
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for _ in range(args.repeats):
        for arm in arms:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                for suite in job_of(folder, args, "sft").suites:
                    prepare(suite, Results(folder / "results"))
                found[arm].append(run(args, arm, folder))
    for arm, runs in found.items():
        print(f"{arm:8}", "  ".join(f"{name} {middle(runs, name):.1f}" for name in runs[0]))
    for name in ("rows_per_s", "rows_per_cpu_s"):
        ratios = [one[name] / other[name] for one, other in zip(found["sft"], found["trainer"], strict=True)]
        print(f"sft / trainer, {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")


def middle(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


if __name__ == "__main__":
    main()
