"""LLaVA-1.5 (LlavaForConditionalGeneration): every visual view, batched, exact.

"None" is the chat template rendered without the image entry; "unk" is one unk token where the image tokens were, not one
per patch. Image features are computed once per distinct image and put into the token embeddings, as the model itself does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import IncompatibleCell, ModelError
from mmplat.ids import content_id, folder_id
from mmplat.models.base import Ask, ByteLimited, Family, Named, Spellings, families, named
from mmplat.models.identity import checkpoint_folder
from mmplat.records import ModelSpec
from mmplat.views import catalog as view_kinds

FEATURE_CACHE_BYTES = 2 << 30
PIXEL_CACHE_BYTES = 256 << 20
VISION_BATCH = 64


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids with the image tokens in place, and the features (tensors) that belong there."""

    ids: tuple[int, ...]
    features: tuple[Any, ...]

    @property
    def length(self) -> int:
        return len(self.ids)


class Llava:
    """A loaded checkpoint of the family."""

    def __init__(self, spec: ModelSpec) -> None:
        import torch

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.hardware = torch.cuda.get_device_name() if self.device == "cuda" else "cpu"
        self.dtype = ("bfloat16" if self.device == "cuda" else "float32") if spec.dtype == "auto" else spec.dtype
        self._torch = torch
        self._model, self._processor, revision = _load(spec, getattr(torch, self.dtype), self.device)
        self._tokenizer = self._processor.tokenizer
        self._image_token = int(self._model.config.image_token_id)
        self.vocab_size = int(self._model.config.text_config.vocab_size)
        self._tokens_per_image = self._count_image_tokens()
        self._spellings: dict[tuple[str, ...], Spellings] = {}
        self._features = ByteLimited(FEATURE_CACHE_BYTES)
        self._processed = ByteLimited(PIXEL_CACHE_BYTES)
        self.identity = {
            "family": "llava",
            "adapter": FAMILY.version,
            "revision": revision,
            "dtype": self.dtype,
            "attention": self._model.config._attn_implementation,
            "template": content_id(self._processor.chat_template or ""),
        }

    def unavailable(self, kind: str) -> str | None:
        if view_kinds.get(kind).image == "unk" and self._tokenizer.unk_token_id is None:
            return "the tokenizer has no unk token"
        return None

    def spellings(self, labels: tuple[str, ...]) -> Spellings:
        if labels not in self._spellings:
            self._spellings[labels] = one_token_spellings(self._tokenizer, labels)
        return self._spellings[labels]

    def encode(self, asks: Sequence[Ask]) -> list[Prompt]:
        """Tokenises all distinct prompts at once, and runs the vision tower on images that were not seen before."""
        keys = [self._feature_keys(ask) for ask in asks]
        features = self._see([(k, ask, i) for ask, some in zip(asks, keys, strict=True) for i, k in enumerate(some)])
        wanted = [(ask.sample.question, 0 if _image_of(ask) == "drop" else len(ask.pictures)) for ask in asks]
        distinct = list(dict.fromkeys(wanted))
        texts = [self._render(question, images) for question, images in distinct]
        bos = self._tokenizer.bos_token
        tokens = self._tokenizer(texts, add_special_tokens=not (bos and texts[0].startswith(bos)))["input_ids"]
        ids = dict(zip(distinct, tokens, strict=True))
        return [
            Prompt(self._expand(ids[want], ask), tuple(features[k] for k in some))
            for want, ask, some in zip(wanted, asks, keys, strict=True)
        ]

    def forward(self, batch: Sequence[Prompt]) -> Any:
        """Next-token logits in float32 (batch, vocab); prompts are padded on the left, so the last position is real."""
        torch = self._torch
        width = max(p.length for p in batch)
        pad = self._tokenizer.pad_token_id or 0
        rows = np.full((len(batch), width), pad, np.int64)
        mask = np.zeros((len(batch), width), np.int64)
        for row, prompt in enumerate(batch):
            rows[row, width - prompt.length :] = prompt.ids
            mask[row, width - prompt.length :] = 1
        with torch.inference_mode():
            ids = torch.from_numpy(rows).to(self.device)
            attention = torch.from_numpy(mask).to(self.device)
            embeds = self._model.get_input_embeddings()(ids)
            features = [tensor for prompt in batch for tensor in prompt.features]
            if features:
                places = (ids == self._image_token).unsqueeze(-1)
                embeds = embeds.masked_scatter(places, torch.cat(features).to(embeds.dtype))
            positions = (attention.cumsum(-1) - 1).clamp(min=0)
            out = self._model(
                inputs_embeds=embeds,
                attention_mask=attention,
                position_ids=positions,
                use_cache=False,
                logits_to_keep=1,
            )
            return out.logits[:, -1].float()

    def _render(self, question: str, images: int) -> str:
        content: list[dict[str, str]] = [{"type": "image"}] * images
        turn = {"role": "user", "content": [*content, {"type": "text", "text": question}]}
        return str(self._processor.apply_chat_template([turn], add_generation_prompt=True))

    def _expand(self, ids: list[int], ask: Ask) -> tuple[int, ...]:
        """Each image token becomes as many as the image has features, or one unk token."""
        stands = [self._image_token] * self._tokens_per_image
        if _image_of(ask) == "unk":
            stands = [int(self._tokenizer.unk_token_id)]
        expanded: list[int] = []
        for token in ids:
            expanded.extend(stands if token == self._image_token else (token,))
        return tuple(expanded)

    def _feature_keys(self, ask: Ask) -> tuple[Any, ...]:
        """Names of the features an ask needs: equal pictures under equal views share theirs."""
        kind = view_kinds.get(ask.view.kind)
        if kind.image != "keep":
            return ()
        if kind.stochastic:
            return tuple((ask.view.key, ask.sample.sample_key, i) for i in range(len(ask.pictures)))
        if kind.constant:
            return tuple((ask.view.key, picture.shape) for picture in ask.pictures)
        if kind.place == "prompt":  # the image as it is
            return tuple(ask.sample.images)
        return tuple((ask.view.key, name) for name in ask.sample.images)

    def _see(self, wanted: list[tuple[Any, Ask, int]]) -> dict[Any, Any]:
        """Features by key; the vision tower runs on the pictures whose features are not known."""
        torch = self._torch
        features = {key: self._features.get(key) for key, _, _ in wanted}
        new = {key: (ask, index) for key, ask, index in wanted if features[key] is None}
        keys = list(new)
        for start in range(0, len(keys), VISION_BATCH):
            some = keys[start : start + VISION_BATCH]
            pixels = self._pixels({key: new[key] for key in some})
            with torch.inference_mode():
                tensor = torch.from_numpy(pixels).to(self.device, getattr(torch, self.dtype))
                found = self._model.get_image_features(pixel_values=tensor, return_dict=True).pooler_output
            for key, one in zip(some, found, strict=True):
                features[key] = one
                self._features.put(key, one)
        return features

    def _pixels(self, wanted: dict[Any, tuple[Ask, int]]) -> NDArray[np.float32]:
        """Pictures as the vision tower sees them, each view applied where it acts (picture, 3, height, width)."""
        asks = list(wanted.values())
        kinds = [view_kinds.get(ask.view.kind) for ask, _ in asks]
        # A view in pixel space starts from the processed original, which many views and questions share.
        names = [
            key if kind.place == "picture" else ask.sample.images[index]
            for kind, (key, (ask, index)) in zip(kinds, wanted.items(), strict=True)
        ]
        raw = {
            name: kind.transform(ask.pictures[index], ask.view.params, ask.seed + index)
            if kind.place == "picture"
            else ask.pictures[index]
            for name, kind, (ask, index) in zip(names, kinds, asks, strict=True)
        }
        processed = self._process(raw)
        return np.stack(
            [
                kind.transform(processed[name], ask.view.params, ask.seed + index)
                if kind.place == "pixels"
                else processed[name]
                for name, kind, (ask, index) in zip(names, kinds, asks, strict=True)
            ]
        )

    def _process(self, raw: dict[Any, NDArray[Any]]) -> dict[Any, NDArray[np.float32]]:
        """The processor's work on distinct pictures, in one call for those it has not done."""
        found = {name: self._processed.get(name) for name in raw}
        new = [name for name in raw if found[name] is None]
        if new:
            pictures = [raw[name] for name in new]
            inputs = self._processor.image_processor(pictures, input_data_format="channels_last", return_tensors="np")
            for name, pixels in zip(new, np.asarray(inputs["pixel_values"], np.float32), strict=True):
                found[name] = pixels
                self._processed.put(name, pixels)
        return found

    def _count_image_tokens(self) -> int:
        """Asks the real processor how many image tokens one picture takes."""
        side = 32
        text = self._processor.image_token
        inputs = self._processor(text=text, images=np.zeros((side, side, 3), np.uint8), return_tensors="np")
        return int((np.asarray(inputs["input_ids"]) == self._image_token).sum())


