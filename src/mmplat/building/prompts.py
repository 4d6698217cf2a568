"""What the writer and the checker are asked. The words are ours; each prompt has a version, which belongs to every word of it.

Raise the version with every change: what was asked by other words is another stage's outcome, and is asked anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmplat.building.taxonomy import MEANINGS
from mmplat.records import Prompt


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with places for what differs between images."""

    name: str
    version: int
    system: str
    text: str

    @property
    def said(self) -> dict[str, str | int]:
        return {"prompt": self.name, "version": self.version}

    def about(self, image: Path | None, **said: str) -> Prompt:
        """The prompt about one image, which is shown where it is given."""
        return Prompt(self.text.format(**said), self.system, image)


_TYPES = "\n".join(f"- {name}: {meaning}" for name, meaning in MEANINGS.items())

DESCRIBE = Template(
    "describe",
    1,
    "You describe what is seen in pictures, exactly and in few words. You reply with JSON alone.",
    f"""The main object in this picture is: {{label}}. An image classifier took it for: {{predicted}}.

List what is seen in this picture in two groups.
"core": attributes of the object itself that make it a {{label}} wherever it is found. At least one, at most five.
"spurious": attributes of this picture that do not make anything a {{label}} and could explain why it was taken for
{{predicted}}. At least three, at most nine, the best explanation first.

Each attribute is a short phrase (at most ten words) about what is really seen here, and names neither {{label}} nor {{predicted}}.
Each has one of these nine types, spelled exactly so:
{_TYPES}

Reply with one JSON object and nothing else:
{{{{"core": [{{{{"type": "...", "phrase": "..."}}}}], "spurious": [{{{{"type": "...", "phrase": "..."}}}}, ...]}}}}""",
)

WRITE = Template(
    "write",
    1,
    "You write multiple-choice questions about pictures. You reply with JSON alone.",
    """A picture shows: {label}. It was mistaken for: {predicted}. You do not see the picture; this is known of it:

What makes the object what it is: {core}
What misled ({type_1}): {spurious_1}
What misled ({type_2}): {spurious_2}
What misled ({type_3}): {spurious_3}

Write one question about which feature best tells what the main object is, with four options: one is built on what makes the
object what it is, and is the only right answer; three are built on what misled, in the order above, and are true of the picture
but do not tell what the object is. All four are phrases of about the same length and style. Neither the question nor an option
names {label} or {predicted}, in any form.

Reply with one JSON object and nothing else:
{{"question": "...", "core": "...", "spurious": ["...", "...", "..."]}}""",
)

CHECK = Template(
    "check",
    1,
    "You check multiple-choice questions about pictures. You are strict. You reply with JSON alone.",
    """The main object in this picture is: {label}.

Question: {question}
{options}

An option is a right answer if it names a feature that the object itself has in this picture and that helps to tell that it is
a {label} wherever it is found. What merely surrounds the object, or is true of this picture alone, is no right answer.
List the letters of all options that are right answers; there may be none, one or several.

Reply with one JSON object and nothing else:
{{"right": ["..."]}}""",
)


def lettered(options: Sequence[str]) -> str:
    return "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True))
