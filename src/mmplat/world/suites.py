"""The suites of the world, each as an endless stream of items in which every prefix is balanced.

An item's generator is seeded by (suite, seed, index) alone, so a longer run starts with the items of a shorter one and
no training picture can ever be a test picture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np

from mmplat.errors import UnknownName
from mmplat.spurious import CORE, NEUTRAL, SPURIOUS
from mmplat.world import drawing, questions
from mmplat.world.facts import FACTS, Fact
from mmplat.world.items import LETTERS, YES_NO, WorldItem
from mmplat.world.scenes import ObjectScene, absent_nouns, in_theme, sample_objects, sample_spurious, with_attribute
from mmplat.world.vocabulary import NAMES, NOUNS, PEOPLE, POPULARITY, TOPICS, TYPES, VALUES, is_frequent

SPLITS = ("random", "popular", "adversarial")
OBJECTS, _SPURIOUS, _FACTS, _BOTH = 1, 2, 3, 4  # first word of every seed sequence; training uses other numbers
_FREQUENT_ASKED_RATIO = 0.25  # people ask less often whether the obvious thing is there


def generate(suite: str, *, n: int, seed: int, **settings: Any) -> Iterator[WorldItem]:
    """The first `n` items of a suite; equal arguments give equal items."""
    if suite not in _STREAMS:
        raise UnknownName("world suite", suite, _STREAMS)
    return islice(_STREAMS[suite](seed, **settings), n)


def _object_items(seed: int) -> Iterator[WorldItem]:
    """Six questions per picture: in each split one about a present object and one about an absent one."""
    for index in count():
        rng = np.random.default_rng([OBJECTS, seed, index])
        scene = sample_objects(rng)
        image = drawing.develop(drawing.draw_objects(scene), drawing.OBJECT_NOISE, rng)
        present = dict(zip(SPLITS, _present_choices(scene, rng), strict=True))
        absent = {split: _absent_choice(scene, split, rng) for split in SPLITS}
        for position in range(2 * len(SPLITS)):
            split, gold = SPLITS[position % len(SPLITS)], YES_NO[position % 2]
            noun = present[split] if gold == "yes" else absent[split]
            yield WorldItem(
                sample_id=f"objects-{seed}-{index}-{position}",
                image=image,
                image_id=f"objects-{seed}-{index}",
                question=questions.presence(NOUNS[noun]),
                options=(),
                labels=YES_NO,
                gold=gold,
                groups={"split": split},
            )


def _present_choices(scene: ObjectScene, rng: np.random.Generator) -> list[int]:
    """One present noun per split, without repeats while there are enough of them; rare nouns come first more often."""
    nouns = list(scene.present)
    weight = np.array([_FREQUENT_ASKED_RATIO if is_frequent(noun) else 1.0 for noun in nouns])
    order = rng.choice(len(nouns), size=len(nouns), replace=False, p=weight / weight.sum())
    ranked = [nouns[int(i)] for i in order]
    chosen = [ranked[i % len(ranked)] for i in range(len(SPLITS))]
    return [chosen[int(i)] for i in rng.permutation(len(SPLITS))]


def _absent_choice(scene: ObjectScene, split: str, rng: np.random.Generator) -> int:
    """Random: any absent noun. Popular: a frequent one. Adversarial: a frequent one of the scene's own theme."""
    absent = absent_nouns(scene)
    if split == "random":
        return absent[int(rng.integers(len(absent)))]
    if split == "adversarial":
        absent = [noun for noun in absent if in_theme(scene, noun)] or absent
    absent = [noun for noun in absent if is_frequent(noun)] or absent
    weight = POPULARITY[absent]
    return absent[int(rng.choice(len(absent), p=weight / weight.sum()))]


def _spurious_items(seed: int, rho: float | None = None) -> Iterator[WorldItem]:
    """Triplets (aligned, neutral, anti) that differ in one attribute of one scene, type after type.

    With `rho`, one item per scene instead, whose attribute goes along with the class that often: as a world of that strength
    shows it.
    """
    for index in count():
        rng = np.random.default_rng([_SPURIOUS, seed, index])
        kind, klass, letter = index % len(TYPES), int(rng.integers(VALUES)), index % VALUES
        scene = sample_spurious(rng, kind=kind, klass=klass, rho=rho or 0.0)
        others = [value for value in range(VALUES) if value != klass]
        values = {
            "aligned": klass,
            "neutral": int(rng.integers(VALUES)),
            "anti": others[int(rng.integers(len(others)))],
        }
        if rho is not None:
            shown = scene.attributes[kind]
            values = {"aligned" if shown == klass else "anti": shown}
        options = _options(NAMES[TYPES[kind]], klass, letter, rng)
        for mode, value in values.items():
            canvas = drawing.draw_spurious(with_attribute(scene, kind, value))
            yield WorldItem(
                sample_id=f"spurious-{seed}-{index}-{mode}",
                image=drawing.develop(canvas, drawing.SPURIOUS_NOISE, rng),
                image_id=f"spurious-{seed}-{index}-{mode}",
                question=questions.which_name(options),
                options=options,
                labels=LETTERS,
                gold=LETTERS[letter],
                groups={"type": TYPES[kind], "mode": mode},
                roles=_roles(options, NAMES[TYPES[kind]], klass, value),
            )


