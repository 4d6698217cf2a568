"""Views inside the network against their definition, computed another way: by eager attention, by removal, by hidden states."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmplat.contracts import Subject
from mmplat.errors import ConfigError
from mmplat.methods import bind as bind_method
from mmplat.models import _inside, bind, families
from mmplat.views import bind as view
from mmplat.views.inside import Blind

STRENGTH, AFTER = 0.7, 0.5


@pytest.fixture(scope="module")
def subject():
    spec = bind("tiny")
    return Subject(families.get(spec.family).load(spec))


@pytest.fixture(scope="module")
def prompt(subject):
    """One question as tensors of transformers' own: embeddings with the image in them, and where the image is."""
    inputs = subject.model.reference_inputs(subject.ask())
    network = subject.model.network
    with torch.inference_mode():
        embeds = network.get_input_embeddings()(inputs["input_ids"])
        places = inputs["input_ids"] == network.config.image_token_id
        seen = torch.cat(list(network.get_image_features(inputs["pixel_values"], return_dict=True).pooler_output))
        return embeds.masked_scatter(places[..., None], seen), places[0]


def said(subject, kind, **params):
    return subject.logits(subject.ask(kind, params=params))[0]


def attention(model, embeds):
    """Every layer's weights (layer, head, query, key), by eager attention."""
    with _inside.attention_by(model.network, "eager"):
        out = model.network(inputs_embeds=embeds, output_attentions=True)
    return torch.cat(out.attentions)


def eager_with_raised_scores(places, last):
    """Plain attention in which the `last` queries' scores on image tokens are a + strength·|a|, in the deeper half."""

    def attend(module, query, key, value, attention_mask, scaling, dropout=0.0, **options):
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key) * scaling + attention_mask
        if module.layer_idx >= int(AFTER * module.config.num_hidden_layers):
            mine = scores[:, :, -last:, : len(places)]
            mine[..., places] += STRENGTH * mine[..., places].abs()
        weights = scores.softmax(-1)
        return torch.einsum("bhqk,bhkd->bqhd", weights, value), weights

    return attend


@torch.inference_mode()
def test_raised_is_eager_attention_with_the_last_query_raised_then_every_token_of_the_answer(
    subject, prompt, monkeypatch
):
    embeds, places = prompt
    model, tokens = subject.model, torch.tensor([[11, 12, 13]])
    stream = model.prefill(model.encode([subject.ask("raised", params={"strength": STRENGTH, "after": AFTER})]))
    ours = [stream.logits, *(model.advance(stream, tokens[:, at : at + 1])[:, -1] for at in range(3))]
    layer = type(model.network.get_decoder().layers[0].self_attn)
    for count, mine in enumerate(ours):
        longer = torch.cat([embeds, model.network.get_input_embeddings()(tokens[:, :count])], dim=1)
        patched = eager_with_raised_scores(places, last=1 + count)
        monkeypatch.setattr(sys.modules[layer.__module__], "eager_attention_forward", patched)
        with _inside.attention_by(model.network, "eager"):
            theirs = model.network(inputs_embeds=longer).logits[:, -1]
        assert torch.allclose(mine, theirs, atol=1e-4)
    assert not torch.allclose(ours[0], subject.logits(subject.ask()), atol=1e-2), "the image says something else"


@pytest.mark.parametrize(("first", "keep"), [(1, 0.5), (2, 0.25), (3, 0.25), (3, 0.75)])  # of 4 layers
@torch.inference_mode()
def test_hidden_tokens_are_as_good_as_removed(subject, prompt, first, keep):
    embeds, places = prompt
    model = subject.model
    decoder = model.network.get_decoder()
    looks = attention(model, embeds)[first - 1, :, -1].mean(dim=0)
    image = places.nonzero()[:, 0]
    stays = image[looks[image].argsort()[: round(keep * len(image))]]
    kept = torch.cat([(~places).nonzero()[:, 0], stays]).sort().values
    positions = torch.arange(embeds.shape[1])[None]
    state = embeds
    for number, layer in enumerate(decoder.layers):
        if number == first:
            state, positions = state[:, kept], positions[:, kept]
        width = state.shape[1]
        mask = torch.full((width, width), torch.finfo(torch.float32).min).triu(1)[None, None]
        cos_sin = decoder.rotary_emb(state, position_ids=positions)
        out = layer(state, attention_mask=mask, position_ids=positions, position_embeddings=cos_sin)
        state = out[0] if isinstance(out, tuple) else out
    theirs = model.network.lm_head(decoder.norm(state))[0, -1]
    assert torch.allclose(said(subject, "least-attended", after=first / 4, keep=keep), theirs, atol=1e-4)


