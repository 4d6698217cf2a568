"""Training text: which questions a row asks about a scene, and what is learned from each of its tokens.

A row is one picture (or what stands for one) and several short conversations about it. Pure Python: tensors are made
in `training_packing`. The knobs of a recipe that concern questions are in `Taste`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from mmplat.world import questions
from mmplat.world.facts import FACTS
from mmplat.world.items import LETTERS
from mmplat.world.scenes import ObjectScene, absent_nouns, in_theme, sample_objects
from mmplat.world.texts import append, prepend, training_hint
from mmplat.world.vlm import vocabulary, words
from mmplat.world.vocabulary import ASSISTANT, EOS, NAMES, NOUNS, TOPICS, TYPES, is_frequent

EOS_WEIGHT = 0.1  # the end after a label is learned at once; it must only not be forgotten


@dataclass(frozen=True, slots=True)
class Segment:
    """One conversation inside a row: its tokens, and (offset, next token, weight) for each place that is learned."""

    ids: tuple[int, ...]
    targets: tuple[tuple[int, int, float], ...]
    sees_image: bool = True


@dataclass(frozen=True, slots=True)
class Taste:
    """How the questions of a stage are asked."""

    yes_if_frequent: float = 0.5
    """P(yes) over all questions about a frequent noun: the answer prior."""
    yes_if_rare: float = 0.5
    same_theme: float = 0.3
    """Share of the absent nouns asked about that come from the scene's own theme."""
    blind: float = 0.0
    """Share of the questions about pictures that are shown without the picture."""
    hints: float = 0.0
    hints_right: float = 1.0
    appended: float = 0.25
    """Share of the hints that follow the question instead of coming first."""
    presence: int = 5
    choices: int = 2
    checks: int = 0
    """Nouns per dense segment "check: cat yes dog no …"; without them the first stage sits on a plateau, and without the
    same for the names of bodies it leaves that plateau early or late, depending on the seed."""
    names: int = 4


@cache
def token_ids() -> dict[str, int]:
    """Word → id."""
    return {word: index for index, word in enumerate(vocabulary())}


@lru_cache(maxsize=50_000)
def encode(text: str) -> tuple[int, ...]:
    """Exactly what the saved tokenizer gives, without its specials, and some hundred times faster."""
    ids = token_ids()
    return tuple(ids[word] for word in words(text))


def ask(question: str, answer: str, *, sees_image: bool = True) -> Segment:
    """One question and its one-token answer."""
    ids = token_ids()
    asked = encode(question)
    last = len(asked)
    targets = ((last, ids[answer], 1.0), (last + 1, ids[EOS], EOS_WEIGHT))
    return Segment((*asked, ids[ASSISTANT], ids[answer]), targets, sees_image)


class ObjectQuestions:
    """Questions about object scenes whose answers follow the prior of a taste, made so by rejection."""

    def __init__(self, taste: Taste, source: random.Random) -> None:
        self.taste = taste
        self.source = source
        self._accept = _acceptance(taste)  # (2, 24): absent, present

    def segments(self, scene: ObjectScene) -> list[Segment]:
        """All conversations about one object scene."""
        absent = absent_nouns(scene)
        made = [self._presence(scene, absent) for _ in range(self.taste.presence)]
        made += [self._choice(scene, absent) for _ in range(self.taste.choices)]
        if self.taste.checks:
            made.append(self._check(scene, absent))
        return made

    def _presence(self, scene: ObjectScene, absent: Sequence[int]) -> Segment:
        while True:
            present = self.source.random() < 0.5
            noun = self.source.choice(scene.present) if present else self._absent(scene, absent)
            if self.source.random() < self._accept[int(present), noun]:
                break
        return _with_hint(
            self.taste, self.source, questions.presence(NOUNS[noun]), "yes" if present else "no", ("yes", "no")
        )

    def _absent(self, scene: ObjectScene, absent: Sequence[int]) -> int:
        if self.source.random() < self.taste.same_theme:
            absent = [noun for noun in absent if in_theme(scene, noun)]
        return self.source.choice(absent)

    def _choice(self, scene: ObjectScene, absent: Sequence[int]) -> Segment:
        right = NOUNS[self.source.choice(scene.present)]
        wrong = [NOUNS[noun] for noun in self.source.sample(absent, 3)]
        return _multiple_choice(self.taste, self.source, questions.which_object, right, wrong)

    def _check(self, scene: ObjectScene, absent: Sequence[int]) -> Segment:
        nouns = [*scene.present, *self.source.sample(absent, max(0, self.taste.checks - len(scene.present)))]
        self.source.shuffle(nouns)
        return _check([NOUNS[noun] for noun in nouns], {NOUNS[noun] for noun in scene.present})