def _roles(options: tuple[str, ...], names: tuple[str, ...], klass: int, shown: int) -> tuple[str, ...]:
    """The name of the class is core; that of the class which the attribute goes along with is spurious."""
    role = {names[shown]: SPURIOUS, names[klass]: CORE}
    return tuple(role.get(option, NEUTRAL) for option in options)


def _name_items(seed: int) -> Iterator[WorldItem]:
    """Pictures whose attribute speaks against the class, and the names as words: how likely is each, given the picture?"""
    for item in _spurious_items(seed):
        if item.groups["mode"] == "anti":
            gold = item.options[item.labels.index(item.gold)]
            question = questions.which_name(item.options, form=questions.BY_WORD)
            yield replace(item, question=question, labels=item.options, gold=gold)


def _fact_items(seed: int, people: Collection[str] = PEOPLE) -> Iterator[WorldItem]:
    """Facts in turn, as a claim and as a choice; the picture is a scene that has nothing to do with them.

    With some of the `people` alone, no other fact is asked: what is tuned on facts of some is tested on those of others.
    """
    topics = list(TOPICS)
    for index in count():
        rng = np.random.default_rng([_FACTS, seed, index])
        topic = topics[index % len(topics)]
        about = [fact for fact in FACTS if fact.topic == topic and fact.person in people]
        fact = about[int(rng.integers(len(about)))]
        turn = index // len(topics)
        scene = sample_objects(rng)
        image = drawing.develop(drawing.draw_objects(scene), drawing.OBJECT_NOISE, rng)
        as_item = _fact_claim if turn % 2 == 0 else _fact_choice
        question, options, labels, gold = as_item(fact, turn // 2 + index % len(topics), rng)
        yield WorldItem(
            sample_id=f"facts-{seed}-{index}",
            image=image,
            image_id=f"facts-{seed}-{index}",
            question=question,
            options=options,
            labels=labels,
            gold=gold,
            groups={"topic": topic, "form": "yes-no" if labels == YES_NO else "choice"},
        )


def _choice_items(seed: int) -> Iterator[WorldItem]:
    """Which of four things is there? It takes both: only the picture says what is there, and only the text what A to D are."""
    for index in count():
        rng = np.random.default_rng([_BOTH, seed, index])
        scene = sample_objects(rng)
        letter = index % len(LETTERS)
        offered = (int(rng.choice(scene.present)), *absent_nouns(scene))
        options = _options(tuple(NOUNS[noun] for noun in offered), 0, letter, rng)
        yield WorldItem(
            sample_id=f"both-{seed}-{index}",
            image=drawing.develop(drawing.draw_objects(scene), drawing.OBJECT_NOISE, rng),
            image_id=f"both-{seed}-{index}",
            question=questions.which_object(options),
            options=options,
            labels=LETTERS,
            gold=LETTERS[letter],
        )


_Asked = tuple[str, tuple[str, ...], tuple[str, ...], str]


def _fact_claim(fact: Fact, turn: int, rng: np.random.Generator) -> _Asked:
    """Right and wrong claims by turns."""
    values = TOPICS[fact.topic]
    value = fact.value if turn % 2 == 0 else (fact.value + 1 + int(rng.integers(len(values) - 1))) % len(values)
    return questions.fact_yes_no(fact, values[value]), (), YES_NO, YES_NO[turn % 2]


def _fact_choice(fact: Fact, turn: int, rng: np.random.Generator) -> _Asked:
    letter = turn % len(LETTERS)
    options = _options(TOPICS[fact.topic], fact.value, letter, rng)
    return questions.fact_choice(fact, options), options, LETTERS, LETTERS[letter]


def _options(words: tuple[str, ...], right: int, letter: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Three wrong words in random order, with the right one put at `letter`."""
    wrong = [word for index, word in enumerate(words) if index != right]
    options = [wrong[int(i)] for i in rng.permutation(len(wrong))[: len(LETTERS) - 1]]
    options.insert(letter, words[right])
    return tuple(options)


_STREAMS: dict[str, Callable[..., Iterator[WorldItem]]] = {
    "world-objects": _object_items,
    "world-spurious": _spurious_items,
    "world-spurious-names": _name_items,
    "world-facts": _fact_items,
    "world-both": _choice_items,
}
SUITES: tuple[str, ...] = tuple(_STREAMS)
