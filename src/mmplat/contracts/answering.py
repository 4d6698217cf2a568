"""What is read from a model: labels, continuations, attentions, and decisions that must come to nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from mmplat.contracts.base import Contract, Subject, Verdict, both, catalog
from mmplat.errors import IncompatibleCell, ModelError
from mmplat.evidence.rows import Evidence
from mmplat.views import bind as bind_view

LONG = ("a large brown dog", "nothing of the kind")


def spellings(subject: Subject) -> Verdict:
    """Labels are single tokens that say them, or scored as continuations."""
    tokenizer = subject.model.tokenizer
    for labels in (("yes", "no"), ("A", "B", "C", "D")):
        try:
            spelled = subject.model.spellings(labels)
        except IncompatibleCell:
            if not all(subject.model.continuations(labels)):
                return Verdict(False, f"{labels} have no tokens at all")
            continue
        for token, of in zip(spelled.ids, spelled.of, strict=True):
            if tokenizer.decode([token]).strip().lower() != labels[of].lower():
                return Verdict(False, f"token {token} does not say {labels[of]!r}")
    return Verdict(True, "yes/no, A–D")


def continuations(subject: Subject) -> Verdict:
    """A label scored from the shared prefill has the log-probability that a full forward gives it."""
    import torch

    model = subject.model
    encoded = model.encode([subject.ask(number=number) for number in range(2)])
    limit = model.batch_limit or len(encoded)
    ours = torch.cat([model.score(encoded[at : at + limit], LONG) for at in range(0, len(encoded), limit)])
    theirs = torch.zeros_like(ours)
    for row in range(2):
        for column, tokens in enumerate(model.continuations(LONG)):
            theirs[row, column] = _in_full(subject, row, tokens)
    lengths = "/".join(str(len(tokens)) for tokens in model.continuations(LONG))
    return subject.close(ours, theirs, f"{lengths} tokens: largest difference of a log-probability")


def _in_full(subject: Subject, number: int, tokens: tuple[int, ...]) -> Any:
    """Sum of the tokens' log-probabilities, by one forward over the processor's prompt and all of them."""
    import torch

    inputs = subject.model.reference_inputs(subject.ask(number=number), followed_by=tokens)
    with torch.inference_mode():
        logits = subject.model.network(**inputs).logits[0].float().log_softmax(dim=-1)
    said = logits[-len(tokens) - 1 : -1]
    return said.gather(1, torch.tensor(tokens, device=said.device)[:, None]).sum()


def attentions(subject: Subject) -> Verdict:
    """Per layer, the last position's attention over the prompt: a distribution."""
    encoded = subject.model.encode([subject.ask(number=number) for number in range(2)])
    if subject.model.batch_limit:
        encoded = encoded[:1]
    found = subject.model.attend(encoded)
    off = float((found.sum(dim=-1) - 1).abs().max())
    return Verdict(off < 1e-3, f"{found.shape[1]} layers; sums are 1 within {off:.0e}")


def decisions(subject: Subject) -> Verdict:
    """On this model's rows: a contrast with the image itself decides as naive does, under the mask alone."""
    from mmplat.decoding import distribution, parse_decoding
    from mmplat.methods import bind as bind_method

    evidence = _contrasted_with_itself(subject)
    naive, contrast, masked = (bind_method(name).scores(evidence) for name in ("naive", "vdd-none", "apc-only"))
    greedy, sample = parse_decoding("greedy"), parse_decoding("sample")
    off = float(np.abs(distribution(naive, greedy).probs - distribution(contrast, greedy).probs).max())
    moved = float(np.abs(distribution(masked, sample).probs - distribution(contrast, sample).probs).max())
    return both(
        Verdict(off < 1e-6, f"greedy answers differ from naive's by {off:.0e}"),
        Verdict(moved < 1e-6, f"probabilities differ from the mask alone by {moved:.0e}"),
    )


def _contrasted_with_itself(subject: Subject) -> Evidence:
    """Evidence of three samples by the real engine, with the image as its own reference."""
    from mmplat.asking.outcome import Outcome
    from mmplat.asking.suite_job import SuiteJob
    from mmplat.evidence.files import read_evidence
    from mmplat.records import BatchSuite, Demand, SuiteSpec

    views = (bind_view("image"), bind_view("none"))
    asks = [subject.ask(number=number) for number in range(3)]
    samples = [ask.sample for ask in asks]
    part = BatchSuite(suite=SuiteSpec(name="contract", kind="contract", version=1), views=views[:1])
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "images").mkdir()
        for ask in asks:
            Image.fromarray(ask.pictures[0]).save(folder / "images" / ask.sample.images[0])
        job = SuiteJob(subject.model, part, Demand(min_beta=0.1), folder, folder, Outcome(), lambda n: None)
        job.run(samples, np.ones((3, 1), bool))
        if job.outcome.failures:
            raise ModelError(f"The engine could not ask this model: {job.outcome.failures[0]['error']}")
        main = read_evidence(folder, samples, list(views[:1])).main
    reference = replace(main, at_main=np.where(main.top_ids < 0, np.nan, main.top_logits))  # as files pad them
    return Evidence(np.full(3, 2, np.int16), main, {views[0].key: main, views[1].key: reference})


for _name, _summary, _check in (
    ("labels", "label spellings are single tokens, or continuations", spellings),
    ("scores", "continuations from a shared prefill = full forwards", continuations),
    ("attention", "attentions per layer", attentions),
    ("decisions", "a contrast with itself decides as naive does", decisions),
):
    catalog.add(_name, Contract(_name, _summary, _check))
