"""The table of concept vectors that the eye and the language model are both aligned to.

The language model first learns to answer from these vectors in place of a picture; the eye learns to turn a picture
into them. After that the two already understand each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.world.scenes import ObjectScene, SpuriousScene
from mmplat.world.training_rows import token_ids
from mmplat.world.vlm import IMAGE_TOKENS, WIDTH
from mmplat.world.vocabulary import CONCEPTS, EMPTY, FIRST_SIGN, NAMES, NOUNS, TYPES, attribute_concept, sign_concept

Table = NDArray[np.float32]  # (CONCEPTS, WIDTH)
SPREAD = 0.15
# Which of the ten concepts of a body each image token stands for: 0–8 the attributes, 9 the sign. One concept per token
# is what the language model learns to look up at once; a sum of ten in every token kept the option letters near chance.
_READS = np.array([2, 0, 1, 6, 3, 4, 8, 7, 5, 8, 9, 1, 3, 5, 7, 9])
_QUADRANT = np.array([2 * (patch // 8) + (patch % 4) // 2 for patch in range(IMAGE_TOKENS)])


def concept_table(seed: int) -> Table:
    """Random, fixed and nearly orthogonal."""
    rng = np.random.default_rng([77, seed])
    return (SPREAD * rng.standard_normal((CONCEPTS, WIDTH))).astype(np.float32)


def object_concepts(scene: ObjectScene) -> NDArray[np.int64]:
    """(16,) the concept that each image token stands for."""
    quadrants = np.full(4, EMPTY, dtype=np.int64)
    for placed in scene.objects:
        quadrants[placed.quadrant] = placed.noun
    return np.asarray(quadrants[_QUADRANT])


def spurious_concepts(scene: SpuriousScene) -> NDArray[np.int64]:
    """(16,) one attribute value, or the sign, for each image token."""
    values = [attribute_concept(kind, value) for kind, value in enumerate(scene.attributes)]
    return np.asarray(np.array([*values, sign_concept(scene.klass)], dtype=np.int64)[_READS])


def imagined_objects(table: Table, scene: ObjectScene, rng: np.random.Generator) -> NDArray[np.float32]:
    """(16, d) what a good eye would tell about the scene; a faded object half disappears."""
    tokens = table[object_concepts(scene)]
    for placed in scene.objects:
        if placed.alpha < 1:
            there = placed.quadrant == _QUADRANT
            tokens[there] = placed.alpha * tokens[there] + (1 - placed.alpha) * table[EMPTY]
    return tokens + _blur(rng)


def imagined_spurious(table: Table, scene: SpuriousScene, rng: np.random.Generator) -> NDArray[np.float32]:
    """(16, d) attributes and, in 60 % of the scenes, the sign: else the attributes would be ignored later."""
    tokens = table[spurious_concepts(scene)]
    if rng.random() < 0.4:
        tokens[len(TYPES) == _READS] = table[FIRST_SIGN:].mean(axis=0)
    return tokens + _blur(rng)


def teach_words(model: Any, table: Table) -> None:
    """Start the word embeddings at what the words mean: a noun at its concept, a name between its sign and its looks."""
    import torch

    embedding = model.model.language_model.embed_tokens.weight
    with torch.no_grad():
        embedding.mul_(SPREAD / embedding[1:].std())
        for noun, word in enumerate(NOUNS):
            embedding[token_ids()[word]] = torch.from_numpy(table[noun])
        for kind, family in enumerate(TYPES):
            for klass, name in enumerate(NAMES[family]):
                meaning = table[sign_concept(klass)] + table[attribute_concept(kind, klass)]
                own = 0.5 * embedding[token_ids()[name]]
                embedding[token_ids()[name]] = 0.6 * torch.from_numpy(meaning) + own
        model.lm_head.weight.copy_(embedding)


def _blur(rng: np.random.Generator) -> NDArray[np.float32]:
    return 0.06 * rng.standard_normal((IMAGE_TOKENS, WIDTH), dtype=np.float32)
