"""Decoding configurations by name: `greedy`, `sample`, or settings joined by dashes such as `t0.7-k50-p0.9`.

There is no hidden default: transformers fills in top_k = 50 when a generation config does not say otherwise; here a filter
that is not named is off.
"""

from __future__ import annotations

import re

import numpy as np

from mmplat.errors import ConfigError
from mmplat.records import DecodingSpec

presets: dict[str, str] = {
    "greedy": "always the likeliest token",
    "sample": "draw from the model's own distribution (temperature 1, no filter)",
    "t0.2": "temperature 0.2, LLaVA's own default",
    "t0.7": "temperature 0.7",
    "p0.9": "nucleus of 0.9 at temperature 1",
    "k5": "the five likeliest tokens at temperature 1",
    "t0.7-p0.9": "temperature 0.7, then a nucleus of 0.9",
    "t0.7-k50-p0.9": "temperature 0.7, then top 50, then a nucleus of 0.9 (a common server default)",
}
SWEEP = (
    "sample",  # the released code's default: temperature 1, no filter
    *(f"t{temperature / 100:g}" for temperature in range(5, 101, 5)),
    *(f"p{top_p / 100:g}" for top_p in range(0, 101, 5)),
    *(f"k{top_k}" for top_k in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
)
sets: dict[str, tuple[str, ...]] = {"llava-align-sweep": SWEEP}
"""Names that stand for several decodings in a grid.

LLaVA-Align's 51 settings leave three in doubt: t1 and p1 filter nothing and are `sample` by another name, p0 is `greedy`.
"""
GRAMMAR = "'greedy', 'sample', or settings joined by dashes: t<temperature>, k<top_k>, p<top_p>, as in 't0.7-k50-p0.9'"
_PART = re.compile(r"(?P<letter>[tkp])(?P<value>[0-9]+(\.[0-9]+)?)")
COLDEST, HOTTEST = 1e-3, 1e3
"""Temperatures between which logits ÷ temperature are neither lost nor infinite in float32, in which answers are written."""
MOST_TOKENS = 2**31 - 1
SMALLEST_SPELLED = 1e-9


def parse_decoding(name: str, *, where: str = "") -> DecodingSpec:
    """The configuration that `name` spells."""
    if name == "greedy":
        return DecodingSpec(name=name, greedy=True)
    if name == "sample":
        return DecodingSpec(name=name)
    found: dict[str, str] = {}
    for part in name.split("-"):
        match = _PART.fullmatch(part)
        if match is None or match["letter"] in found:
            raise ConfigError(
                f"Unknown decoding {name!r}{where}. Allowed: {GRAMMAR}; in a grid also {', '.join(sets)}."
            )
        if match["letter"] == "k" and not match["value"].isdigit():
            raise ConfigError(
                f"Decoding {name!r}{where} keeps {match['value']} tokens. Allowed: k and a whole number, as in 'k50'."
            )
        found[match["letter"]] = match["value"]
    return checked(
        DecodingSpec(
            name=name,
            temperature=float(found.get("t", 1)),
            top_k=int(found["k"]) if "k" in found else None,
            top_p=float(found["p"]) if "p" in found else None,
        ),
        where=where,
    )


def named_settings(name: str) -> DecodingSpec | None:
    """The configuration that a name spells; None: it spells none, and may be given to any."""
    try:
        return parse_decoding(name)
    except ConfigError:
        return None


def name_of(*, greedy: bool, temperature: float, top_k: int | None, top_p: float | None) -> str:
    """The canonical name of settings given as keys."""
    if greedy:
        return "greedy"
    parts = [f"t{_spelled(temperature)}"] if temperature != 1 else []
    parts += [f"k{top_k}"] if top_k is not None else []
    parts += [f"p{_spelled(top_p)}"] if top_p is not None else []
    return "-".join(parts) or "sample"


def _spelled(value: float) -> str:
    """All digits, so that the name says the setting, and as no exponent, whose minus would part the name, but for a tiny one."""
    value += 0.0  # no minus before a zero
    return repr(value) if 0 < abs(value) < SMALLEST_SPELLED else np.format_float_positional(value, trim="-")


def spelled(spec: DecodingSpec) -> str:
    """The canonical name of a configuration, whatever a grid calls it."""
    return name_of(greedy=spec.greedy, temperature=spec.temperature, top_k=spec.top_k, top_p=spec.top_p)


def checked(spec: DecodingSpec, *, where: str = "") -> DecodingSpec:
    """Refuses settings that mean nothing, naming the range that does.

    A nucleus of 0 is the likeliest token alone, since transformers always keeps one: that is greedy.
    """
    if not spec.temperature > 0:
        raise ConfigError(
            f"Decoding {spec.name!r}{where} has temperature {spec.temperature:g}. Allowed: above 0; use 'greedy' for 0."
        )
    if not COLDEST <= spec.temperature <= HOTTEST:
        raise ConfigError(
            f"Decoding {spec.name!r}{where} has temperature {spec.temperature:g}. Allowed: from {COLDEST:g} to {HOTTEST:g}; use "
            "'greedy' for what is colder."
        )
    if spec.top_k is not None and not 1 <= spec.top_k <= MOST_TOKENS:
        raise ConfigError(
            f"Decoding {spec.name!r}{where} has top_k {spec.top_k}. Allowed: 1 and above, up to {MOST_TOKENS}."
        )
    if spec.top_p is not None and not 0 <= spec.top_p <= 1:
        raise ConfigError(f"Decoding {spec.name!r}{where} has top_p {spec.top_p:g}. Allowed: from 0 to 1.")
    return DecodingSpec(name=spec.name, greedy=True) if spec.top_p == 0 else spec
