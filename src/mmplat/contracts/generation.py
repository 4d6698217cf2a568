"""Against transformers itself: the same prompt, the same logits, the same words as `generate()`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mmplat.asking.stepper import Speaker, Spoken, speak
from mmplat.asking.suite_job import NEAR_TIE
from mmplat.contracts.base import STEPS, Contract, Subject, Verdict, both, catalog
from mmplat.decoding import parse_decoding
from mmplat.methods import bind as bind_method
from mmplat.models import Ask
from mmplat.views import catalog as view_kinds


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
    verdicts = []
    for kind, value in (("zero", 0.0), ("one", 1.0)):
        constant = torch.full_like(pixels, value)
        # Idefics3's network takes a picture of exact zeros for padding, and has then none: one number is the smallest.
        constant[..., 0] += torch.finfo(pixels.dtype).tiny
        theirs = subject.theirs(subject.ask(), pixel_values=constant)
        verdicts.append(subject.close(subject.logits(subject.ask(kind)), theirs))
    return both(*verdicts)


def greedy_is_generate(subject: Subject) -> Verdict:
    """Stepping a batch from its cache says what `generate()` says to each prompt alone."""
    asks = [subject.ask(number=number) for number in range(3)]
    if "none" in subject.kinds:
        asks.append(subject.ask("none", 1))
    ours, compared = _spoken(subject, "naive", [asks]), 0
    for row, ask in enumerate(asks):
        theirs = generated(subject, ask)
        compared += len(theirs)
        at = _parting(ours[row], theirs, subject.model.dtype)
        if at is not None:
            return Verdict(False, f"prompt {row}, view {ask.view.name}: token {at} of {len(theirs)} is another")
    return Verdict(True, f"{len(asks)} prompts, {compared} tokens")


def _parting(ours: Spoken, theirs: list[int], dtype: str) -> int | None:
    """Where two answers part; None: nowhere, or at a tie that another order of adding may break in half precision."""
    parting = (i for i, (a, b) in enumerate(zip(ours.tokens, theirs, strict=False)) if a != b)
    at = next(parting, None)
    if at is not None and dtype != "float32" and ours.margins[at] < NEAR_TIE[dtype]:
        return None
    return at


def contrast_is_a_logits_processor(subject: Subject) -> Verdict:
    """A contrast with a black picture, stepped from two caches, is what a LogitsProcessor does in `generate()`."""
    black = tuple(picture * 0 for picture in subject.pictures)
    asks = [[subject.ask(kind, number) for number in range(2)] for kind in ("image", "black")]
    ours = [spoken.tokens for spoken in _spoken(subject, "vdd-none", asks)]
    compared = 0
    for number in range(2):
        poorer = subject.ask(number=number, pictures=(black[number],))
        theirs = generated(subject, asks[0][number], [_Contrast(subject, poorer, asks[0][number])])
        compared += len(theirs)
        if ours[number][: len(theirs)] != theirs:
            return Verdict(False, f"prompt {number}: {ours[number][: len(theirs)]} where generate() says {theirs}")
    return Verdict(True, f"2 prompts, {compared} tokens")


def forked_is_alone(subject: Subject) -> Verdict:
    """Rows that go several ways from the prompts they share say what each of them says with a cache of its own."""
    inside = [kind for kind in subject.kinds if view_kinds.get(kind).place == "inside"]
    return both(*(_forked(subject, kind) for kind in ("image", *inside)))


def _forked(subject: Subject, kind: str) -> Verdict:
    """Five ways from two of three prompts; three of them go on, in another order, by two tokens at once."""
    import torch

    model = subject.model
    prompts = model.encode([subject.ask(kind, number) for number in range(3)][: model.batch_limit])
    last = len(prompts) - 1
    origin, going = torch.tensor([0, 0, 0, last, last]), torch.tensor([4, 0, 2])
    tokens = torch.arange(10, 25, device=model.device).view(5, 3)
    stream = model.prefill(prompts)
    stream.select(origin.to(model.device))
    model.advance(stream, tokens[:, :1])
    stream.select(going.to(model.device))
    together = model.advance(stream, tokens[going, 1:])
    verdicts = []
    for row, way in enumerate(going.tolist()):
        alone = model.prefill([prompts[int(origin[way])]])
        for at in range(3):
            said = model.advance(alone, tokens[way : way + 1, at : at + 1])
        verdicts.append(subject.close(together[row, -1], said[0, -1]))
    return both(*verdicts)


def _spoken(subject: Subject, method: str, asks: list[list[Ask]]) -> list[Spoken]:
    """Greedy answers of one method; its views are those of `asks`, whatever it would ask for itself."""
    combine = bind_method(method).combine
    assert combine is not None
    speaker = Speaker(tuple(range(len(asks))), combine, parse_decoding("greedy"))
    limit = subject.model.batch_limit or len(asks[0])
    rounds = [[row[at : at + limit] for row in asks] for at in range(0, len(asks[0]), limit)]
    return [one for some in rounds for one in speak(subject.model, some, [speaker], STEPS)[0]]


class _Contrast:
    """VDD as the papers' code runs it: the reference prompt is run anew at each step, from its first token."""

    def __init__(self, subject: Subject, poorer: Ask, main: Ask) -> None:
        self.subject, self.poorer = subject, poorer
        self.prompt = subject.model.reference_inputs(main)["input_ids"].shape[1]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        said = tuple(input_ids[0, self.prompt :].tolist())
        inputs = self.subject.model.reference_inputs(self.poorer, followed_by=said)
        reference = self.subject.model.network(**inputs).logits[:, -1].float()
        low = scores < scores.max() + math.log(0.1)
        return (2 * scores - reference).masked_fill(low, -math.inf)


def generated(subject: Subject, ask: Ask, processors: Sequence[Any] = ()) -> list[int]:
    """Greedy answer by transformers, up to its stop token; the checkpoint's own sampling settings are left out."""
    from transformers import GenerationConfig

    plain = GenerationConfig(max_new_tokens=STEPS, do_sample=False, pad_token_id=0, bos_token_id=1)
    inputs = subject.model.reference_inputs(ask)
    out: Any = subject.model.network.generate(**inputs, generation_config=plain, logits_processor=list(processors))
    return list(out[0, inputs["input_ids"].shape[1] :].tolist())


catalog.add("ids", Contract("ids", "the prompt's tokens are the processor's", same_ids))
catalog.add("logits", Contract("logits", "a batch says what transformers says to each prompt alone", same_logits))
catalog.add("pixels", Contract("pixels", "zero and one act in normalised pixel space", constant_pixels))
catalog.add("generate", Contract("generate", f"greedy stepping = generate(), {STEPS} tokens", greedy_is_generate))
catalog.add(
    "contrast",
    Contract("contrast", "a stepped contrast = a LogitsProcessor", contrast_is_a_logits_processor),
)
catalog.add("forks", Contract("forks", "ways from one prompt, together = alone", forked_is_alone))
