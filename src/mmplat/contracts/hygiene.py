"""Nothing leaks: not between rows of a batch, not between streams, not into the process."""

from __future__ import annotations

from typing import Any

from mmplat.contracts.base import Contract, Subject, Verdict, catalog


def batch_is_single(subject: Subject) -> Verdict:
    """A row of a batch of unequal lengths says what it says alone."""
    import torch

    kinds = [kind for kind in ("image", "none", "noise") if kind in subject.kinds]
    asks = [subject.ask(kind, number) for number in range(3) for kind in kinds]
    encoded = subject.model.encode(asks)
    alone = torch.cat([subject.model.forward([one]) for one in encoded])
    if subject.model.batch_limit == 1:
        return Verdict(None, "not pad-safe, or in reference mode: rows are asked one by one")
    verdict = subject.close(subject.model.forward(encoded), alone)
    lengths = sorted({one.length for one in encoded})
    return Verdict(verdict.holds, f"{len(asks)} rows of {lengths[0]}–{lengths[-1]} tokens: {verdict.said}")


def order_does_not_matter(subject: Subject) -> Verdict:
    """A random view depends on its sample and seed alone, never on who was asked before."""
    if "noise" not in subject.kinds:
        return Verdict(None, str(subject.model.unavailable("noise")))
    asks = [subject.ask("noise", number) for number in range(3)]
    forwards, backwards = subject.logits(*asks), subject.logits(*asks[::-1]).flip(0)
    return subject.close(forwards, backwards)


def no_state_left(subject: Subject) -> Verdict:
    """A second stream between two equal questions changes nothing, and the network is as it was."""
    first, second = subject.ask(number=0), subject.ask(number=1)
    before = _state(subject.model.network)
    said = subject.logits(first)
    stream = subject.model.prefill(subject.model.encode([second]))
    subject.model.advance(stream, stream.logits.argmax(dim=-1, keepdim=True))
    again = subject.logits(first)
    changed = sorted(name for name, value in _state(subject.model.network).items() if before.get(name) != value)
    if changed:
        return Verdict(False, f"the network keeps {', '.join(changed)}")
    return Verdict(bool((said == again).all()), "bit by bit, before and after another stream")


def _state(network: Any) -> dict[str, str]:
    """Plain attributes of every module: what a stream could leave behind."""
    found = {}
    for name, module in network.named_modules():
        for key, value in vars(module).items():
            if not key.startswith("_") and key != "training":
                found[f"{name}.{key}"] = (
                    f"{id(value)} {value!r}" if isinstance(value, (int, float, str)) else repr(id(value))
                )
    return found


def process_unchanged(subject: Subject) -> Verdict:
    """transformers is as it was: a patched class would debias every other model of the process in silence."""
    import transformers

    classes = (transformers.GenerationMixin, type(subject.model.network), transformers.PreTrainedModel)
    before = [dict(vars(one)) for one in classes]
    subject.logits(*(subject.ask(kind) for kind in subject.kinds))
    same = all(was == dict(vars(one)) for was, one in zip(before, classes, strict=True))
    return Verdict(same, f"{len(classes)} classes")


for _name, _summary, _check in (
    ("batch", "batch 1 = batch N", batch_is_single),
    ("order", "random views depend on sample and seed alone", order_does_not_matter),
    ("state", "a second stream leaves no state", no_state_left),
    ("process", "transformers is not patched", process_unchanged),
):
    catalog.add(_name, Contract(_name, _summary, _check))
