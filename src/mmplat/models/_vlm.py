"""A vision-language checkpoint of transformers, asked by mmplat. A family overrides what differs, and nothing else.

The way of an ask: chat template → the placeholder of each picture becomes what the processor puts there → tokens; pictures under
the view → vision tower → features at the picture's tokens; a batch padded on the left → next-token logits. What a family may
override stands first. `None` is the template rendered without the picture's entry; `unk` is one neutral token in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmplat.errors import ModelError
from mmplat.models._attention import attention_by
from mmplat.models._inside import Usual, Watched, apart, begun
from mmplat.models._loading import ProcessorLoader, load
from mmplat.models._pictures import Pictures, Processed, Seen, change_pixels
from mmplat.models._prompts import Padded, Prompt
from mmplat.models._spelling import continuation_ids, one_token_spellings
from mmplat.models._streams import Stream, score_continuations
from mmplat.models.base import Ask, Spellings
from mmplat.records import ModelSpec
from mmplat.views import catalog as view_kinds

QUESTION = "\x00question\x00"


class VisionLanguage:
    """A loaded checkpoint."""

    # ── What a family says of itself ──────────────────────────────────────────────────────────────────────────────────

    family: ClassVar[str]
    version: ClassVar[int] = 1
    pad_safe: ClassVar[bool] = True
    """A batch says what each of its rows says alone. False: rows are asked one by one."""
    max_pictures: int | None = None
    no_image: str | None = None
    """Why there is no forward without a picture; None: there is one."""
    no_inside: ClassVar[str | None] = None
    """Why nothing can be done inside the network; None: it can."""
    neutral: ClassVar[str | None] = None
    """What stands for an unknown token where the tokenizer has none: a token of the checkpoint's own, by its text."""

    one_tensor: bool = False
    """The network takes the features of a batch's pictures as one tensor (token, width), not as one per picture."""

    told: ClassVar[Mapping[str, str]] = {}
    """What the chat template is told beside the conversation, lest it look up the date."""

    load_processor: ClassVar[ProcessorLoader | None] = None

    def render(self, question: str, pictures: int) -> str:
        """The text of a prompt, one placeholder per picture, up to where the answer begins."""
        content: list[dict[str, str]] = [{"type": "image"}] * pictures
        turn = {"role": "user", "content": [*content, {"type": "text", "text": question}]}
        return str(self.processor.apply_chat_template([turn], add_generation_prompt=True, **self.told))

    def render_blind(self, question: str, pictures: int) -> str:
        """The prompt under views that leave its pictures out: byte-identical but for their entries."""
        return self.render(question, 0)

    def process(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        """The processor's work, one result per picture, without a batch axis of several pictures."""
        return [self.process_together([picture])[0] for picture in pictures]

    def see(self, processed: list[Processed]) -> list[Any]:
        """Features of some pictures, a tensor (token, width) each: the vision tower and the projector, once per picture.

        None for each: the family's forward takes pixels itself.
        """
        pixels = self.tensor(np.concatenate([one["pixel_values"] for one in processed]))
        return list(self.network.get_image_features(pixel_values=pixels, return_dict=True).pooler_output)

    def look(self, prompts: list[Prompt], asks: Sequence[Ask]) -> list[Prompt]:
        """Where something reads the question before it looks at what the tower saw, it looks here."""
        return prompts

    def change(self, processed: Processed, transform: Callable[[NDArray[Any]], NDArray[Any]]) -> Processed:
        """A view in pixel space."""
        return change_pixels(processed, transform)

    def prepare(self, batch: Padded) -> None:
        """Puts what the network needs into `batch.inputs`: ids, and what the vision tower made of the pictures."""
        batch.inputs["input_ids"] = batch.ids
        if batch.seen:
            import torch
            from transformers.modeling_outputs import BaseModelOutputWithPooling

            each = tuple(one.features for one in batch.seen)
            features = torch.cat(each) if self.one_tensor else each
            batch.inputs["mm_encoder_outputs"] = {"image": BaseModelOutputWithPooling(pooler_output=features)}

    def proceed(self, stream: Stream, ids: Any) -> dict[str, Any]:
        """What a continuation of a stream needs beyond ids, attention, positions and the cache."""
        return {}

    def reference_inputs(self, ask: Ask, followed_by: tuple[int, ...] = ()) -> dict[str, Any]:
        """What transformers' own processor makes of an ask that shows its pictures, for `network(**inputs)`.

        mmplat's contracts compare with it; nothing else uses it. `followed_by` are tokens of the answer so far.
        """
        drop = _image_of(ask) == "drop"
        text = (self.render_blind if drop else self.render)(ask.question, len(ask.pictures))
        found = self.by_processor(text, [] if drop else [Image.fromarray(picture) for picture in ask.pictures])
        return self.followed({n: self.moved(value) for n, value in found.items()}, followed_by)

    def by_processor(self, text: str, images: list[Any]) -> Mapping[str, Any]:
        """What transformers' own processor makes of a rendered prompt and its pictures."""
        return self.processor(text=[text], images=images or None, return_tensors="pt", **self._special_tokens(text))

    def followed(self, inputs: dict[str, Any], tokens: tuple[int, ...]) -> dict[str, Any]:
        """The inputs with `tokens` after the prompt; whatever has an entry per token (masks, types) gets its last one again."""
        import torch

        width, more = inputs["input_ids"].shape[1], len(tokens)
        longer = {
            name: torch.cat([value, value[:, -1:].repeat_interleave(more, dim=1)], dim=1)
            for name, value in inputs.items()
            if value.shape[1:2] == (width,) and not value.is_floating_point()
        }
        if tokens:
            longer["input_ids"][:, width:] = torch.tensor(tokens)
        return inputs | longer

    def call(self, **inputs: Any) -> Any:
        """One forward. A family whose network cannot be called with what the vision tower made calls a part of it."""
        return self.network(**inputs)

    def over_tokens(self, attentions: Sequence[Any]) -> Sequence[Any]:
        """The layers that attend to the prompt's tokens, of all layers that attend."""
        return attentions

    def tokens(self, texts: list[str]) -> list[tuple[int, ...]]:
        """Token ids of some prompts; a beginning token stands once, whether the template or the tokenizer writes it."""
        ids = self.tokenizer(texts, **self._special_tokens(texts[0]))["input_ids"]
        return [tuple(one) for one in ids]

    # ── The same for all ──────────────────────────────────────────────────────────────────────────────────────────────

    def __init__(self, spec: ModelSpec) -> None:
        loaded = load(spec, family=self.family, version=self.version, processor=type(self).load_processor)
        self.network, self.processor = loaded.network, loaded.processor
        self.device, self.hardware, self.dtype = loaded.device, loaded.hardware, loaded.dtype
        self.identity = loaded.identity
        self.tokenizer = self.processor.tokenizer
        self.batch_limit = 1 if spec.reference or not self.pad_safe else None
        self.vocab_size = int(self.network.get_output_embeddings().weight.shape[0])
        self.placeholder = str(getattr(self.processor, "image_token", ""))
        """What stands for a picture in a rendered prompt."""
        self.pictures = Pictures(self.process, self.see, self.replacement, self.change)
        self._rendered = lru_cache(maxsize=4096)(self.render)
        self._rendered_blind = lru_cache(maxsize=4096)(self.render_blind)
        self._spelled = lru_cache(maxsize=None)(lambda labels: one_token_spellings(self.tokenizer, labels))
        self._said = lru_cache(maxsize=None)(lambda label: continuation_ids(self.tokenizer, self.tail, label))

    @property
    def own_caches(self) -> float:
        """The share of the layers in which every row has a cache of its own; the others hold a prompt once (`_fork.py`)."""
        if self.no_inside is not None:
            return 1.0
        kinds = getattr(self.network.config.get_text_config(), "layer_types", None) or ["full_attention"]
        return sum(kind != "full_attention" for kind in kinds) / len(kinds)

    @property
    def unk_id(self) -> int | None:
        """The token that stands where a picture was, under views that want an unknown token."""
        if self.tokenizer.unk_token_id is not None:
            return int(self.tokenizer.unk_token_id)
        if self.neutral is None:
            return None
        return self.tokenizer.get_vocab().get(self.neutral)

    def unavailable(self, kind: str) -> str | None:
        image = view_kinds.get(kind).image
        if view_kinds.get(kind).place == "inside" and self.no_inside:
            return self.no_inside
        if image != "keep" and self.no_image:
            return self.no_image
        if image == "unk" and self.unk_id is None:
            return "the tokenizer has no unk token"
        return None

    def refuses(self, ask: Ask) -> str | None:
        count = len(ask.sample.images)
        if not count and self.no_image:
            return f"a question without a picture: {self.no_image}"
        if self.max_pictures is not None and count > self.max_pictures:
            return f"{count} pictures in one question; this family takes {self.max_pictures}"
        if self.placeholder and self.placeholder in ask.question:
            return f"the question holds {self.placeholder!r}, which means a picture to this model; write it otherwise"
        return None

    def spellings(self, labels: tuple[str, ...]) -> Spellings:
        return self._spelled(labels)

    def continuations(self, labels: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        return tuple(self._said(label) for label in labels)

    def encode(self, asks: Sequence[Ask]) -> list[Prompt]:
        """The prompts of some asks; the vision tower is shown the pictures that it has not seen."""
        import torch

        with torch.inference_mode():
            return self.look(self.prompts(asks, self.pictures.of(asks)), asks)

    def prompts(self, asks: Sequence[Ask], seen: Sequence[tuple[Seen, ...]]) -> list[Prompt]:
        """All distinct prompts tokenised at once, each with what is seen of its pictures."""
        texts = [self._text(ask, its) for ask, its in zip(asks, seen, strict=True)]
        distinct = list(dict.fromkeys(texts))
        ids = dict(zip(distinct, self.tokens(distinct), strict=True))
        return [
            Prompt(self._stand_ins(ids[text]) if _image_of(ask) == "unk" else ids[text], its, ask.intervention)
            for ask, text, its in zip(asks, texts, seen, strict=True)
        ]

    def forward(self, batch: Sequence[Prompt]) -> Any:
        """Next-token logits in float32 (row, vocab)."""
        return apart(batch, lambda some: self.read(begun(self, some), use_cache=False).logits)

    def prefill(self, batch: Sequence[Prompt]) -> Stream:
        """The same, keeping the cache, so that answers can be continued; of prompts that ask for the same inside."""
        return self.read(begun(self, batch), use_cache=True)

    def advance(self, stream: Stream, ids: Any, real: Any | None = None) -> Any:
        """Logits (row, step, vocab) after each of `ids` (row, step); the stream then ends with them.

        `real` is 1 where a token is one, 0 where a shorter row is padded on the right.
        """
        import torch

        with torch.inference_mode():
            stream.extend(ids, real)
            inputs = {
                "input_ids": ids,
                "attention_mask": stream.attention,
                "position_ids": stream.positions,
                "past_key_values": stream.cache,
                "use_cache": True,
                **self.proceed(stream, ids),
            }
            return stream.inside.says(partial(self.call, **inputs), ids.shape[1]).logits

    def score(self, batch: Sequence[Prompt], labels: tuple[str, ...]) -> Any:
        """Log-probability of each label as the answer (row, label); all labels of a prompt share its prefill."""
        return apart(batch, lambda some: score_continuations(self, some, self.continuations(labels)))

    @cached_property
    def stops(self) -> frozenset[int]:
        """Tokens that end an answer."""
        said = self.network.generation_config.eos_token_id
        told = [said] if isinstance(said, int) else list(said or ())
        own = self.tokenizer.eos_token_id
        return frozenset([*told, *([own] if own is not None else [])])

    def say(self, tokens: Sequence[int]) -> str:
        """Tokens as text, without the special ones."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True)).strip()

    def attend(self, batch: Sequence[Prompt]) -> Any:
        """How the last position attends, mean over heads (row, layer, position); padding is zero."""
        import torch

        # Eager: the others never hold what this asks for.
        with torch.inference_mode(), attention_by(self.network, "eager"):
            out = self.run(self.padded(batch), use_cache=False, output_attentions=True)
        layers = self.over_tokens(out.attentions)
        return torch.stack([layer[:, :, -1].float().mean(dim=1) for layer in layers], dim=1)

    def watch(self, batch: Sequence[Prompt], *, largest: bool = False) -> tuple[Stream, Watched]:
        """`prefill`, watched: how whatever speaks attends, from the prompt's last position to the last token."""
        watched = Watched(self, batch, largest=largest)
        return self.read(watched, use_cache=True), watched

    def padded(self, batch: Sequence[Prompt]) -> Padded:
        """A batch as the network takes it."""
        import torch

        width = max(prompt.length for prompt in batch)
        ids = np.full((len(batch), width), self.tokenizer.pad_token_id or 0, np.int64)
        attention, answers = np.zeros((2, len(batch), width), np.int64)
        for row, prompt in enumerate(batch):
            ids[row, width - prompt.length :] = prompt.ids
            attention[row, width - prompt.length :] = 1
            answers[row, width - prompt.answer :] = 1
        tokens, mask, said = (torch.from_numpy(array).to(self.device) for array in (ids, attention, answers))
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        padded = Padded(tokens, mask, positions, said, [s for p in batch for s in p.seen])
        self.prepare(padded)
        return padded

    def tensor(self, array: NDArray[Any]) -> Any:
        """On the model's device; floating point numbers in its dtype."""
        import torch

        return self.moved(torch.from_numpy(np.ascontiguousarray(array)))

    def moved(self, tensor: Any) -> Any:
        import torch

        tensor = tensor.to(self.device)
        return tensor.to(getattr(torch, self.dtype)) if tensor.is_floating_point() else tensor

    def read(self, inside: Usual, *, use_cache: bool) -> Stream:
        """Reads prompts; what is done inside meanwhile goes on with the stream."""
        import torch

        with torch.inference_mode():
            padded = self.padded(inside.prompts)
            out = inside.says(partial(self.run, padded, use_cache=use_cache), 1)
        last = padded.positions[..., -1:]
        return Stream(out.logits[:, -1], out.past_key_values, padded.attention, last, inside, padded.inputs)

    def run(self, batch: Padded, *, use_cache: bool, last: int = 1, **options: Any) -> Any:
        """One forward over a batch; logits of the `last` positions."""
        return self.call(
            attention_mask=batch.attention,
            position_ids=batch.positions,
            use_cache=use_cache,
            logits_to_keep=last,
            **batch.inputs,
            **options,
        )

    def process_together(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        """The processor's work in one call, for families that bring every picture to one size."""
        # What the processor's class asks of its image processor: whether to cut into tiles, to tell rows and columns.
        asked = getattr(self.processor, "images_kwargs", {})
        found = self.processor.image_processor(
            pictures, input_data_format="channels_last", return_tensors="np", **asked
        )
        arrays = {name: np.asarray(value) for name, value in found.items()}
        if len(pictures) == 1:
            return [arrays]
        return [{name: array[at : at + 1] for name, array in arrays.items()} for at in range(len(pictures))]

    def _text(self, ask: Ask, seen: tuple[Seen, ...]) -> str:
        """The prompt's text, each placeholder replaced by what the processor puts there for a picture of its size."""
        count = len(ask.sample.images)
        if _image_of(ask) == "drop":
            return self._rendered_blind(ask.question, count)
        text = self._rendered(ask.question, count)
        if _image_of(ask) != "keep" or not count:
            return text
        pieces = text.split(self.placeholder)
        if len(pieces) != count + 1:
            raise ModelError(
                f"The chat template of {self.identity['revision']} gives {len(pieces) - 1} placeholders {self.placeholder!r} "
                f"for {count} pictures. Is it the template of this model's family ({self.family})?"
            )
        return pieces[0] + "".join(one.text + piece for one, piece in zip(seen, pieces[1:], strict=True))

    def replacement(self, processed: Processed) -> str:
        """What the processor puts where a picture stands: depends on its size, never on its content."""
        return str(self.processor.replace_image_token(processed, 0))

    def _special_tokens(self, text: str) -> dict[str, bool]:
        """Templates that write the first token themselves must not get it twice."""
        bos = self.tokenizer.bos_token
        return {"add_special_tokens": not (bos and text.startswith(bos))}

    def _stand_ins(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """Each placeholder as one neutral token."""
        placeholder = self.tokenizer.convert_tokens_to_ids(self.placeholder)
        return tuple(int(self.unk_id or 0) if token == placeholder else token for token in ids)

    @property
    def tail(self) -> str:
        """What every prompt ends with, after the question."""
        return self.render(QUESTION, 0 if self.no_image is None else 1).rpartition(QUESTION)[2]


def _image_of(ask: Ask) -> str:
    return view_kinds.get(ask.view.kind).image
