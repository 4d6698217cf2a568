"""No parameter of a method, a view or a decoding gives a silent number: it is refused, or what it gives is finite."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
import torch
from builders import run_grid
from test_contrast_variants import MAIN, REFERENCE, evidence_for

from mmplat.decoding import distribution, parse_decoding
from mmplat.decoding.configs import named_settings
from mmplat.decoding.filters import Scores, sort_scores
from mmplat.errors import ConfigError, NotFinite
from mmplat.grid import parse_grid
from mmplat.methods import bind, catalog
from mmplat.methods.base import Method, MethodKind
from mmplat.records import DecodingSpec
from mmplat.views import bind as bind_view
from mmplat.views import catalog as views

HEAD = "campaign: a\nmodels: [fake]\nsuites: [world-objects]\n"
EXTREMES = [0, -0.0, -1, 1e-308, 1e-300, 999.0, 1e17, 1e308, -1e308, 10**30, math.nan, math.inf, -math.inf, True, "0.7"]
NUMBERS = [
    (name, param)
    for name, kind in catalog.items()
    for param, default in kind.defaults.items()
    if isinstance(default, (int, float))
]


@pytest.mark.parametrize(("name", "param"), NUMBERS)
@pytest.mark.parametrize("value", EXTREMES, ids=str)
def test_a_parameter_is_refused_or_gives_finite_numbers(name, param, value):
    try:
        method = bind(name, {param: value})
    except ConfigError:
        return
    assert math.isfinite(value)
    assert abs(value) <= 1000
    if method.search is not None:
        return
    if not method.written_only:
        for decoding in ("greedy", "sample", "t0.7-k3-p0.9"):
            answers = distribution(method.scores(evidence_for(method)), parse_decoding(decoding))
            assert np.isfinite(answers.probs).all()
            assert answers.probs.sum(axis=1) + answers.other == pytest.approx(1)
    if method.combine is not None:
        for step in (0, 3):
            said = method.combine(torch.tensor([MAIN]), [torch.tensor([REFERENCE])] * len(method.references), step)
            # Infinite is what one cannot say; a row that is NaN fails its sample where it is written.
            assert said.softmax(dim=-1).isfinite().all() or (name, param) == ("m3id", "decay")


@pytest.mark.parametrize(
    ("name", "param"),
    [
        (name, param)
        for name, kind in views.items()
        for param, default in kind.defaults.items()
        if isinstance(default, (int, float)) and param != "seed"
    ],
)
@pytest.mark.parametrize("value", [-1e308, 1e308, 10**30, math.nan, math.inf, True, "much"], ids=str)
def test_a_view_refuses_what_means_nothing(name, param, value):
    with pytest.raises(ConfigError):
        bind_view(name, {param: value})


def test_contrast_beyond_floats_is_refused_with_its_line():
    with pytest.raises(ConfigError, match=r"g.yaml:4 .*alpha = 1e\+308. Allowed: numbers from 0 to 1000"):
        parse_grid(HEAD + "methods: [{name: vcd, params: {alpha: 1e308}}]\n", source="g.yaml")


def test_post_hoc_without_smoothing_does_not_divide_nothing_by_nothing():
    """A suite pads the labels of questions that have fewer: 0 by 0 made NaN of all of them."""
    method = bind("posthoc-none", {"epsilon": 0})
    evidence = evidence_for(method)
    for rows in {id(one): one for one in (evidence.main, *evidence.views.values())}.values():
        rows.label_logits[:, 3] = -np.inf
    answers = distribution(method.scores(evidence), parse_decoding("sample"))
    assert answers.probs.sum() == pytest.approx(1)
    assert answers.probs[0, 3] == 0


def test_names_tell_parameters_apart_that_six_digits_do_not():
    names = [bind("vcd", {"alpha": alpha}).spec.name for alpha in (0.5, 1.0000001, 1.00000010001)]
    assert names == ["vcd(alpha=0.5)", "vcd(alpha=1.0000001)", "vcd(alpha=1.00000010001)"]
    assert bind("opera", {"unit": 1e-6}).spec.name == "opera(unit=1e-06)"


ODD = {"nan": np.nan, "infinite": np.inf}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("decoding", ["greedy", "sample", "k1", "p0.5"])
def test_scores_that_are_no_numbers_decide_nothing(odd, decoding):
    logits = np.array([[1.0, 0.0], [odd, 0.0], [0.0, odd]])
    scores = sort_scores(logits, np.tile(np.arange(2, dtype=np.int16), (3, 1)), 2)
    with pytest.raises(NotFinite, match="2 of 3 samples are NaN or infinite") as caught:
        distribution(scores, parse_decoding(decoding))
    assert caught.value.samples.tolist() == [False, True, True]


def test_a_row_in_which_nothing_can_be_said_decides_nothing():
    scores = Scores(np.full((1, 2), -np.inf), np.array([[0, 1]], np.int16), 2)
    with pytest.raises(NotFinite):
        distribution(scores, parse_decoding("greedy"))


@pytest.fixture
def overflowing():
    """A method of somebody else that overflows on every third sample, and one that does so on all of them."""

    def build(every):
        def made(spec, seed):
            def scores(evidence):
                logits = evidence.main.label_logits.copy()
                logits[::every] = logits[::every] * 1e308 * 1e308
                labels = np.broadcast_to(np.arange(logits.shape[1], dtype=np.int16), logits.shape)
                return sort_scores(logits - logits * 0.5, labels, logits.shape[1])

            return Method(spec, (), scores)

        return made

    for name, every in (("some-overflow", 3), ("all-overflow", 1)):
        catalog.add(name, MethodKind(name, "", name, 1, build(every), {"alpha": 2.0}))
    yield
    for name in ("some-overflow", "all-overflow"):
        del catalog._items[name]


def test_a_cell_whose_scores_overflow_fails_and_says_which_method_and_parameters(overflowing, results):
    ran = run_grid(
        HEAD + "methods: [naive, some-overflow, all-overflow]\ndecodings: [greedy, sample]\nlimit: 9\n", results
    )
    runs = {(run["method"], run["decoding"]): run for run in ran.table("runs").to_dicts()}
    for decoding in ("greedy", "sample"):
        assert runs["naive", decoding]["status"] == "done"
        some, every = runs["some-overflow", decoding], runs["all-overflow", decoding]
        assert (some["status"], some["n"], some["n_failed"]) == ("incomplete", 6, 3)
        assert (every["status"], every["n"]) == ("failed", 0)
        assert "9 samples: the scores of method 'all-overflow' are NaN or infinite" in every["error"]
        assert "its parameters: alpha = 2.0" in every["error"]
        assert every["run_id"] not in ran.table("metrics")["run_id"].to_list()
    predictions = ran.table("predictions").filter(run_id=runs["some-overflow", "greedy"]["run_id"])
    assert predictions.filter(pl.col("error").is_not_null())["answer"].is_null().all()


def test_logits_that_are_infinite_fail_their_samples_alone(results, monkeypatch):
    """An overflow in half precision may come out as infinity instead of NaN."""
    from mmplat.models.fake import Fake

    row = Fake._row

    def overflows(self, ask):
        logits = row(self, ask)
        if ask.sample.sample_id.endswith("-1"):
            logits[3] = np.inf
        return logits

    monkeypatch.setattr(Fake, "_row", overflows)
    ran = run_grid(HEAD + "limit: 30\n", results)
    failed = ran.table("predictions").filter(pl.col("error").is_not_null())
    assert 0 < failed.height < 30
    assert failed["error"].str.contains("made the model say infinity; try dtype float32").all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 1e-300}, "temperature 1e-300. Allowed: from 0.001 to 1000"),
        ({"temperature": 1e308}, "Allowed: from 0.001 to 1000"),
        ({"temperature": 0}, "has temperature 0. Allowed: above 0; use 'greedy'"),
        ({"temperature": -0.0}, "Allowed: above 0; use 'greedy'"),
        ({"temperature": -1}, "Allowed: above 0; use 'greedy'"),
        ({"top_p": 1.0000001}, r"top_p 1. Allowed: from 0 to 1|top_p 1.0000001. Allowed: from 0 to 1"),
        ({"top_p": -1e-308}, "Allowed: from 0 to 1"),
        ({"top_k": 0}, "top_k 0. Allowed: 1 and above"),
        ({"top_k": -1}, "top_k -1. Allowed: 1 and above"),
        ({"top_k": 10**12}, "Allowed: 1 and above, up to 2147483647"),
    ],
    ids=str,
)
def test_a_decoding_refuses_what_means_nothing(settings, message):
    entry = ", ".join(f"{name}: {value}" for name, value in settings.items())
    with pytest.raises(ConfigError, match=message):
        parse_grid(HEAD + f"decodings: [{{{entry}}}]\n")


@pytest.mark.parametrize("name", ["k1.0", "k1.5", "k5.0", "t0.7-k50.0"])
def test_a_whole_number_of_tokens_is_kept(name):
    with pytest.raises(ConfigError, match=r"keeps .*\.\d tokens. Allowed: k and a whole number, as in 'k50'"):
        parse_decoding(name)


@pytest.mark.parametrize("name", ["k0", "t0", "t0.0", "p1.1", "t1e-3", "k-1", "p-0", "k١", "t.5", "t1.", "k", "t1-t2"])
def test_a_name_that_spells_nothing_is_refused(name):
    with pytest.raises(ConfigError):
        parse_decoding(name)


def test_no_nucleus_at_all_is_greedy_whatever_its_sign():
    grid = parse_grid(HEAD + "decodings: [{top_p: -0.0}]\n")
    assert (grid.decodings[0].name, grid.decodings[0].settings) == ("p0", {"greedy": True})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: k5, top_k: 7}", "'top_k': 5"),
        ("{name: greedy, temperature: 2}", "'greedy': True"),
        ("{name: t0.7, temperature: 0.7, top_k: 3}", "'temperature': 0.7"),
    ],
)
def test_a_decoding_is_not_called_what_it_is_not(entry, said):
    with pytest.raises(ConfigError, match=rf"has other settings .* than its name says .*{said}"):
        parse_grid(HEAD + f"decodings: [{entry}]\n")


def test_a_decoding_may_be_called_what_it_is_or_anything_else():
    grid = parse_grid(HEAD + "decodings: [{name: k5, top_k: 5}, {name: hot, temperature: 2}]\n")
    assert [one.name for one in grid.decodings] == ["k5", "hot"]


def test_the_name_of_settings_spells_them_exactly():
    values = [0.001, 0.7, 0.7000001, 0.05, 1 / 3, 100.0, 1e-7]
    for temperature, top_p in itertools.product(values[:6], values[:5] + values[6:]):
        grid = parse_grid(HEAD + f"decodings: [{{temperature: {temperature!r}, top_p: {top_p!r}}}]\n")
        assert named_settings(grid.decodings[0].name) == DecodingSpec(
            name=grid.decodings[0].name, temperature=temperature, top_p=top_p
        )


def test_an_answer_in_words_that_overflows_is_a_failure_that_names_the_method(results):
    ran = run_grid(
        "campaign: a\nmodels: [tiny]\nsuites: [{name: world-objects, answers: text, longest: 3}]\nlimit: 4\n"
        "methods: [naive, {name: m3id, params: {decay: 1000}}]\n",
        results,
    )
    runs = {run["method"]: run for run in ran.table("runs").to_dicts()}
    assert runs["naive"]["status"] == "done"
    assert (runs["m3id(decay=1000)"]["status"], runs["m3id(decay=1000)"]["n"]) == ("failed", 0)
    assert (
        "NaN or infinity came up while it was written by method 'm3id(decay=1000)'" in runs["m3id(decay=1000)"]["error"]
    )
