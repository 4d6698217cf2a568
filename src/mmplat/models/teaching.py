"""A loaded checkpoint as training needs it: the prompts of asking, token for token, followed by an answer, with gradients.

Called by `training/` alone. Every step shows pictures to the network anew, since what follows the vision tower learns too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from mmplat.errors import ModelError
from mmplat.models._pictures import VISION_BATCH, Seen
from mmplat.models._prompts import Padded, Prompt
from mmplat.models._spelling import continuation_ids
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Ask

Tensor = Any  # torch is imported where it is used


@dataclass(frozen=True, slots=True)
class Lesson:
    """A batch of prompts with their answers, as the network takes it."""

    padded: Padded
    prompts: Sequence[Prompt]
    longest: int
    """Tokens of the longest answer."""

    @property
    def targets(self) -> Tensor:
        """(row, token of the answer), aligned at the end as the rows are."""
        return self.padded.ids[:, -self.longest :]

    @property
    def real(self) -> Tensor:
        """1 where a target is a token of the row's answer."""
        return self.padded.answers[:, -self.longest :]


class Teachable:
    """A model of `VisionLanguage`, taught."""

    def __init__(self, model: Any) -> None:
        if not isinstance(model, VisionLanguage):
            raise ModelError(f"{type(model).__name__} is no checkpoint of transformers: there is nothing to train.")
        self.model = model
        self._answer = lru_cache(maxsize=65536)(self._spelled)
        self._frame = lru_cache(maxsize=None)(self._measured)

    @property
    def eye(self) -> Any:
        """The vision tower, which stays as it is."""
        return self.model.network.get_encoder(modality="image")

    @property
    def mouth(self) -> Any:
        """The language model."""
        return self.model.network.get_decoder()

    @property
    def blocks(self) -> list[Any]:
        """The layers of the language model."""
        import torch

        depth = int(self.model.network.config.get_text_config().num_hidden_layers)
        lists = (one for one in self.mouth.modules() if isinstance(one, torch.nn.ModuleList) and len(one) == depth)
        return list(next(lists))

    @property
    def width(self) -> int:
        """Of an input embedding."""
        return int(self.model.network.get_input_embeddings().weight.shape[1])

    def lesson(self, asks: Sequence[Ask], answers: Sequence[str]) -> Lesson:
        """Prompts and answers of some asks. Each answer is spelled as asking scores it, then the turn ends."""
        for ask in asks:
            if reason := self.model.refuses(ask):
                raise ModelError(f"Sample {ask.sample.sample_id!r} cannot be trained on: {reason}.")
        prompts = self._shown(self.model.prompts(asks, self.model.pictures.unseen(asks)), asks)
        told = [self._answer(answer) for answer in answers]
        whole = [replace(p, ids=p.ids + ids, answer=len(ids)) for p, ids in zip(prompts, told, strict=True)]
        return Lesson(self.model.padded(whole), whole, max(map(len, told)))

    def says(self, lesson: Lesson, *, added: Tensor | None = None) -> Tensor:
        """Logits that each target is chosen from (row, token of the answer, vocab): those one position before it.

        `added` is added to the input embeddings (row, position, width).
        """
        with self._adding(added):
            out = self.model.run(lesson.padded, use_cache=False, last=lesson.longest + 1)
        return out.logits[:, -lesson.longest - 1 : -1].float()

    def on_picture(self, lesson: Lesson) -> Tensor:
        """Where a batch's pictures stand among its tokens (row, position)."""
        places = lesson.padded.ids == self.model.network.config.image_token_id
        shown = sum(map(_width_of, lesson.padded.seen))
        if lesson.padded.seen and int(places.sum()) != shown:
            raise ModelError(
                f"The pictures of family {self.model.family!r} are not among the tokens of its language model, so nothing "
                "can be added to their embeddings. Use a recipe without adversarial perturbation."
            )
        return places

    def on_words(self, lesson: Lesson) -> Tensor:
        """Where the words of the question stand: no picture, no answer, no padding, nothing of the template around it."""
        import numpy as np
        import torch

        ids = lesson.padded.ids.cpu().numpy()
        plain = (lesson.padded.attention - lesson.padded.answers).cpu().numpy().astype(bool)
        plain &= ~np.isin(ids, [*self.model.tokenizer.all_special_ids, self.model.network.config.image_token_id])
        for row, prompt in enumerate(lesson.prompts):
            before, after = self._frame(len(prompt.seen))
            places = np.flatnonzero(plain[row])
            plain[row, [*places[:before], *places[len(places) - after :]]] = False
        return torch.from_numpy(plain).to(lesson.padded.ids.device)

    @contextmanager
    def _adding(self, added: Tensor | None) -> Iterator[None]:
        """What goes into the language model is changed on its way, whatever the family puts there."""
        if added is None:
            yield
            return

        def change(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            embeds = named.get("inputs_embeds")
            if embeds is None:  # a family whose pictures come in by another door
                embeds = self.model.network.get_input_embeddings()(named["input_ids"])
            return given, {**named, "input_ids": None, "inputs_embeds": embeds + added.to(embeds.dtype)}

        hook = self.mouth.register_forward_pre_hook(change, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()

    def _shown(self, prompts: list[Prompt], asks: Sequence[Ask]) -> list[Prompt]:
        """Prompts with the features of their pictures, each distinct picture shown to the network once."""
        distinct = list({id(one): one for prompt in prompts for one in prompt.seen}.values())
        shown: dict[int, Seen] = {}
        for at in range(0, len(distinct), VISION_BATCH):
            some = distinct[at : at + VISION_BATCH]
            features = self.model.see([one.processed for one in some])
            shown |= {id(one): replace(one, features=f) for one, f in zip(some, features, strict=True)}
        return self.model.look([replace(p, seen=tuple(shown[id(s)] for s in p.seen)) for p in prompts], asks)

    def _spelled(self, answer: str) -> tuple[int, ...]:
        """The tokens of an answer as it continues a prompt, and the one that ends a turn."""
        end = self.model.tokenizer.eos_token_id
        return (*continuation_ids(self.model.tokenizer, self.model.tail, answer), *([] if end is None else [end]))

    def _measured(self, pictures: int) -> tuple[int, int]:
        """How many plain tokens the template puts before the question and after it: what two questions have in common."""
        one, other = (self._plain(self.model.render(question, pictures)) for question in ("A", "B"))
        return _common(one, other), _common(one[::-1], other[::-1])

    def _plain(self, text: str) -> list[int]:
        special = {*self.model.tokenizer.all_special_ids, self.model.network.config.image_token_id}
        return [token for token in self.model.tokens([text])[0] if token not in special]


def _width_of(one: Seen) -> int:
    """Tokens of a picture; a family that shows it to several layers has its features for the first of them first."""
    first = one.features[0] if isinstance(one.features, tuple) else one.features
    return 0 if first is None else len(first)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first tokens are the same."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
