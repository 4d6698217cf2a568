"""Views inside the network: at strength 0 they are the image, they go on with their stream, and they leave nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmplat.contracts.base import STEPS, Contract, Subject, Verdict, both, catalog
from mmplat.errors import IncompatibleCell
from mmplat.views import catalog as view_kinds
from mmplat.views.base import Value

NOTHING: Mapping[str, Mapping[str, Value]] = {
    "raised": {"strength": 0},
    "least-attended": {"keep": 1},
    "blind": {"spread": -100.0},
    "premature": {"layers": "last"},
}
"""Parameters under which a view inside the network changes nothing."""
KINDS = tuple(NOTHING)


def nothing_is_the_image(subject: Subject) -> Verdict:
    """At strength 0 each of them says what the image says, in one batch with it and step by step."""
    verdicts = []
    for kind in _possible(subject):
        asks = [subject.ask(number=number) for number in range(3)]
        idle = [subject.ask(kind, number, params=NOTHING[kind]) for number in range(3)]
        said = subject.logits(*asks, *idle)
        verdicts.append(subject.close(said[3:], said[:3], f"{kind}: largest difference of a logit"))
        verdicts.append(subject.close(_stepped(subject, idle), _stepped(subject, asks), f"{kind}, stepped: difference"))
    return both(*verdicts)


def goes_on(subject: Subject) -> Verdict:
    """A stream keeps its view: tokens fed one by one say what they say fed at once, and not what they say to the image."""
    verdicts, image = [], _stepped(subject, [subject.ask()])
    for kind in _possible(subject):
        ask = subject.ask(kind)
        stepped = _stepped(subject, [ask])
        verdicts.append(subject.close(_at_once(subject, ask), stepped[:, 1:], f"{kind}, {STEPS} tokens: difference"))
        verdicts.append(Verdict(bool((stepped != image)[:, -1].any()), f"{kind} says what the image says"))
    return both(*verdicts, verdicts[-2])


def rows_do_not_mix(subject: Subject) -> Verdict:
    """Prompts under several views in one batch say what each says alone."""
    import torch

    asks = [subject.ask(kind, number) for number in range(2) for kind in ("image", *_possible(subject))]
    alone = torch.cat([subject.logits(ask) for ask in asks])
    return subject.close(subject.logits(*asks), alone)


def nothing_is_left(subject: Subject) -> Verdict:
    """Afterwards the network attends by its usual function, carries no hooks, and says the same, bit by bit."""
    before, said = _machinery(subject.model.network), subject.logits(subject.ask())
    for kind in _possible(subject):
        _stepped(subject, [subject.ask(kind)])
    same = bool((subject.logits(subject.ask()) == said).all())
    return Verdict(same and _machinery(subject.model.network) == before, "attention, hooks and logits as before")


def _possible(subject: Subject) -> list[str]:
    found = [kind for kind in KINDS if kind in subject.kinds]
    if not found:
        raise IncompatibleCell(str(subject.model.unavailable(KINDS[0])))
    return found


def _stepped(subject: Subject, asks: list[Any]) -> Any:
    """Logits of some steps (ask, step, vocab), every prompt fed the same tokens, whatever it would say."""
    import torch

    model, limit = subject.model, subject.model.batch_limit or len(asks)
    parts = []
    for start in range(0, len(asks), limit):
        stream = model.prefill(model.encode(asks[start : start + limit]))
        rows = [stream.logits]
        for step in range(STEPS):
            fed = torch.full((len(rows[0]), 1), 10 + step, device=model.device)
            rows.append(model.advance(stream, fed)[:, -1])
        parts.append(torch.stack(rows, dim=1))
    return torch.cat(parts)


def _at_once(subject: Subject, ask: Any) -> Any:
    """The same, all tokens in one forward (1, step, vocab)."""
    import torch

    stream = subject.model.prefill(subject.model.encode([ask]))
    return subject.model.advance(stream, torch.arange(10, 10 + STEPS, device=subject.model.device)[None])


def _machinery(network: Any) -> list[Any]:
    """How it attends, and how many hooks its modules carry."""
    hooks = [len(module._forward_pre_hooks) + len(module._forward_hooks) for module in network.modules()]
    configs = {id(m.config): m.config for m in network.modules() if hasattr(m, "config")}
    return [hooks, [getattr(config, "_attn_implementation", None) for config in configs.values()]]


assert all(view_kinds.get(kind).place == "inside" for kind in KINDS)
for _name, _summary, _check in (
    ("inside", "views inside the network do nothing at strength 0", nothing_is_the_image),
    ("keeps", "a stream keeps its view inside the network", goes_on),
    ("apart", "views inside the network do not mix in a batch", rows_do_not_mix),
    ("restored", "views inside the network leave nothing behind", nothing_is_left),
):
    catalog.add(_name, Contract(_name, _summary, _check))
