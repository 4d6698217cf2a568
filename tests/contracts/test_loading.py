"""Loading what a grid names: adapters, reference mode, half precision, labels of several tokens, and what cannot be loaded."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch
from builders import run_grid

from mmplat.contracts import Subject
from mmplat.errors import ConfigError, ModelError
from mmplat.models import bind, families
from mmplat.models._pictures import Pictures, change_pixels
from mmplat.models.identity import known_identity, remember_identity
from mmplat.views import bind as view


def load(folder, **settings):
    spec = bind("m", {"path": str(folder), **settings})
    return families.get(spec.family).load(spec)


@pytest.fixture(scope="module")
def peft_adapter(untrained, tmp_path_factory):
    """A LoRA that moves the logits, saved as PEFT saves it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    folder = tmp_path_factory.mktemp("adapter")
    model = AutoModelForImageTextToText.from_pretrained(untrained, dtype=torch.float32)
    torch.manual_seed(3)
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    tuned.save_pretrained(folder)
    return folder, tuned.eval()


def test_an_adapter_on_top_says_what_peft_says(untrained, peft_adapter):
    folder, tuned = peft_adapter
    plain, adapted = load(untrained), load(untrained, adapter=str(folder))
    ask = Subject(adapted).ask()
    ours = adapted.forward(adapted.encode([ask]))
    with torch.inference_mode():
        theirs = tuned(**adapted.reference_inputs(ask)).logits[:, -1]
    assert (ours - theirs).abs().max() < 1e-4
    assert (ours - plain.forward(plain.encode([ask]))).abs().max() > 1e-2
    assert adapted.identity["peft"]
    assert {k: v for k, v in adapted.identity.items() if k != "peft"} == plain.identity


def test_an_adapter_that_is_none_gives_one_clear_message(untrained, tmp_path):
    with pytest.raises(ModelError, match=r"Its adapter failed: .*Give a folder with adapter_config.json"):
        load(untrained, adapter=str(tmp_path))


def test_evidence_of_an_adapter_is_not_that_of_the_model(untrained, peft_adapter, tmp_path):
    folder, _ = peft_adapter
    plain = bind("m", {"path": str(untrained)})
    remember_identity(tmp_path / "a", plain, load(untrained).identity)
    assert known_identity(plain, [tmp_path])
    assert known_identity(bind("m", {"path": str(untrained), "adapter": str(folder)}), [tmp_path]) is None


def test_reference_mode_asks_one_by_one_in_float32(untrained):
    model = load(untrained, reference=True, dtype="bfloat16")
    assert (model.batch_limit, model.dtype, model.identity["reference"]) == (1, "float32", True)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_close_to_float32_and_its_rows_are_float32(untrained, dtype):
    half, full = load(untrained, dtype=dtype), load(untrained)
    ask = Subject(full).ask()
    ours = half.forward(half.encode([ask]))
    assert ours.dtype == torch.float32
    assert (ours - full.forward(full.encode([ask]))).abs().max() < 0.1
    assert half.identity["dtype"] == dtype


def test_machine_settings_are_in_no_key(untrained):
    one, other = (
        bind("m", {"path": str(untrained), "device": d, "needs": {"gpus": g}}) for d, g in (("cpu", 1), ("cuda:1", 2))
    )
    assert one.key == other.key
    assert bind("m", {"path": str(untrained), "dtype": "bfloat16"}).key != one.key


SPLIT_LABELS = """
campaign: long
models: [{{name: m, path: "{path}"}}]
suites: [{{name: world-objects, params: {{n: 12}}}}]
decodings: [greedy, sample, t0.5]
methods: [naive, posthoc-none, vdd-none]
"""


def test_labels_without_a_one_token_spelling_are_scored_as_continuations(untrained, results, monkeypatch):
    from mmplat.errors import IncompatibleCell
    from mmplat.models.llava import Llava

    def none(self, labels):
        raise IncompatibleCell("no single tokens today")

    text = SPLIT_LABELS.format(path=untrained)
    run_grid(text, results)
    rows = evidence_of(results)
    shutil.rmtree(results.root / "evidence")
    shutil.rmtree(results.root / "batches")
    monkeypatch.setattr(Llava, "spellings", none)
    ran = run_grid(text, results)
    scored = evidence_of(results)
    assert set(ran.table("runs")["status"]) == {"done"}
    assert scored["label_tokens"].list.unique().to_list() == [[1]] * scored.height
    assert (scored["vocab_size"] == 2).all()
    both = scored.join(rows, on=["sample_key", "view"], suffix="_row")
    assert both.height == 24
    assert both["spelling_of_row"].list.unique().to_list()[0] == [0, 1]
    assert (both["spelling_of_row"].list.last() == 1).all(), "one token spells no: its row and its continuation agree"
    said, row = (np.array(both[name].to_list())[:, 1] for name in ("label_logits", "label_logits_row"))
    assert np.abs(said - (row - both["lse_row"].to_numpy())).max() < 1e-4
    total = np.exp(np.array(both["label_logits"].to_list())).sum(axis=1)
    assert np.abs(both["label_mass"].to_numpy() - total).max() < 1e-6