@torch.inference_mode()
def test_tokens_that_are_not_blind_are_zero(subject, prompt):
    embeds, places = prompt
    looks = attention(subject.model, embeds)[:, :, -1].mean(dim=1).numpy()[:, places.numpy()]  # (layer, image token)
    heavy, held = [], 0.0
    for layer in np.argsort(-looks.sum(axis=1)):
        if held < 0.5 * looks.sum():
            heavy.append(layer)
            held += looks[layer].sum()
    mean = looks[heavy].mean(axis=0)
    blind = mean > mean.mean() + 0.5 * mean.std(ddof=1)
    assert 0 < blind.sum() < len(blind), "some are, some are not"
    dimmed = embeds.clone()
    dimmed[0, places.nonzero()[:, 0][~torch.tensor(blind)]] = 0
    theirs = subject.model.network(inputs_embeds=dimmed).logits[0, -1]
    assert torch.allclose(said(subject, "blind", layers=0.5, spread=0.5), theirs, atol=1e-4)


@pytest.mark.parametrize("norm", [0, 1])
@pytest.mark.parametrize(("layers", "state"), [("low", 0), ("high", 2)])  # of 4 layers, every second one of a half
@torch.inference_mode()
def test_premature_is_the_output_layer_on_a_hidden_state(subject, prompt, layers, state, norm):
    network = subject.model.network
    hidden = network(inputs_embeds=prompt[0], output_hidden_states=True).hidden_states[state][:, -1]
    theirs = network.lm_head(network.get_decoder().norm(hidden) if norm else hidden)[0]
    assert torch.allclose(said(subject, "premature", layers=layers, norm=norm), theirs, atol=1e-4)


@torch.inference_mode()
def test_watching_sees_what_attend_sees_and_changes_nothing(subject):
    model = subject.model
    encoded = model.encode([subject.ask(number=number) for number in range(3)])
    stream, watched = model.watch(encoded)
    assert torch.allclose(watched.looks[0][:, :, 0], model.attend(encoded), atol=1e-5)
    assert torch.allclose(stream.logits, model.forward(encoded), atol=1e-5)
    model.advance(stream, torch.tensor([[7]] * 3))
    assert watched.looks[1].shape[-1] == watched.looks[0].shape[-1] + 1
    assert torch.allclose(watched.looks[1].sum(dim=-1), torch.ones(()), atol=1e-5)


# ── Choices, by hand ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_blind_tokens_by_hand():
    """Layer 2 alone holds half of the attention to the image; there the mean is 0.2 and the deviation √(4 · 0.01 / 3) = 0.1155."""
    places = torch.tensor([[False, True, True, True, True]])
    looks = torch.tensor([[[0.6, 0.1, 0.1, 0.1, 0.1], [0.2, 0.15, 0.15, 0.15, 0.35], [0.9, 0.1, 0.0, 0.0, 0.0]]])
    looks[0, 1] = torch.tensor([0.2, 0.1, 0.3, 0.3, 0.1])
    found = _inside.blind_tokens(looks, places, Blind(layers=0.5, spread=0.86))
    assert found.tolist() == [[False, False, True, True, False]], "0.3 > 0.2 + 0.86 · 0.1155"
    assert not _inside.blind_tokens(looks, places, Blind(layers=0.5, spread=0.87)).any(), "0.3 < 0.2 + 0.87 · 0.1155"


def test_two_layers_are_looked_at_where_one_holds_too_little():
    places = torch.ones((1, 2), dtype=torch.bool)
    looks = torch.tensor([[[0.5, 0.1], [0.1, 0.4], [0.01, 0.0]]])  # 0.6, 0.5 and 0.01 of 1.11
    assert _inside.blind_tokens(looks, places, Blind(layers=0.5, spread=0.0)).tolist() == [[True, False]]
    looks[0, 1] = torch.tensor([0.0, 0.6])
    assert _inside.blind_tokens(looks, places, Blind(layers=0.9, spread=0.0)).tolist() == [[False, True]]