def one_token_spellings(tokenizer: Any, labels: tuple[str, ...]) -> Spellings:
    """Every token that says a label: with and without a leading space, and in other cases where the label is a word.

    A letter keeps its case: the article "a" is not option A (llava_align.md §6, trap 9).
    """
    ids: list[int] = []
    of: list[int] = []
    vocabulary = tokenizer.get_vocab()
    for index, label in enumerate(labels):
        forms = {label} if len(label) == 1 else {label, label.lower(), label.capitalize(), label.upper()}
        for form in sorted(forms):
            for spelled in (form, f"▁{form}", f"Ġ{form}"):  # plain, SentencePiece and byte-level BPE with a space
                token = vocabulary.get(spelled)
                if token is not None and token not in ids and tokenizer.decode([token]).strip() == form:
                    ids.append(token)
                    of.append(index)
    missing = [label for index, label in enumerate(labels) if index not in of]
    if missing:
        raise IncompatibleCell(
            f"Labels {missing} are no single token of this model's tokenizer, so their probability cannot be read from "
            "one next-token row. Use labels that are one token (yes/no, option letters)."
        )
    return Spellings(tuple(ids), tuple(of))


def _image_of(ask: Ask) -> str:
    return view_kinds.get(ask.view.kind).image


def _load(spec: ModelSpec, dtype: Any, device: str) -> tuple[Any, Any, str]:
    """Model, processor and revision: safetensors only, no remote code, quiet."""
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    local = checkpoint_folder(spec.path)
    path = str(local or spec.path)
    try:
        processor = AutoProcessor.from_pretrained(path, revision=spec.revision, trust_remote_code=False)
        model = AutoModelForImageTextToText.from_pretrained(
            path, revision=spec.revision, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises a dozen kinds; each means that this checkpoint cannot be used
        raise ModelError(
            f"Model {spec.name!r} cannot be loaded from {path!r}: {type(error).__name__}: {' '.join(str(error).split())} "
            "Give a folder with config.json, *.safetensors, the tokenizer and the processor's files."
        ) from error
    revision = folder_id(local) if local else str(getattr(model.config, "_commit_hash", None))
    return model.eval().to(device), processor, revision


FAMILY = Family(
    "llava", "LLaVA-1.5 checkpoints, all visual views", Llava, architectures=("LlavaForConditionalGeneration",)
)
families.add("llava", FAMILY)


def _shipped(name: str, summary: str) -> Named:
    # Not a path of this machine: batches are named by their content, on every machine alike.
    return Named(name, summary, lambda: ModelSpec(name=name, family="llava", path=f"world:{name}"))


for _name, _summary in (
    ("tiny", "a LLaVA of 1.1 M parameters, trained on the synthetic world; ships with mmplat"),
    ("tiny-biased", "the same, trained to answer from its prior more than from the picture"),
):
    named.add(_name, _shipped(_name, _summary))
