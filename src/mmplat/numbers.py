"""Numbers as people write them into files: strict types for fields, and names that tell two numbers apart.

Pydantic takes `true` for 1 and "3" for 3 unless a field is strict. A number that is read otherwise than it was meant runs, and
its results carry a name that says nothing of it, so what is no number where one is needed is refused.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

LARGEST_WHOLE = 2**63 - 1
"""What tables and databases hold of a whole number."""


def _a_parameter(value: Any) -> Any:
    """Called before a union of numbers and text, which would make 1.0 of `true`."""
    refused = not_a_parameter(value)
    if not isinstance(value, (int, float, str)):
        refused = "a number or a word is needed"
    if refused:
        raise ValueError(refused)
    return value


def not_a_parameter(value: Any) -> str | None:
    """What is wrong with a value where a number or a word belongs; None: nothing."""
    if isinstance(value, bool):
        return f"{str(value).lower()} is no number and no word: write 1 or 0 where a number is meant, or put the word in quotes"
    return not_representable(value)


def not_representable(value: Any) -> str | None:
    """What is wrong with a number that no table holds; None: nothing, or it is no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return "a number must be finite (at most 1.8e308)"
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        return "a whole number must fit into 64 bits (at most 9.2e18); put it in quotes if it is a name"
    return None


Whole = Annotated[int, Field(strict=True)]
"""A whole number: neither `true`, nor 3.0, nor "3"."""
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number, whole ones included: neither `true` nor "0.7"."""
Parameter = Annotated[float | int | str, BeforeValidator(_a_parameter)]
"""A parameter of an extension, which checks its range itself."""


def shortest(value: float) -> str:
    """A number as names show it: six digits where they say it exactly, else as many as it takes."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
