"""Tiny random checkpoints of real architectures, saved as the real ones are: LLaVA, LLaVA-NeXT, Idefics3, SmolVLM, InternVL,
PaliGemma, PaliGemma 2, Gemma 3.

Each function writes one checkpoint into a folder. Widths are 32, pictures are cut into tiles of 32 pixels, and the weights are
large enough for the answers to depend on the picture. Tokenizers have the family's own class, special tokens and way of
writing a space; templates are those of the published checkpoints, for one turn of the user.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

SIDE = 32  # pixels of a tile
PATCH = 8
WIDTH = 32

WORDS = (
    "yes",
    "no",
    "Yes",
    "No",
    *"ABCDEF",
    "Is",
    "there",
    "a",
    "in",
    "the",
    "image",
    "picture",
    "or",
    "Answer",
    "with",
)

TEXT = {
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 2048,
}
VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": SIDE,
    "patch_size": PATCH,
}

LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
LLAVA_NEXT_TEMPLATE = (  # of the checkpoints on Mistral
    "{% for message in messages %}{{ '[INST] ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{{ ' [/INST]' }}{% endfor %}"
)
IDEFICS3_TEMPLATE = (  # SmolVLM differs in the first token alone
    "{start}{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
INTERNVL_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\\n' }}{% elif content['type'] == 'text' %}{{ content['text'] }}"
    "{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
GEMMA3_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\\n' }}"
    "{% for item in message['content'] %}{% if item['type'] == 'image' %}{{ '<start_of_image>' }}"
    "{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)


def llava(folder: Path) -> None:
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = sentencepiece(
        "LlamaTokenizer", specials=("<unk>", "<s>", "</s>"), added=("<image>", "<pad>"), add_bos_token=True
    )
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", "projection_dim": WIDTH, **VISION},
        text_config={"model_type": "llama", **TEXT, **ids_of(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // PATCH) ** 2,
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the class token, which "default" drops again
        chat_template=LLAVA_TEMPLATE,
    ).save_pretrained(folder)
    save(LlavaForConditionalGeneration, config, folder)


def llava_next(folder: Path) -> None:
    from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration, LlavaNextProcessor
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    tokenizer = sentencepiece(
        "LlamaTokenizer", specials=("<unk>", "<s>", "</s>"), added=("<image>", "<pad>"), add_bos_token=True
    )
    grids = [[SIDE * rows, SIDE * columns] for rows, columns in ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1))]
    config = LlavaNextConfig(
        vision_config={"model_type": "clip_vision_model", "projection_dim": WIDTH, **VISION},
        text_config={"model_type": "mistral", "sliding_window": None, **TEXT, **ids_of(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=grids,
    )
    pictures = LlavaNextImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grids
    )
    LlavaNextProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_NEXT_TEMPLATE,
    ).save_pretrained(folder)
    save(LlavaNextForConditionalGeneration, config, folder)


def idefics3(folder: Path) -> None:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    tokenizer = byte_level(
        "PreTrainedTokenizerFast",
        specials=("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", *IDEFICS3_TOKENS),
        bos_token="<|begin_of_text|>",
        eos_token="<|end_of_text|>",
        pad_token="<|end_of_text|>",
        add_bos_token=True,  # as the template does too
    )
    config = Idefics3Config(
        vision_config={"model_type": "idefics3_vision", **VISION},
        text_config={"model_type": "llama", **TEXT, **ids_of(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(**TILES_OF_IDEFICS3),
        tokenizer=tokenizer,
        image_seq_len=(SIDE // PATCH // 2) ** 2,
        chat_template=IDEFICS3_TEMPLATE.replace("{start}", "<|begin_of_text|>"),
    ).save_pretrained(folder)
    save(Idefics3ForConditionalGeneration, config, folder)


def smolvlm(folder: Path) -> None:
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    tokenizer = byte_level(
        "PreTrainedTokenizerFast",
        specials=("<|endoftext|>", "<|im_start|>", *IDEFICS3_TOKENS),
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        unk_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )
    config = SmolVLMConfig(
        vision_config={"model_type": "smolvlm_vision", **VISION},
        text_config={"model_type": "llama", **TEXT, **ids_of(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    save_without_video(
        "SmolVLM",
        folder,
        image_processor=SmolVLMImageProcessorPil(**TILES_OF_IDEFICS3),
        tokenizer=tokenizer,
        image_seq_len=(SIDE // PATCH // 2) ** 2,
        chat_template=IDEFICS3_TEMPLATE.replace("{start}", "<|im_start|>"),
    )
    save(SmolVLMForConditionalGeneration, config, folder)


def internvl(folder: Path) -> None:
    from transformers import InternVLConfig, InternVLForConditionalGeneration
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    own = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = byte_level(
        "Qwen2Tokenizer",
        specials=("<|endoftext|>", "<|im_start|>", "<|im_end|>", *own.values()),
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=own,
    )
    square = {"image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]}
    config = InternVLConfig(
        vision_config={"model_type": "internvl_vision", **VISION, **square},
        text_config={"model_type": "qwen2", **TEXT, **ids_of(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=(SIDE // PATCH // 2) ** 2,
    )
    save_without_video(
        "InternVL",
        folder,
        image_processor=GotOcr2ImageProcessorPil(size={"height": SIDE, "width": SIDE}, max_patches=6),
        tokenizer=tokenizer,
        image_seq_length=(SIDE // PATCH // 2) ** 2,
        chat_template=INTERNVL_TEMPLATE,
    )
    save(InternVLForConditionalGeneration, config, folder)


def paligemma(folder: Path) -> None:
    pali(folder, {"model_type": "gemma"})


def paligemma2(folder: Path) -> None:
    """Gemma 2 underneath: capped logits and a sliding window in every other layer."""
    pali(folder, {"model_type": "gemma2", "query_pre_attn_scalar": 8, "sliding_window": 64})


def pali(folder: Path, text: Mapping[str, Any]) -> None:
    """The published checkpoints have no chat template: the processor writes the prompt."""
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    tokens = (SIDE // PATCH) ** 2
    tokenizer = sentencepiece("GemmaTokenizer", specials=GEMMA_TOKENS, extra_special_tokens={"image_token": "<image>"})
    pictures = SiglipImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, image_mean=[0.5] * 3, image_std=[0.5] * 3, image_seq_length=tokens
    )
    processor = PaliGemmaProcessor(image_processor=pictures, tokenizer=tokenizer)  # adds the places and segments
    config = PaliGemmaConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            "projection_dim": WIDTH,
            "vision_use_head": False,
            **VISION,
        },
        text_config={**text, **TEXT, **ids_of(tokenizer), "num_image_tokens": tokens},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=WIDTH,
    )
    processor.save_pretrained(folder)
    save(PaliGemmaForConditionalGeneration, config, folder)


def gemma3(folder: Path) -> None:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    own = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    tokens = (SIDE // PATCH // 2) ** 2
    tokenizer = sentencepiece(
        "GemmaTokenizer",
        specials=(*GEMMA_TOKENS, "<start_of_turn>", "<end_of_turn>", *own.values()),
        add_bos_token=True,  # as the template does too
        extra_special_tokens=own,
    )
    config = Gemma3Config(
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VISION},
        text_config={
            "model_type": "gemma3_text",
            "query_pre_attn_scalar": 8,
            "sliding_window": 16,
            "layer_types": ["sliding_attention", "full_attention"],
            **TEXT,
            **ids_of(tokenizer),
        },
        mm_tokens_per_image=tokens,
        boi_token_id=tokenizer.boi_token_id,
        eoi_token_id=tokenizer.eoi_token_id,
        image_token_id=tokenizer.image_token_id,
    )
    Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(
            size={"height": SIDE, "width": SIDE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
        ),
        tokenizer=tokenizer,
        image_seq_length=tokens,
        chat_template=GEMMA3_TEMPLATE,
    ).save_pretrained(folder)
    save(Gemma3ForConditionalGeneration, config, folder)


CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    make.__name__: make for make in (llava, llava_next, idefics3, smolvlm, internvl, paligemma, paligemma2, gemma3)
}

GEMMA_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
IDEFICS3_TOKENS = (
    "<image>",
    "<fake_token_around_image>",
    "<end_of_utterance>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)
TILES_OF_IDEFICS3 = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}


def sentencepiece(kind: str, specials: tuple[str, ...], added: tuple[str, ...] = (), **settings: Any) -> Any:
    """A tokenizer of a class whose space is "▁" and whose unknown characters are bytes."""
    import transformers

    alphabet = [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", "\n", *map(chr, range(33, 127))]
    vocabulary, merges = bpe(specials, alphabet, space="▁")
    if added:
        settings["pad_token"] = "<pad>"
        settings["extra_special_tokens"] = {"image_token": "<image>"}
    return getattr(transformers, kind)(vocab=vocabulary, merges=merges, padding_side="left", **settings)


def byte_level(kind: str, specials: tuple[str, ...], **settings: Any) -> Any:
    """A tokenizer as Llama 3 and Qwen have it: every byte is a printable character, a space is "Ġ"."""
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    vocabulary, merges = bpe(specials, sorted(pre_tokenizers.ByteLevel.alphabet()), space="Ġ")
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    parts = {"vocab": vocabulary, "merges": merges} if kind == "Qwen2Tokenizer" else {"tokenizer_object": backend}
    tokenizer = getattr(transformers, kind)(**parts, padding_side="left", **settings)
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return tokenizer


def bpe(specials: Iterable[str], alphabet: Iterable[str], space: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges that make every word of `WORDS` one token, with and without a space before it."""
    merges = [
        (word[:end], word[end])
        for words in (
            [space + word for word in WORDS],
            WORDS,
        )  # those with a space first, so that it is never left over
        for word in words
        for end in range(1, len(word))
    ]
    merges = list(dict.fromkeys(merges))
    tokens = dict.fromkeys([*specials, *alphabet, *("".join(merge) for merge in merges)])
    return {token: index for index, token in enumerate(tokens)}, merges


def ids_of(tokenizer: Any) -> dict[str, int]:
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    return {"vocab_size": len(tokenizer), **ids}


def save(kind: Any, config: Any, folder: Path) -> None:
    """Random weights whose layers neither fade nor blow up: a standard deviation of 1/√(inputs) everywhere."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config)
        embeddings = model.get_input_embeddings().weight
        tied = model.get_output_embeddings().weight is embeddings
        for weight in model.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        if not tied:
            torch.nn.init.normal_(embeddings, std=1.0)
    model.save_pretrained(folder)


def save_without_video(
    name: str, folder: Path, *, image_processor: Any, tokenizer: Any, chat_template: str, **settings: Any
) -> None:
    """The files of a processor that serves videos too, part by part: its class cannot be made without torchvision."""
    image_processor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": f"{name}Processor", **settings}))
    (folder / "video_preprocessor_config.json").write_text(
        json.dumps({"video_processor_type": f"{name}VideoProcessor", "processor_class": f"{name}Processor"})
    )