def evidence_of(results):
    return pl.concat(pl.read_parquet(p, glob=False) for p in (results.root / "evidence").rglob("part-*.parquet"))


def test_an_unknown_architecture_with_a_vision_tower_falls_back_to_generic(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["NewVlm"], "vision_config": {}}))
    assert bind("x", {"path": str(tmp_path)}).family == "generic"


def test_a_hub_name_finds_its_family_without_a_download():
    spec = bind("llava-hf/llava-1.5-7b-hf")
    assert (spec.family, spec.path) == ("llava", "llava-hf/llava-1.5-7b-hf")
    with pytest.raises(ConfigError, match=r"nobody/knows is no local folder.*also `family:`"):
        bind("nobody/knows")


def test_a_wrong_path_is_no_hub_name():
    with pytest.raises(ModelError, match=r"there is no checkpoint folder './missing'"):
        families.get("llava").load(bind("x", {"path": "./missing", "family": "llava"}))


def test_a_checkpoint_without_its_processor_says_so(untrained, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(untrained, folder)
    for name in ("processor_config.json", "preprocessor_config.json"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"Its processor failed: .*preprocessor_config.json"):
        load(folder)


def test_pickled_weights_are_refused_unless_the_grid_says_so(untrained, tmp_path):
    from transformers import AutoModelForImageTextToText

    folder = tmp_path / "pickled"
    shutil.copytree(untrained, folder)
    weights = AutoModelForImageTextToText.from_pretrained(untrained).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load(folder)
    assert load(folder, pickled_weights=True).vocab_size


def test_an_adapter_whose_weights_are_pickled_is_refused_unless_the_grid_says_so(untrained, peft_adapter, tmp_path):
    """peft takes adapter_model.bin where there are no safetensors, whatever is said of the model's own weights."""
    from safetensors.torch import load_file

    folder = tmp_path / "pickled"
    shutil.copytree(peft_adapter[0], folder)
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    assert load(untrained, adapter=str(folder)).vocab_size
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="the weights of its adapter .* are no safetensors"):
        load(untrained, adapter=str(folder))
    assert load(untrained, adapter=str(folder), pickled_weights=True).vocab_size


def test_the_vision_tower_takes_half_where_memory_does_not_suffice():
    sizes = []

    def see(processed):
        sizes.append(len(processed))
        if len(processed) > 3:
            raise torch.OutOfMemoryError("as a device says it")
        return [torch.zeros(1, 1) for _ in processed]

    pictures = Pictures(
        lambda some: [{"pixel_values": picture[None].astype(np.float32)} for picture in some],
        see,
        lambda processed: "",
        change_pixels,
        batch=8,
    )
    asks = [Subject(None).ask(pictures=(np.full((8, 8, 3), i, np.uint8),)) for i in range(8)]
    assert len(pictures.of(asks)) == 8
    assert sizes == [8, 4, 2, 2, 2, 2]
    pictures.forget()
    pictures.of(asks)
    assert sizes[6:] == [2, 2, 2, 2], "it remembers"


def test_a_question_that_holds_the_placeholder_is_refused(untrained):
    model = load(untrained)
    ask = Subject(model).ask(question="What does <image> mean?")
    assert "means a picture to this model" in model.refuses(ask)
    assert view("image").key == ask.view.key


def test_whatever_changes_pixels_is_in_the_identity(untrained, tmp_path):
    from mmplat.models._loading import _plain_settings

    eye = load(untrained).processor.image_processor
    whole = _plain_settings(eye)
    brighter = type(eye)(**{**eye.to_dict(), "image_mean": [0.1, 0.2, 0.3]})
    other_backend = type("Resizing", (type(eye),), {})(**eye.to_dict())
    assert _plain_settings(type(eye)(**eye.to_dict())) == whole
    assert _plain_settings(brighter) != whole
    assert _plain_settings(other_backend) != whole
