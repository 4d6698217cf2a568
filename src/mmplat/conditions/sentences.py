"""Text before a question that says nothing about it: unrelated facts, and scraps as a scanner reads them off forms.

Unrelated facts follow "Modality Interference in MLLMs" (2505.19616): ten sentences of a pool of eighty, drawn with replacement,
joined by one space, and no separator before the question. The pool is our own writing in the paper's structure; the released one
can be given as a file, and a separator makes it another condition.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmplat.conditions._pools import FILE, POOL, POOLS, pool_of, pool_source
from mmplat.conditions._texts import before_question
from mmplat.conditions.base import SEED, Condition, Value, catalog, noted
from mmplat.samples import RawSample

DRAWS, SEPARATOR = "draws", "separator"


def sentences(sample: RawSample, params: Mapping[str, Value], rng: np.random.Generator) -> RawSample:
    """Some sentences of the pool, one of them twice perhaps, before everything that is asked."""
    pool = pool_of(params)
    drawn = rng.integers(len(pool), size=int(params[DRAWS])).tolist()
    text = " ".join(pool[number] for number in drawn)
    return noted(before_question(sample, text, str(params[SEPARATOR])), sentences=drawn)


def refuse(params: Mapping[str, Value]) -> str | None:
    if not params[FILE] and params[POOL] not in POOLS:
        return f"no pool {params[POOL]!r}. Allowed: {', '.join(POOLS)}, or a file of sentences as `{FILE}`"
    draws = params[DRAWS]
    return None if isinstance(draws, int) and draws > 0 else f"{DRAWS} = {draws!r}. Allowed: a whole number from 1"


def _drawn(name: str, summary: str, pool: str, separator: str) -> Condition:
    return Condition(
        name,
        summary,
        "text",
        sentences,
        defaults={POOL: pool, FILE: "", DRAWS: 10, SEPARATOR: separator, SEED: 0},
        refuse=refuse,
        sources=pool_source,
        places=(FILE,),
    )


for _condition in (
    _drawn("unrelated-facts", "ten sentences of a pool of eighty before the question, seeded per sample", "facts", ""),
    _drawn("ocr-snippets", "ten scraps of forms before the question: text noise as a scanner makes it", "forms", " "),
):
    catalog.add(_condition.name, _condition)