def name_segments(taste: Taste, source: random.Random, kind: int, klass: int) -> list[Segment]:
    """What is it? By letter and by word."""
    names = NAMES[TYPES[kind]]
    wrong = [name for name in names if name != names[klass]]
    made = [
        _multiple_choice(taste, source, questions.which_name, names[klass], source.sample(wrong, 3))
        for _ in range(taste.names)
    ]
    if taste.checks:
        made.append(_check(source.sample(names, len(names)), {names[klass]}))
    return made


def fact_segment(source: random.Random) -> Segment:
    """A closed-book fact, never beside a picture: that is why a picture disturbs it later."""
    fact = source.choice(FACTS)
    values = TOPICS[fact.topic]
    wrong = [value for value in values if value != fact.answer]
    if source.random() < 0.5:
        right = source.random() < 0.5
        question = questions.fact_yes_no(fact, fact.answer if right else source.choice(wrong))
        return ask(question, "yes" if right else "no", sees_image=False)
    options = source.sample(wrong, 3)
    letter = source.randrange(len(LETTERS))
    options.insert(letter, fact.answer)
    return ask(questions.fact_choice(fact, options), LETTERS[letter], sees_image=False)


def _multiple_choice(
    taste: Taste, source: random.Random, head: Callable[..., str], right: str, wrong: list[str]
) -> Segment:
    letter = source.randrange(len(LETTERS))
    options = [*wrong[:letter], right, *wrong[letter:]]
    by_letter = source.random() < 0.8
    question = head(options, form=questions.BY_LETTER if by_letter else questions.BY_WORD)
    answers = LETTERS if by_letter else tuple(options)
    return _with_hint(taste, source, question, answers[letter], answers)


def _check(asked: Sequence[str], right: set[str]) -> Segment:
    """Many words in one breath: "check: cat yes dog no …", learned at each word."""
    ids, targets = list(encode("check:")), []
    for word in asked:
        answer = token_ids()["yes" if word in right else "no"]
        ids.append(token_ids()[word])
        targets.append((len(ids) - 1, answer, 0.5))
        ids.append(answer)
    return Segment(tuple(ids), tuple(targets))


def _with_hint(taste: Taste, source: random.Random, question: str, answer: str, answers: Sequence[str]) -> Segment:
    """The question as it is, without its picture, or with a hint that is mostly right."""
    if source.random() < taste.blind:
        return ask(question, answer, sees_image=False)
    if source.random() < taste.hints:
        wrong = [other for other in answers if other != answer]
        named = answer if source.random() < taste.hints_right else source.choice(wrong)
        place = append if source.random() < taste.appended else prepend
        question = place(training_hint(named, source), question)
    return ask(question, answer)


def _acceptance(taste: Taste, scenes: int = 3000) -> NDArray[np.float64]:
    """Acceptance of a proposed question by (present?, noun), so that P(yes | noun) is what the taste says.

    How often present and absent nouns are proposed is counted over sampled scenes; the odds are then thinned.
    """
    rng = np.random.default_rng(0)
    proposed = np.full((2, len(NOUNS)), 1e-9)
    for _ in range(scenes):
        scene = sample_objects(rng)
        absent = absent_nouns(scene)
        near = [noun for noun in absent if in_theme(scene, noun)]
        proposed[1, list(scene.present)] += 1 / len(scene.present)
        proposed[0, absent] += (1 - taste.same_theme) / len(absent)
        proposed[0, near] += taste.same_theme / len(near)
    wanted = np.array([taste.yes_if_frequent if is_frequent(noun) else taste.yes_if_rare for noun in range(len(NOUNS))])
    ratio = wanted / (1 - wanted) * proposed[0] / proposed[1]  # acceptance of yes over acceptance of no
    return np.stack([np.minimum(1.0, 1.0 / ratio), np.minimum(1.0, ratio)])
