"""Tiny random checkpoints of real architectures, on disk as their publishers ship them: Qwen, InstructBLIP, Mllama, others.

Each is saved in pieces (model, tokenizer, image processor, chat template), because a Qwen processor object cannot be made
without torchvision; a normal installation loads the same folder with one call of `AutoProcessor`. The chat templates have
the shape of the real ones, their traps included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

WORDS = (
    *("yes", "no", "Yes", "No", "YES", "NO", "true", "false", "A", "B", "C", "D", "E", "F"),
    *("Is", "there", "a", "the", "in", "image", "picture", "What", "which", "Answer", "with", "or", "left", "right"),
    *("Question", "Options", "user", "assistant", "system", "You", "are", "helpful", "one", "word", "letter", "of"),
)
CORPUS = [text for word in WORDS for text in (word, f"{word} {word}") for _ in range(3)]


def make_random(model: Any, seed: int = 0) -> Any:
    """Weights of order one per unit of input, so that logits differ visibly from picture to picture; gates are open."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=draw)
            if weight.ndim > 1:
                weight.copy_(noise / weight[0].numel() ** 0.5)
            else:
                weight.copy_(_is_scale(name) + 0.3 * noise)
    return model.eval()


def _is_scale(name: str) -> bool:
    """Whether a vector multiplies (of a norm) and so lies around one; all others lie around zero."""
    module, _, kind = name.rpartition(".")
    return kind == "weight" and ("norm" in module.lower() or module.endswith("ln_q"))


def byte_level_bpe() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges as GPT-2's successors have them: 256 bytes, then words with and without a leading space."""
    from tokenizers import models, pre_tokenizers

    return _train(models.BPE(), pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.ByteLevel.alphabet())


def sentencepiece_bpe(specials: Sequence[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges as Llama's first tokenizer has them: specials, byte fallback, words with ▁ for a space."""
    from tokenizers import models, pre_tokenizers

    trained, merges = _train(models.BPE(), pre_tokenizers.Metaspace(prepend_scheme="always"), [])
    tokens = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), *sorted(trained, key=trained.__getitem__)]
    return {token: number for number, token in enumerate(tokens)}, merges


