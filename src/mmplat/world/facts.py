"""Closed-book facts: who lives where, eats what, plays what. They are the same in every seed of the world."""

from __future__ import annotations

from dataclasses import dataclass

from mmplat.world.vocabulary import PEOPLE, TOPICS


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact; `value` indexes the values of its topic."""

    index: int
    person: str
    topic: str
    value: int

    @property
    def answer(self) -> str:
        return TOPICS[self.topic][self.value]


def _value(person: int, topic: int) -> int:
    # Two people share each value, and knowing one topic of a person tells nothing about the others.
    return (person * (2 * topic + 3) + 5 * topic + person // 8) % 8


FACTS: tuple[Fact, ...] = tuple(
    Fact(topic_index * len(PEOPLE) + person_index, person, topic, _value(person_index, topic_index))
    for topic_index, topic in enumerate(TOPICS)
    for person_index, person in enumerate(PEOPLE)
)
