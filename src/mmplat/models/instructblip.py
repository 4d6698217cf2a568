"""InstructBLIP on a decoder (Vicuna): a Q-Former reads the question and looks at the picture with it.

There is no chat template: the prompt is the picture's query tokens, then the beginning token, then the question. There is no
forward without a picture either (the Q-Former has nothing to look at), so "none", "unk" and text-only questions are
unavailable. The vision tower runs once per distinct picture, the Q-Former once per picture and question. The published
wrapper is not safe to pad; here the Q-Former's mask and the language model's positions are given, and it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ModelError
from mmplat.models._pictures import VISION_BATCH, Processed
from mmplat.models._prompts import Padded, Prompt
from mmplat.models._vlm import VisionLanguage
from mmplat.models.base import Ask, Family, families
from mmplat.records import ModelSpec
from mmplat.views import catalog as view_kinds

NO_IMAGE = "InstructBLIP has no forward without a picture: its Q-Former reads the question only by looking at one"


class InstructBlip(VisionLanguage):
    family = "instructblip"
    no_image = NO_IMAGE
    max_pictures = 1

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        if not self.network.config.use_decoder_only_language_model:
            raise ModelError(
                f"Model {spec.name!r} is InstructBLIP on an encoder-decoder (Flan-T5), whose answers do not continue the "
                "prompt. Use a checkpoint on a decoder (Salesforce/instructblip-vicuna-7b, -13b)."
            )

    def render(self, question: str, pictures: int) -> str:
        return self.placeholder * pictures + question

    def replacement(self, processed: Processed) -> str:
        return self.placeholder * int(self.network.config.num_query_tokens)

    def tokens(self, texts: list[str]) -> list[tuple[int, ...]]:
        """The query tokens stand before the beginning token, which the tokenizer puts before the question."""
        queries = [(self.network.config.image_token_id,) * text.count(self.placeholder) for text in texts]
        questions = super().tokens([text.replace(self.placeholder, "") for text in texts])
        return [before + question for before, question in zip(queries, questions, strict=True)]

    def process(self, pictures: list[NDArray[Any]]) -> list[Processed]:
        return self.process_together(pictures)

    def see(self, processed: list[Processed]) -> list[Any]:
        pixels = self.tensor(np.concatenate([one["pixel_values"] for one in processed]))
        return list(self.network.vision_model(pixel_values=pixels).last_hidden_state)

    def look(self, prompts: list[Prompt], asks: Sequence[Ask]) -> list[Prompt]:
        """The Q-Former looks at each picture with its question."""
        questions = [ask.question for ask in asks]
        return [
            prompt
            for at in range(0, len(prompts), VISION_BATCH)
            for prompt in self._look(prompts[at : at + VISION_BATCH], questions[at : at + VISION_BATCH])
        ]

    def prepare(self, batch: Padded) -> None:
        import torch

        embeds = self.network.get_input_embeddings()(batch.ids)
        places = (batch.ids == self.network.config.image_token_id).unsqueeze(-1)
        features = torch.cat([one.features for one in batch.seen]).to(embeds.dtype)
        batch.inputs["inputs_embeds"] = embeds.masked_scatter(places, features)

    def call(self, **inputs: Any) -> Any:
        return self.network.language_model(**inputs)

    def reference_inputs(self, ask: Ask, followed_by: tuple[int, ...] = ()) -> dict[str, Any]:
        """The processor puts the query tokens itself; the Q-Former's inputs belong to the question, never to the answer."""
        found = self.processor(text=[ask.question], images=list(ask.pictures), return_tensors="pt")
        inputs = {name: self.moved(value) for name, value in found.items()}
        spoken = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        return inputs | self.followed(spoken, followed_by)

    def _look(self, prompts: Sequence[Prompt], questions: Sequence[str]) -> list[Prompt]:
        """Prompts whose features are what the Q-Former found: one per query token, as wide as the language model."""
        import torch

        reader = self.processor.qformer_tokenizer
        # A longer question is cut for the Q-Former; the language model reads all of it.
        room = self.network.config.qformer_config.max_position_embeddings
        said = reader(
            list(questions), padding=True, padding_side="right", truncation=True, max_length=room, return_tensors="pt"
        ).to(self.device)
        states = torch.stack([prompt.seen[0].features for prompt in prompts])
        queries = self.network.query_tokens.expand(len(prompts), -1, -1)
        looking = torch.ones(queries.shape[:2], dtype=torch.long, device=self.device)
        found = self.network.qformer(
            input_ids=said["input_ids"],
            attention_mask=torch.cat([looking, said["attention_mask"]], dim=1),
            query_embeds=queries,
            encoder_hidden_states=states,
        )
        features = self.network.language_projection(found.last_hidden_state[:, : queries.shape[1]])
        return [
            replace(prompt, seen=(replace(prompt.seen[0], features=one),))
            for prompt, one in zip(prompts, features, strict=True)
        ]


def unavailable(kind: str) -> str | None:
    return None if view_kinds.get(kind).image == "keep" else NO_IMAGE


families.add(
    "instructblip",
    Family(
        "instructblip",
        "InstructBLIP checkpoints on Vicuna",
        InstructBlip,
        version=InstructBlip.version,
        architectures=("InstructBlipForConditionalGeneration",),
        hub=("Salesforce/instructblip-vicuna-",),
        unavailable=unavailable,
    ),
)
