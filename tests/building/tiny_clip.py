"""A real CLIP, trained for seconds on world images in which every attribute goes along with the class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from known_scenes import CLASSES, scene_of
from transformers import CLIPConfig, CLIPModel

from mmplat.world.drawing import SIDE, SPURIOUS_NOISE, develop, draw_spurious

IMAGES, STEPS, BATCH, WIDTH, LENGTH = 800, 80, 64, 32, 12
WORDS = ("<pad>", "<s>", "</s>", "<unk>", "a", "photo", "of", ".", *CLASSES)


def train(folder: Path, seed: int = 0) -> None:
    """Writes a Hugging Face folder: model.safetensors, tokenizer, image processor."""
    import torch

    processor = _processor()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIPModel(_config())
        _fit(model, processor, seed)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _config() -> CLIPConfig:
    layers = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = {**layers, "vocab_size": len(WORDS), "max_position_embeddings": LENGTH,
            "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
    return CLIPConfig(
        text_config={**text, "projection_dim": WIDTH},
        vision_config={**layers, "image_size": SIDE, "patch_size": 8, "projection_dim": WIDTH},
        projection_dim=WIDTH,
    )


def _processor() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPProcessor, PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    backend = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        model_max_length=LENGTH, clean_up_tokenization_spaces=False,
    )  # fmt: skip
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return CLIPProcessor(image_processor=pictures, tokenizer=tokenizer)


def _fit(model: Any, processor: Any, seed: int) -> None:
    import torch

    rng = np.random.default_rng([7, seed])
    classes = rng.integers(0, len(CLASSES), IMAGES)
    scenes = [scene_of(rng, int(klass), rho=0.6) for klass in classes]
    pictures = [develop(draw_spurious(scene), SPURIOUS_NOISE, rng) for scene in scenes]
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    texts = processor(text=[f"a photo of a {name}." for name in CLASSES], padding="max_length", return_tensors="pt")
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(STEPS):
        chosen = rng.integers(0, IMAGES, BATCH)
        logits = model(**texts, pixel_values=pixels[chosen]).logits_per_image  # (batch, class)
        loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(classes[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
