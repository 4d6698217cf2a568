"""Cost of asking seven views against the bare forwards, on a LLaVA-shaped model of random weights. `make bench` runs it.

Arms, the model loaded and warm, arms alternating:
  mmplat   the asking engine: pictures from disk, processor, vision tower, forwards, reduction, evidence written to Parquet
  bare     seven batched forwards of transformers, one per view, inputs processed once and outside the clock
  bare+in  the same with the processor's work inside the clock

`--shape 7b --dtype bfloat16 --samples 256` is the same on a GPU with the shape of LLaVA-1.5-7B.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmplat.asking.outcome import Outcome
from mmplat.asking.suite_job import SuiteJob, picture_of
from mmplat.models import bind, families
from mmplat.preparing import picture_name
from mmplat.records import BatchSuite, Demand, Sample, SuiteSpec
from mmplat.views import bind as bind_view

VIEWS = ("image", "none", "unk", "noise", "zero", "one", "black")
SHAPES: dict[str, dict[str, Any]] = {
    "100m": {
        "text": {"hidden_size": 640, "intermediate_size": 1728, "num_hidden_layers": 10, "num_attention_heads": 10},
        "vision": {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 6},
        "side": 168,
        "patch": 14,
    },
    "7b": {
        "text": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
        "vision": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
        "side": 336,
        "patch": 14,
    },
}
VOCABULARY = 32_064


def make_checkpoint(folder: Path, shape: dict[str, Any], dtype: str) -> float:
    """A LLaVA of random weights; returns its parameters in millions."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    words = ["<unk>", "<s>", "</s>", "<pad>", "<image>", "yes", "no", *(f"w{i}" for i in range(64))]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    side = {"height": shape["side"], "width": shape["side"]}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=side, crop_size=side),
        tokenizer=tokenizer,
        patch_size=shape["patch"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template="USER: {% for p in messages[0]['content'] %}{% if p['type'] == 'image' %}<image> "
        "{% else %}{{ p['text'] }}{% endif %}{% endfor %} ASSISTANT:",
    )
    processor.save_pretrained(folder)
    config = LlavaConfig(
        text_config=LlamaConfig(vocab_size=VOCABULARY, **shape["text"]),
        vision_config=CLIPVisionConfig(image_size=shape["side"], patch_size=shape["patch"], **shape["vision"]),
        image_token_id=words.index("<image>"),
        image_seq_length=(shape["side"] // shape["patch"]) ** 2,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, dtype))
    model = LlavaForConditionalGeneration(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    return sum(p.numel() for p in model.parameters()) / 1e6


def make_samples(folder: Path, count: int) -> list[Sample]:
    """Photographs of noise, two questions each, as in POPE-like suites."""
    (folder / "images").mkdir(parents=True)
    samples = []
    for index in range(count):
        rng = np.random.default_rng(index // 2)
        picture = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
        name = picture_name(picture)
        Image.fromarray(picture).save(folder / "images" / name)
        question = " ".join(f"w{rng.integers(64)}" for _ in range(10 + index % 5)) + f" w{index % 2}"
        samples.append(Sample(f"s{index}", f"s{index}", name, question, (), ("yes", "no"), "yes", (name,)))
    return samples


class Bench:
    def __init__(self, model: Any, folder: Path, samples: list[Sample], batch: int) -> None:
        self.model, self.folder, self.samples, self.batch = model, folder, samples, batch
        self.views = tuple(bind_view(name) for name in VIEWS)
        self.pictures = {s.images[0]: _plain(folder, s.images[0]) for s in samples}

    def mmplat(self) -> float:
        """Seconds of the engine into a fresh folder, the model's own part of it noted in `inside`."""
        self.model.pictures.forget()
        picture_of.cache_clear()
        part = BatchSuite(suite=SuiteSpec(name="bench", kind="bench", version=1), views=self.views)
        with tempfile.TemporaryDirectory() as target:
            job = SuiteJob(self.model, part, Demand(min_beta=0.1), self.folder, Path(target), Outcome(), lambda n: None)
            began = time.perf_counter()
            job.run(self.samples, np.ones((len(self.samples), len(self.views)), bool))
            _synchronise()
            took = time.perf_counter() - began
        if job.outcome.asked != len(self.samples) * len(self.views):
            raise SystemExit(f"not everything was asked: {job.outcome.failures[:3]}")
        return took

    def bare(self, inputs: list[dict[str, Any]]) -> float:
        began = time.perf_counter()
        with torch.inference_mode():
            for one in inputs:
                self.model.network(**one, logits_to_keep=1, use_cache=False).logits[:, -1].float()
        _synchronise()
        return time.perf_counter() - began

    def process(self) -> list[dict[str, Any]]:
        """What transformers' processor makes of every view, batched; views in pixel space change its pixels."""
        from mmplat.views import catalog

        ready = []
        processor = self.model.processor
        for view in self.views:
            kind = catalog.get(view.kind)
            for start in range(0, len(self.samples), self.batch):
                some = self.samples[start : start + self.batch]
                texts = [self.model.render(s.question, 0 if kind.image == "drop" else 1) for s in some]
                if kind.image == "unk":
                    texts = [text.replace("<image>", "<unk>") for text in texts]
                images = [self.pictures[s.images[0]] for s in some] if kind.image == "keep" else None
                if kind.place == "picture":
                    images = [kind.transform(picture, view.params, 0) for picture in images or []]
                found = processor(text=texts, images=images, return_tensors="pt", padding=True)
                if kind.place == "pixels":
                    changed = [kind.transform(p, view.params, i) for i, p in enumerate(found["pixel_values"].numpy())]
                    found["pixel_values"] = torch.from_numpy(np.stack(changed))
                ready.append({name: self.model.moved(tensor) for name, tensor in found.items()})
        return ready

    def processed(self) -> float:
        began = time.perf_counter()
        self.process()
        return time.perf_counter() - began


def measure(bench: Bench, repeats: int) -> dict[str, list[float]]:
    inside = {"model": 0.0}
    for name in ("encode", "forward"):
        _clocked(bench.model, name, inside)
    inputs = bench.process()
    bench.mmplat()
    arms: dict[str, list[float]] = {"mmplat": [], "bare": [], "bare+in": [], "bookkeeping share": []}
    for _ in range(repeats):
        inside["model"] = 0.0
        arms["mmplat"].append(bench.mmplat())
        arms["bookkeeping share"].append(1 - inside["model"] / arms["mmplat"][-1])
        arms["bare"].append(bench.bare(inputs))
        arms["bare+in"].append(arms["bare"][-1] + bench.processed())
    return arms


def _clocked(model: Any, name: str, inside: dict[str, float]) -> None:
    """Adds up the seconds that a method of the model takes; what is left is the engine's own bookkeeping."""
    method = getattr(model, name)

    def timed(*args: Any) -> Any:
        began = time.perf_counter()
        result = method(*args)
        _synchronise()
        inside["model"] += time.perf_counter() - began
        return result

    setattr(model, name, timed)


def _plain(folder: Path, name: str) -> Any:
    return np.asarray(Image.open(folder / "images" / name).convert("RGB"))


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_gb() -> float:
    """Of the device where there is one, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="100m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16, help="rows of a bare forward")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        millions = make_checkpoint(place / "model", SHAPES[options.shape], options.dtype)
        gc.collect()
        spec = bind("bench", {"path": str(place / "model"), "dtype": options.dtype})
        model = families.get(spec.family).load(spec)
        samples = make_samples(place / "suite", options.samples)
        arms = measure(Bench(model, place / "suite", samples, options.batch), options.repeats)
    median = {name: statistics.median(values) for name, values in arms.items()}
    rows = options.samples * len(VIEWS)
    print(
        f"{millions:.0f} M parameters, {options.dtype}, {options.samples} samples × {len(VIEWS)} views, {model.hardware}"
    )
    for name in ("mmplat", "bare", "bare+in"):
        low, high = min(arms[name]), max(arms[name])
        print(
            f"{name:<10}{median[name]:9.2f} s   ({low:.2f}–{high:.2f}, {options.repeats} runs)  {rows / median[name]:.1f} rows/s"
        )
    print(f"mmplat ÷ bare       {median['mmplat'] / median['bare']:6.2f} ×")
    print(f"mmplat ÷ bare+in    {median['mmplat'] / median['bare+in']:6.2f} ×")
    print(f"bookkeeping         {median['bookkeeping share']:6.1%} of mmplat")
    print(f"peak memory         {peak_gb():6.2f} GB")
    if options.json:
        options.json.write_text(json.dumps({"parameters_m": millions, "rows": rows, "seconds": arms}, indent=1))


if __name__ == "__main__":
    main()