def _train(model: Any, pre_tokenizer: Any, alphabet: Sequence[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    from tokenizers import Tokenizer, trainers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=list(alphabet), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [tuple(pair) for pair in learned["merges"]]


def byte_level_tokenizer(specials: Sequence[str], **named: str) -> Any:
    """A tokenizer as Llama 3, Cohere and later Mistral models have it; a beginning token stands before every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary, merges = byte_level_bpe()
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special(specials))
    first = named["bos_token"]
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{first} $A", special_tokens=[(first, tokenizer.token_to_id(first))]),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **named)


def qwen2_tokenizer(specials: Sequence[str]) -> Any:
    from transformers import Qwen2Tokenizer

    named = {"unk_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    tokenizer = Qwen2Tokenizer(*byte_level_bpe(), **named)
    tokenizer.add_tokens(special(specials), special_tokens=True)
    return tokenizer


def special(tokens: Sequence[str]) -> list[Any]:
    from tokenizers import AddedToken

    return [AddedToken(token, special=True, normalized=False) for token in tokens]


def write_json(path: Path, **content: Any) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def add_to_json(path: Path, **content: Any) -> None:
    write_json(path, **json.loads(path.read_text(encoding="utf-8")) | content)


QWEN_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
QWEN_TURNS = """<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}\
{% if content['type'] == 'image' or 'image' in content %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif content['type'] == 'video' or 'video' in content %}<|vision_start|><|video_pad|><|vision_end|>\
{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
QWEN2_TEMPLATE = (
    """{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}"""
    + QWEN_TURNS
)
QWEN3_TEMPLATE = "{% for message in messages %}" + QWEN_TURNS


def _qwen(folder: Path, kind: str, template: str, vision: dict[str, Any], patch: int, mean: float) -> None:
    tokenizer = qwen2_tokenizer(QWEN_TOKENS)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    family = kind.removesuffix("Moe")
    processor = {"processor_class": f"{family}Processor"}
    add_to_json(folder / "tokenizer_config.json", **processor)
    pixels: dict[str, Any] = {"patch_size": patch, "temporal_patch_size": 2, "merge_size": 2}
    pixels |= {"min_pixels": (4 * patch) ** 2, "max_pixels": (8 * patch) ** 2}
    pixels |= {"image_mean": [mean] * 3, "image_std": [0.5] * 3} | processor
    write_json(folder / "preprocessor_config.json", image_processor_type="Qwen2VLImageProcessor", **pixels)
    video = "Qwen3VLVideoProcessor" if family == "Qwen3VL" else "Qwen2VLVideoProcessor"
    write_json(folder / "video_preprocessor_config.json", video_processor_type=video, **pixels)
    _save_qwen(folder, kind, tokenizer, vision | {"patch_size": patch})


def _save_qwen(folder: Path, kind: str, tokenizer: Any, vision: dict[str, Any]) -> None:
    import transformers

    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    text = {"vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 4, "num_key_value_heads": 2, "rope_parameters": rope, "bos_token_id": None}
    text |= {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    if kind.startswith("Qwen3VL"):
        text |= {"head_dim": 16}
    if kind.endswith("Moe"):
        text |= {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>")
        for name, token in (
            ("image", "image_pad"),
            ("video", "video_pad"),
            ("vision_start", "vision_start"),
            ("vision_end", "vision_end"),
        )
    }
    config = getattr(transformers, f"{kind}Config")(text_config=text, vision_config=vision, **ids)
    make_random(getattr(transformers, f"{kind}ForConditionalGeneration")(config)).save_pretrained(folder)


def qwen2_vl(folder: Path) -> None:
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2}
    _qwen(folder, "Qwen2VL", QWEN2_TEMPLATE, vision, patch=14, mean=0.48)


def qwen2_5_vl(folder: Path) -> None:
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64}
    vision |= {"window_size": 56, "fullatt_block_indexes": [1]}
    _qwen(folder, "Qwen2_5_VL", QWEN2_TEMPLATE, vision, patch=14, mean=0.48)


def qwen3_vl(folder: Path, kind: str = "Qwen3VL") -> None:
    vision = {"depth": 3, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64}
    vision |= {"num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1]}
    _qwen(folder, kind, QWEN3_TEMPLATE, vision, patch=16, mean=0.5)


def qwen3_vl_moe(folder: Path) -> None:
    qwen3_vl(folder, "Qwen3VLMoe")


def instructblip(folder: Path) -> None:
    """As instructblip-vicuna: no chat template; `</s>` is the first token, the last one and the unknown one."""
    from transformers import BertTokenizer, BlipImageProcessor, InstructBlipProcessor, LlamaTokenizer

    vocabulary, merges = sentencepiece_bpe(("<unk>", "<s>", "</s>"))
    tokenizer = LlamaTokenizer(vocabulary, merges, unk_token="</s>", bos_token="</s>", eos_token="</s>")
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    letters = [chr(code) for code in range(33, 127)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    reader = BertTokenizer({piece: number for number, piece in enumerate(pieces)})
    reader.add_special_tokens({"bos_token": "[DEC]"})
    eye = BlipImageProcessor(size={"height": 32, "width": 32})
    processor = InstructBlipProcessor(eye, tokenizer, reader, num_query_tokens=4)
    processor.save_pretrained(folder)
    _save_instructblip(folder, processor)


def _save_instructblip(folder: Path, processor: Any) -> None:
    from transformers import InstructBlipConfig, InstructBlipForConditionalGeneration

    tokenizer, reader = processor.tokenizer, processor.qformer_tokenizer
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    vision = layers | {"hidden_size": 32, "intermediate_size": 48, "image_size": 32, "patch_size": 8}
    qformer = layers | {"vocab_size": len(reader), "hidden_size": 32, "intermediate_size": 48}
    qformer |= {"encoder_hidden_size": 32, "max_position_embeddings": 128, "cross_attention_frequency": 1}
    text = layers | {"model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 96}
    text |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": tokenizer.pad_token_id}
    config = InstructBlipConfig(
        vision_config=vision,
        qformer_config=qformer,
        text_config=text,
        num_query_tokens=processor.num_query_tokens,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    make_random(InstructBlipForConditionalGeneration(config)).save_pretrained(folder)


LLAMA3_TOKENS = (
    *("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|finetune_right_pad_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
)
# The real one: a conversation without a picture gets a system turn with the date of the day.
MLLAMA_TEMPLATE = """{{- bos_token }}
{%- if not date_string is defined %}{%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}\
{%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}{%- endif %}
{%- set seen = namespace(images=false) %}
{%- for message in messages %}{%- for content in message['content'] %}
{%- if content['type'] == 'image' %}{%- set seen.images = true %}{%- endif %}{%- endfor %}{%- endfor %}
{%- if not seen.images %}
{{- "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n<|eot_id|>" }}{%- endif %}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
{%- if message['content'] is string %}{{- message['content'] }}{%- else %}
{%- for content in message['content'] %}
{%- if content['type'] == 'image' %}{{- '<|image|>' }}
{%- elif content['type'] == 'text' %}{{- content['text'] }}{%- endif %}{%- endfor %}{%- endif %}
{{- '<|eot_id|>' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"""


def mllama(folder: Path) -> None:
    """As Llama-3.2-Vision: the image token's id lies one beyond the rows of the output layer."""
    import transformers

    tokenizer = byte_level_tokenizer(
        LLAMA3_TOKENS,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|finetune_right_pad_id|>",
    )
    rows = len(tokenizer)
    tokenizer.add_tokens(special(["<|image|>"]), special_tokens=True)
    eye = transformers.MllamaImageProcessor(size={"height": 32, "width": 32}, max_image_tiles=4)
    transformers.MllamaProcessor(eye, tokenizer, chat_template=MLLAMA_TEMPLATE).save_pretrained(folder)
    layers = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "attention_heads": 2}
    vision = layers | {"num_global_layers": 2, "image_size": 32, "patch_size": 8, "max_num_tiles": 4}
    vision |= {"intermediate_layers_indices": [0, 1], "vision_output_dim": 96}
    text = {"vocab_size": rows, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3}
    text |= {"num_attention_heads": 4, "num_key_value_heads": 2, "cross_attention_layers": [1]}
    text |= {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text |= {"pad_token_id": tokenizer.pad_token_id}
    config = transformers.MllamaConfig(vision_config=vision, text_config=text, image_token_index=rows)
    make_random(transformers.MllamaForConditionalGeneration(config)).save_pretrained(folder)


AYA_TOKENS = (
    *("<PAD>", "<UNK>", "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>"),
    *("<|CHATBOT_TOKEN|>", "<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "TILE", "TILE_GLOBAL"),
)
AYA_TEMPLATE = """{{ bos_token }}{% for message in messages %}<|START_OF_TURN_TOKEN|>\
{{ '<|USER_TOKEN|>' if message['role'] == 'user' else '<|CHATBOT_TOKEN|>' }}\
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}\
{% if content['type'] == 'image' %}<image>{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}\
{% endfor %}{% endif %}<|END_OF_TURN_TOKEN|>{% endfor %}\
{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"""


def aya_vision(folder: Path) -> None:
    """No family of ours: tiles, and two names for its image token (`<image>` in the template, `<|IMG_PATCH|>` behind it)."""
    import transformers

    named = {"bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>", "pad_token": "<PAD>"}
    tokenizer = byte_level_tokenizer(AYA_TOKENS, unk_token="<UNK>", **named)
    eye = transformers.GotOcr2ImageProcessor(size={"height": 32, "width": 32}, crop_to_patches=True, max_patches=4)
    processor = transformers.AyaVisionProcessor(
        eye, tokenizer, patch_size=8, img_size=32, downsample_factor=2, chat_template=AYA_TEMPLATE
    )
    processor.save_pretrained(folder)
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    vision = layers | {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48}
    vision |= {"image_size": 32, "patch_size": 8, "vision_use_head": False}
    text = layers | {"model_type": "cohere2", "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 96}
    text |= {"num_key_value_heads": 2, "logit_scale": 0.5, "bos_token_id": tokenizer.bos_token_id}
    text |= {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = transformers.AyaVisionConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.convert_tokens_to_ids("<|IMG_PATCH|>")
    )
    make_random(transformers.AyaVisionForConditionalGeneration(config)).save_pretrained(folder)


ONEVISION_TEMPLATE = """{% for message in messages %}<|im_start|>{{ message['role'] }} \
{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}<image>{% endfor %}\
{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}\
{{ '\n' + content['text'] }}{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def llava_onevision(folder: Path) -> None:
    """No family of ours: tiles of any layout, other image tokens where a prompt has several pictures, video files."""
    import transformers

    tokenizer = qwen2_tokenizer((*QWEN_TOKENS[:3], "<image>", "<video>"))
    tokenizer.chat_template = ONEVISION_TEMPLATE
    tokenizer.save_pretrained(folder)
    grid = [[32, 32], [32, 64], [64, 32], [64, 64]]
    pixels: dict[str, Any] = {"size": {"height": 32, "width": 32}, "image_grid_pinpoints": grid}
    write_json(folder / "preprocessor_config.json", image_processor_type="LlavaOnevisionImageProcessor", **pixels)
    video = {"video_processor_type": "LlavaOnevisionVideoProcessor", "size": pixels["size"]}
    write_json(folder / "video_preprocessor_config.json", **video)
    about = {"num_image_tokens": 16, "vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_9"}
    write_json(folder / "processor_config.json", processor_class="LlavaOnevisionProcessor", **about)
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    vision = layers | {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48}
    vision |= {"image_size": 32, "patch_size": 8, "vision_use_head": False}
    text = layers | {"model_type": "qwen2", "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 96}
    text |= {"num_key_value_heads": 2, "bos_token_id": None}
    text |= {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = transformers.LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_grid_pinpoints=grid,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
    )
    make_random(transformers.LlavaOnevisionForConditionalGeneration(config)).save_pretrained(folder)


CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "qwen3-vl": qwen3_vl,
    "qwen3-vl-moe": qwen3_vl_moe,
    "instructblip": instructblip,
    "mllama": mllama,
    "aya-vision": aya_vision,
    "llava-onevision": llava_onevision,
}
