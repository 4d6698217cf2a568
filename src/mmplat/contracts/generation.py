"""Against transformers itself: the same prompt, the same logits, the same words as `generate()`."""

from __future__ import annotations

from typing import Any

from mmplat.contracts.base import STEPS, Contract, Subject, Verdict, both, catalog
from mmplat.models import Ask


def same_ids(subject: Subject) -> Verdict:
    """The prompt that the adapter builds by itself is the one that the processor builds."""
    for number in range(3):
        ask = subject.ask(number=number)
        ours = subject.model.encode([ask])[0].ids
        theirs = tuple(subject.model.reference_inputs(ask)["input_ids"][0].tolist())
        if ours != theirs:
            at = next(
                (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
            )
            return Verdict(False, f"{len(ours)} tokens where the processor makes {len(theirs)}; they part at {at}")
    return Verdict(True, "3 prompts, token by token")


def same_logits(subject: Subject) -> Verdict:
    """A batch under the image view says what the network says to the processor's own output, one by one."""
    asks = [subject.ask(number=number) for number in range(3)]
    ours = subject.logits(*asks)
    return both(*(subject.close(ours[row], subject.theirs(ask)[0]) for row, ask in enumerate(asks)))


def constant_pixels(subject: Subject) -> Verdict:
    """zero and one are constant in the processor's normalised pixel space."""
    import torch

    pixels = subject.model.reference_inputs(subject.ask())["pixel_values"]
    # The smallest number in place of zero: Idefics3's network takes a picture of exact zeros for padding, and has then none.
    tiny = torch.finfo(pixels.dtype).tiny
    verdicts = []
    for kind, value in (("zero", tiny), ("one", 1.0)):
        theirs = subject.theirs(subject.ask(), pixel_values=torch.full_like(pixels, value))
        verdicts.append(subject.close(subject.logits(subject.ask(kind)), theirs))
    return both(*verdicts)


def greedy_is_generate(subject: Subject) -> Verdict:
    """Stepping a batch from its cache says what `generate()` says to each prompt alone."""
    asks = [subject.ask(number=number) for number in range(3)]
    if "none" in subject.kinds:
        asks.append(subject.ask("none", 1))
    ours, compared = stepped(subject, asks), 0
    for row, ask in enumerate(asks):
        theirs = generated(subject, ask)
        compared += len(theirs)
        if ours[row][: len(theirs)] != theirs:
            at = next(i for i, (a, b) in enumerate(zip(ours[row], theirs, strict=False)) if a != b)
            return Verdict(False, f"prompt {row}, view {ask.view.name}: token {at} of {len(theirs)} is another")
    return Verdict(True, f"{len(asks)} prompts, {compared} tokens")


def stepped(subject: Subject, asks: list[Ask]) -> list[list[int]]:
    """Greedy answers by the adapter's own cache."""
    import torch

    encoded = subject.model.encode(asks)
    limit = subject.model.batch_limit or len(asks)
    said: list[list[int]] = []
    for start in range(0, len(asks), limit):
        stream = subject.model.prefill(encoded[start : start + limit])
        tokens = [stream.logits.argmax(dim=-1, keepdim=True)]
        for _ in range(STEPS - 1):
            tokens.append(subject.model.advance(stream, tokens[-1])[:, -1].argmax(dim=-1, keepdim=True))
        said += torch.cat(tokens, dim=1).tolist()
    return said


def generated(subject: Subject, ask: Ask) -> list[int]:
    """Greedy answer by transformers, up to its stop token; the checkpoint's own sampling settings are left out."""
    from transformers import GenerationConfig

    plain = GenerationConfig(max_new_tokens=STEPS, do_sample=False, pad_token_id=0, bos_token_id=1)
    inputs = subject.model.reference_inputs(ask)
    out: Any = subject.model.network.generate(**inputs, generation_config=plain)
    return list(out[0, inputs["input_ids"].shape[1] :].tolist())


catalog.add("ids", Contract("ids", "the prompt's tokens are the processor's", same_ids))
catalog.add("logits", Contract("logits", "a batch says what transformers says to each prompt alone", same_logits))
catalog.add("pixels", Contract("pixels", "zero and one act in normalised pixel space", constant_pixels))
catalog.add("generate", Contract("generate", f"greedy stepping = generate(), {STEPS} tokens", greedy_is_generate))
