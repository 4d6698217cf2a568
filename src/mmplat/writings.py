"""Answers in words as the plan knows them: how each is written, what is written before a view, and the forwards that it takes.

An answer may end sooner than it is allowed to, and answers that say the same so far are computed once, so what is foreseen here
is what writing takes at most. Only going back to an earlier token (`methods/opera.py`) is not foreseen: nobody knows how often.
"""

from __future__ import annotations

from collections.abc import Iterable

from mmplat.decoding.configs import parse_decoding
from mmplat.methods import Method
from mmplat.methods import bind as bind_method
from mmplat.records import DecodingSpec, SuiteSpec, ViewSpec, Writing
from mmplat.views import catalog as view_kinds

DESCRIBER = "self-description"
"""Who writes what stands before a question: a method like any other, so its texts are stored and resumed as answers are."""


def writing_of(method: Method, seed: int, decoding: DecodingSpec, suite: SuiteSpec) -> Writing | None:
    """How a cell of a suite that is answered in words is written; what no seed changes is written once."""
    if suite.answers == "labels":
        return None
    if method.search is not None:  # whatever the decoding, the same answers
        decoding = parse_decoding("greedy")
    seed = seed if method.stochastic or not decoding.greedy else 0
    return Writing(method=method.spec, decoding=decoding, seed=seed, longest=suite.longest)


def method_of(writing: Writing) -> Method:
    return bind_method(writing.method.kind, writing.method.params, seed=writing.seed)


def written_first(view: ViewSpec) -> Writing | None:
    """What a model writes before a view; None: nothing."""
    make = view_kinds.get(view.kind).preface
    if make is None:
        return None
    preface = make(view.params)
    method = bind_method(DESCRIBER, {"instruction": preface.instruction}).spec
    return Writing(method=method, decoding=parse_decoding("greedy"), seed=0, longest=preface.longest)


def prefaces_of(views: Iterable[ViewSpec]) -> tuple[Writing, ...]:
    """What a model writes before some views, each once."""
    return tuple({one.key: one for one in map(written_first, views) if one is not None}.values())


def forwards_of(writings: Iterable[Writing]) -> int:
    """Rows of forwards that some answers to one sample take at most, each by itself."""
    return sum(method_of(one).forwards(one.longest) for one in writings)


def forwards_for(views: Iterable[ViewSpec], writings: Iterable[Writing] = ()) -> int:
    """Rows of forwards per sample at most: views asked once, answers and what stands before the views written to their longest.

    A description is of images, so questions about one image share it: this counts it for each of them.
    """
    asked, written = {view.asked: view for view in views}, list(writings)
    heard = [view for one in written for view in method_of(one).views]
    reading = sum(view_kinds.get(view.kind).passes for view in asked.values())
    return reading + forwards_of(written) + forwards_of(prefaces_of([*asked.values(), *heard]))