def test_a_prompt_without_a_picture_has_no_blind_token():
    looks, places = torch.rand(2, 3, 4), torch.zeros((2, 4), dtype=torch.bool)
    assert not _inside.blind_tokens(looks, places, Blind(0.5, 1.0)).any()


def test_the_least_attended_share_is_the_nearest_number_and_stays_on_the_image():
    looks = torch.tensor([[0.0, 0.4, 0.1, 0.2, 0.3], [0.0, 0.4, 0.1, 0.2, 0.3]])
    places = torch.tensor([[False, True, True, True, True], [False, False, False, True, True]])
    found = _inside.least(looks, places, 0.3)  # 1.2 of 4 tokens, 0.6 of 2
    assert found.tolist() == [[False, False, True, False, False], [False, False, False, True, False]]
    assert (_inside.least(looks, places, 1.0) == places).all()
    assert _inside.least(looks, places, 0.01).sum(dim=1).tolist() == [1, 1], "something stays"
    assert not _inside.least(looks, places, 0.0).any()


def test_the_shares_of_sid_and_pai_are_the_papers_numbers_on_llava():
    """Of 576 image tokens 100 stay, behind the second of 32 layers."""
    image = torch.ones((1, 576), dtype=torch.bool)
    sid, pai = bind_method("sid").spec.params, bind_method("pai").spec.params
    assert _inside.least(torch.rand((1, 576)), image, sid["keep"]).sum() == 100
    deep = SimpleNamespace(depth=32)
    assert _inside.Attending.first_after(deep, sid["after"]) == _inside.Attending.first_after(deep, pai["after"]) == 2
    assert _inside.Attending.first_after(SimpleNamespace(depth=100), 0.29) == 29, "which is 28.999… in floating point"


def test_divergence_by_hand_and_the_furthest_candidate_of_each_row():
    sure, other = torch.tensor([[50.0, -50.0]]), torch.tensor([[-50.0, 50.0]])
    assert _inside.jensen_shannon(sure, sure).item() == pytest.approx(0, abs=1e-6)
    assert _inside.jensen_shannon(sure, other).item() == pytest.approx(math.log(2), abs=1e-6)
    p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    by_hand = (math.log(0.5 / 0.7) + math.log(0.5 / 0.3)) / 4 + (
        0.9 * math.log(0.9 / 0.7) + 0.1 * math.log(0.1 / 0.3)
    ) / 2
    assert _inside.jensen_shannon(p, q).item() == pytest.approx(by_hand, abs=1e-6)
    final = torch.stack([sure, other])  # (row, step, vocab)
    near, far = torch.stack([sure, sure]), torch.stack([other, other])
    assert torch.equal(_inside.furthest(final, [near, far]), torch.stack([other, sure]))


@pytest.mark.parametrize(
    ("depth", "which", "tied", "expected"),
    [
        (32, "high", False, list(range(16, 32, 2))),
        (32, "low", False, list(range(0, 16, 2))),
        (32, "low", True, list(range(2, 16, 2))),
        (4, "low", True, [2]),
        (2, "high", False, [1]),
        (32, "last", False, []),
        (40, "high", False, list(range(20, 40, 2))),
        (80, "high", False, list(range(60, 80, 2))),
        (80, "low", True, list(range(2, 20, 2))),
    ],
)
def test_candidate_layers(depth, which, tied, expected):
    assert _inside.candidates(depth, which, tied=tied) == expected


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("raised", {"strength": -1}, "strength = -1. Allowed: numbers from 0 to 100"),
        ("least-attended", {"keep": 1.5}, "keep = 1.5. Allowed: numbers from 0 to 1"),
        ("blind", {"layers": 2}, "layers = 2. Allowed: numbers from 0 to 1"),
        ("premature", {"layers": "middle"}, "layers = 'middle'. Allowed: low, high, last"),
    ],
)
def test_a_wrong_number_is_refused_with_what_is_allowed(kind, params, said):
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        view(kind, params)
