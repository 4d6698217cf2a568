"""Why a method cannot run on a model and a suite, or would say nothing new: known before anything is asked."""

from __future__ import annotations

from mmplat.conditions import catalog as conditions
from mmplat.grid import Grid
from mmplat.methods import Method
from mmplat.methods.base import WATCHED
from mmplat.models import families
from mmplat.records import ModelSpec, SuiteSpec
from mmplat.suites import catalog as suites
from mmplat.views import catalog as view_kinds


def why_not(method: Method, seed: int, suite: SuiteSpec, model: ModelSpec, grid: Grid) -> str | None:
    """Why a method cannot run on this pair, or would repeat what another cell says."""
    first, unavailable = grid.seeds[0], families.get(model.family).unavailable
    if suite.answers == "text" and families.get(model.family).weightless:
        return f"models of family {model.family!r} write no answers here: use `answers: labels`"
    if suites.get(suite.kind).rubric and suite.name not in grid.judges:
        return "a judge scores its answers, and the grid names none: give the suite's entry a `judge` (docs/judging.md)"
    if suite.answers == "text" and method.combine is None:
        return "the method works on labels, so it has nothing to say about answers in words"
    if suite.answers == "labels" and method.written_only:
        return f"{method.written_only}: give the suite `answers: text`"
    if method.search is not None and (reason := unavailable(WATCHED)):
        return f"it chooses by attention, which cannot be read: {reason}"
    chosen = suite.answers == "text" and method.search is None
    drawn = chosen and any(not decoding.greedy for decoding in grid.decodings)
    if seed != first and not method.stochastic and not drawn:
        return f"no random view, so seed {seed} would repeat seed {first}"
    if method.references and not has_images(suite) and not _asks_otherwise(method):
        return "the suite has no images, so every reference view equals the sample itself"
    if suites.get(suite.kind).phrases and (reason := _no_phrases(method, model)):
        return reason
    if method.binary and suites.get(suite.kind).positive is None:
        return "the suite is no yes/no question, so it has no yes-ratio"
    if method.choices and (reason := _no_choices(suite)):
        return reason
    if method.cued and not _has_cues(suite):
        return "nothing was put into its questions, so there is no cue to contrast with (docs/misleading.md)"
    for view in method.views:
        reason = unavailable(view.kind)
        if reason:
            return f"view {view.name!r} is not available: {reason}"
    return None


def _asks_otherwise(method: Method) -> bool:
    """One of its views puts the question in other words, which means something without a picture too."""
    return any(view_kinds.get(view.kind).place == "question" for view in method.views)


def _no_choices(suite: SuiteSpec) -> str | None:
    """Why options cannot change places; None: every question lists some."""
    kind = suites.get(suite.kind)
    if kind.positive is not None:
        return "the suite asks yes/no questions: they list no options that could change places"
    if kind.mixed or kind.phrases:
        return "not every question of the suite lists options that could change places"
    return None


def _has_cues(suite: SuiteSpec) -> bool:
    return suite.condition is not None and conditions.get(suite.condition.kind).changes == "instruction"


def has_images(suite: SuiteSpec) -> bool:
    """A condition may put a picture beside questions that have none, or take it away."""
    images = None if suite.condition is None else conditions.get(suite.condition.kind).images
    return suites.get(suite.kind).images if images is None else images


def _no_phrases(method: Method, model: ModelSpec) -> str | None:
    """Phrases are no choice: how likely they are as they stand is all that is asked."""
    if method.main is not None or len(method.views) > 1:
        return "the suite asks how likely phrases are as they stand: there is nothing to choose better"
    return families.get(model.family).no_phrases
