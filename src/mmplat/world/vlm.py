"""The tiny VLM as a real Hugging Face LLaVA: its tokenizer, processor and untrained model, saving, and its card.

What `save` writes is loaded by AutoProcessor and AutoModelForImageTextToText like any other checkpoint, without
torchvision and without network. Training and evaluation call this module; the rest of the platform only reads the
folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmplat.world import questions, texts
from mmplat.world.facts import FACTS
from mmplat.world.items import LETTERS, YES_NO
from mmplat.world.vocabulary import (
    BOS,
    EOS,
    IMAGE,
    NAMES,
    NOUNS,
    PAD,
    PEOPLE,
    SPECIALS,
    TOPICS,
    UNK,
)

WIDTH = 128
PATCH = 8
IMAGE_TOKENS = 16
MEAN, STD = 0.5, 0.25  # of every channel, in the image processor and in training

# Equal text with and without a picture, but for the marker itself: an image-free view differs in nothing else.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}USER: {% else %} ASSISTANT: {% endif %}"
    "{% if message['content'] is string %}\n{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}\n{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def vocabulary() -> tuple[str, ...]:
    """All tokens in the order of their ids: specials, labels, then every word that any question or text can hold."""
    spoken: list[str] = [*YES_NO, *LETTERS, *NOUNS]
    for names in NAMES.values():
        spoken += names
    spoken += PEOPLE
    for values in TOPICS.values():
        spoken += values
    sentences = [*texts.TRAINED_HINTS, *texts.HELD_OUT_HINTS, *texts.IRRELEVANT, "check:"]
    sentences += [questions.presence("cat"), questions.which_name(("cat",) * 4)]
    sentences += [questions.which_object(("cat",) * 4, form=questions.BY_WORD)]
    for fact in FACTS[:: len(PEOPLE)]:
        sentences += [questions.fact_choice(fact, ("cat",) * 4), questions.fact_yes_no(fact, "cat")]
    for sentence in sentences:
        spoken += words(sentence.replace("{0}", " ").replace("{1}", " "))
    return (*SPECIALS, *dict.fromkeys(spoken))


def words(text: str) -> list[str]:
    """Words and punctuation marks, as the tokenizer splits them."""
    return re.findall(r"\w+|[^\w\s]+", text)


def build_processor() -> Any:
    """A LlavaProcessor over a word-level tokenizer and a CLIP image processor that leaves 32×32 pictures as they are."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import LlavaProcessor, PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    ids = {word: index for index, word in enumerate(vocabulary())}
    backend = Tokenizer(models.WordLevel(ids, unk_token=UNK))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    backend.add_special_tokens(list(SPECIALS))
    backend.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, ids[BOS])])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        padding_side="left",
        model_max_length=512,
        extra_special_tokens={"image_token": IMAGE},
    )
    size = {"height": 32, "width": 32}
    image_processor = CLIPImageProcessorPil(
        do_resize=True, size=size, do_center_crop=False, crop_size=size, image_mean=[MEAN] * 3, image_std=[STD] * 3
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the class token, which "default" drops again
        chat_template=CHAT_TEMPLATE,
        image_token=IMAGE,
    )


def build_model(seed: int) -> Any:
    """The untrained model, 1.1 M parameters."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    ids = {word: index for index, word in enumerate(vocabulary())}
    special = {"pad_token_id": ids[PAD], "bos_token_id": ids[BOS], "eos_token_id": ids[EOS]}
    # The default initializer_range of .02 is too small for a model this narrow: it never leaves the plateau.
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=384,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        patch_size=PATCH,
        projection_dim=WIDTH,
        initializer_range=0.05,
    )
    text = LlamaConfig(
        vocab_size=len(ids),
        hidden_size=WIDTH,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        initializer_range=0.05,
        tie_word_embeddings=False,
        **special,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=ids[IMAGE],
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
        **special,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    model.generation_config.update(**special)
    return model


def save(model: Any, folder: Path, card: dict[str, object]) -> None:
    """Write the checkpoint in half precision; the folder appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        model.half().save_pretrained(draft)
        model.float()
        build_processor().save_pretrained(draft)
        _declare_float32(draft / "config.json")
        write_card(draft, card)
        draft.chmod(0o755)
        _swap(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def load(folder: Path) -> tuple[Any, Any]:
    """(model in float32, processor) of a saved checkpoint."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    return model.eval(), processor


def prompt(processor: Any, text: str, *, with_image: bool = True) -> str:
    """The prompt text up to the place where the answer begins."""
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    content.append({"type": "text", "text": text})
    return str(
        processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
    )


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a checkpoint: seed, recipe, figures, versions."""
    return dict(json.loads((folder / "card.json").read_text()))


def is_replaceable(folder: Path) -> bool:
    """Whether nothing is lost where a checkpoint takes the folder's place: it is empty, or a checkpoint of ours."""
    if not folder.is_dir():
        return False
    return not any(folder.iterdir()) or ((folder / "card.json").exists() and "recipe_version" in read_card(folder))


def write_card(folder: Path, card: dict[str, object]) -> None:
    """Write the card, readable and diffable."""
    (folder / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def versions(packages: Iterable[str] = ("torch", "transformers", "tokenizers", "numpy")) -> dict[str, str]:
    """Installed versions, for the card."""
    from importlib.metadata import version

    return {package: version(package) for package in packages}


def _declare_float32(config: Path) -> None:
    # Weights rest in half precision, but nobody should compute in it: on a CPU that is slow and coarse.
    text = config.read_text()
    config.write_text(text.replace('"dtype": "float16"', '"dtype": "float32"'))


def _swap(draft: Path, folder: Path) -> None:
    """Put the finished draft in the place of the folder; an older checkpoint is kept until the new one stands."""
    if not folder.exists():
        os.replace(draft, folder)
        return
    old = draft.with_name(draft.name + "-old")
    os.replace(folder, old)
    os.replace(draft, folder)
    shutil.rmtree(old)
