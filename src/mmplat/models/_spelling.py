"""How a tokenizer spells labels: as single tokens, read from one row, or as continuations, scored token by token."""

from __future__ import annotations

from typing import Any

from mmplat.errors import IncompatibleCell
from mmplat.models.base import Spellings


def forms_of(label: str) -> list[str]:
    """Spellings that say a label. A letter keeps its case: the article "a" is not option A (llava_align.md §6, trap 9)."""
    return [label] if len(label) == 1 else sorted({label, label.lower(), label.capitalize(), label.upper()})


def one_token_spellings(tokenizer: Any, labels: tuple[str, ...]) -> Spellings:
    """Every token that says a label: with and without a leading space, and in other cases where the label is a word."""
    ids: list[int] = []
    of: list[int] = []
    vocabulary = tokenizer.get_vocab()
    for index, label in enumerate(labels):
        for form in forms_of(label):
            for spelled in (form, f"▁{form}", f"Ġ{form}"):  # plain, SentencePiece and byte-level BPE with a space
                token = vocabulary.get(spelled)
                if token is not None and token not in ids and tokenizer.decode([token]).strip() == form:
                    ids.append(token)
                    of.append(index)
    missing = [label for index, label in enumerate(labels) if index not in of]
    if missing:
        raise IncompatibleCell(
            f"Labels {missing} are no single token of this model's tokenizer, so their probability cannot be read from "
            "one next-token row."
        )
    return Spellings(tuple(ids), tuple(of))


def continuation_ids(tokenizer: Any, tail: str, label: str) -> tuple[int, ...]:
    """Tokens that a model says when its answer is `label`, after a prompt that ends with `tail`.

    A space goes between where the prompt does not end in white space or a special token: "ASSISTANT:" is followed by " yes".
    """
    ends_open = bool(tail) and not tail[-1].isspace() and not tail.endswith(tuple(tokenizer.all_special_tokens))
    before = tokenizer(tail, add_special_tokens=False)["input_ids"]
    whole = tokenizer(tail + " " * ends_open + label, add_special_tokens=False)["input_ids"]
    if whole[: len(before)] == before and len(whole) > len(before):
        return tuple(whole[len(before) :])
    # The tail's last token merges with the label: the label is taken as it is spelled by itself.
    return tuple(tokenizer(" " * ends_open + label, add_special_tokens=False)["input_ids"])
