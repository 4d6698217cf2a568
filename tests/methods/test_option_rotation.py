"""Options at other places: what is asked, how probabilities come back to the options, and what the orders say together."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from builders import Prepared, run_grid

from mmplat.artifacts import Results, read_json
from mmplat.deciding.cells import only
from mmplat.decoding import distribution, parse_decoding
from mmplat.decoding.configs import presets
from mmplat.errors import ConfigError, IncompatibleCell
from mmplat.evidence.files import read_evidence
from mmplat.methods import bind
from mmplat.methods.rotation import brought_back, by_order, rotations
from mmplat.metrics.circular import by_letter, circular
from mmplat.models import Ask, families
from mmplat.preparing import load_samples
from mmplat.records import Sample
from mmplat.suites._choices import LAYOUTS
from mmplat.views import bind as view
from mmplat.views import catalog as views

OPTIONS = ("a red fox", "owl", "hare (brown)", "owl")


def sample(question, options=OPTIONS, labels=("A", "B", "C", "D"), **reference):
    return Sample("s1", "k", "c", question, options, labels, labels[0], ("i.png",), reference=reference)


def put(one, by):
    return Ask(one, view("rotated-options", {"by": by}), ()).question


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "Who?\nA. a red fox\nB. owl\nC. hare (brown)\nD. owl\nLetter only.",
            "Who?\nA. owl\nB. a red fox\nC. owl\nD. hare (brown)\nLetter only.",
        ),
        (
            "(A) a red fox\n (B)  owl \n(C) hare (brown)\n\n(D) owl",
            "(A) owl\n (B)  a red fox \n(C) owl\n\n(D) hare (brown)",
        ),
        ("An owl? A a red fox\nB owl\nC hare (brown)\nD owl", "An owl? A owl\nB a red fox\nC owl\nD hare (brown)"),
        ("a) a red fox\nb) owl\nc)hare (brown)\nd.owl", "a) owl\nb) a red fox\nc)owl\nd.hare (brown)"),
        ("Who? [A] a red fox B: owl C) hare (brown) D. owl", "Who? [A] owl B: a red fox C) owl D. hare (brown)"),
    ],
)
def test_options_move_and_nothing_else_does(question, expected):
    one = sample(question)
    assert put(one, 1) == expected
    assert put(one, 5) == expected, "four options are where they were after four places"
    assert put(one, 4) == question


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_multiple_choices_can_be_rotated(layout):
    options = ("it's $7 (or $8)", "A + B", "x.")
    asked, moved = (LAYOUTS[layout].question("Which?", shown) for shown in (options, (options[2], *options[:2])))
    assert put(sample(asked, options, ("A", "B", "C")), 1) == moved


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (sample("Is it an owl?", (), ("yes", "no")), "lists no options"),
        (sample("A. fox\nB. owl", ("fox",), ("A", "B")), "1 options for 2 labels"),
        (sample("A. a fox\nB. owls", ("fox", "owl"), ("A", "B")), "no times, not once"),
        (sample("A fox\nB owl\nor\nA fox\nB owl", ("fox", "owl"), ("A", "B")), "2 times, not once"),
        (
            sample("The answer is B.\nA fox\nB owl", ("fox", "owl"), ("A", "B"), condition={"names": "B"}),
            "its condition",
        ),
    ],
)
def test_what_cannot_be_found_is_refused_with_the_reason(one, reason):
    assert reason in views.get("rotated-options").misfit(one, {"by": 1})
    with pytest.raises(IncompatibleCell, match=reason):
        put(one, 1)


@pytest.mark.parametrize("by", [-1, "1", 1.5])
def test_a_number_of_places_is_a_whole_one(by):
    with pytest.raises(ConfigError, match="whole numbers"):
        view("rotated-options", {"by": by})


@pytest.mark.parametrize("orders", [1, 2.5, "all"])
def test_two_orders_at_least(orders):
    with pytest.raises(ConfigError, match="whole numbers from 2"):
        bind("option-rotation", {"orders": orders})


def test_probabilities_come_back_to_the_options():
    """Order 1 of (fox, owl, hare) is (hare, fox, owl); a padded letter stays where it is."""
    said = np.array([[0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4]])
    back = brought_back(said, np.array([3, 4], np.int16), 1)
    assert back.tolist() == [[0.3, 0.2, 0.5, 0.0], [0.2, 0.3, 0.4, 0.1]]


GRID = """
campaign: rotated
models: [{model}]
suites: [world-spurious, world-facts, world-objects]
methods:
  - naive
  - option-rotation
  - {{name: option-rotation, params: {{orders: 2}}}}
  - {{name: option-rotation, params: {{orders: 6}}}}
decodings: [greedy, sample]
views: [{{name: rotated-options, params: {{by: 2}}}}]
limit: 24
"""
ROTATED = ("option-rotation", "option-rotation(orders=2)", "option-rotation(orders=6)")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return run_grid(GRID.format(model="tiny-biased"), Results(tmp_path_factory.mktemp("rotated")))


def probs(ran, method, suite="world-spurious"):
    runs = ran.table("runs").filter(suite=suite, method=method, decoding="sample")
    return np.array(ran.table("predictions").join(runs.select("run_id"), on="run_id")["probs"].to_list())


def evidence_of(ran, suite):
    pair = next(pair for pair in ran.plan.pairs if pair.suite.name == suite)
    folder = ran.results.suite(suite, pair.suite.key)
    (stored,) = (ran.results.root / "evidence").glob(f"*/suite={suite}/*")
    samples = load_samples(folder)
    return read_evidence(stored, samples, list(pair.views)), Prepared(folder, samples)


def test_the_mean_is_what_the_model_says_of_each_option_wherever_it_stands(ran):
    """Each order is a sample of its own here, written anew; an option is found by its words."""
    from mmplat.world.questions import which_name

    _, prepared = evidence_of(ran, "world-spurious")
    spec = ran.plan.grid.models[0]
    model = families.get(spec.family).load(spec)
    expected = {2: [], 4: []}
    for one in prepared.samples:
        assert one.question == which_name(one.options)
        said = []
        for by in range(4):
            shown = (*one.options[4 - by :], *one.options[: 4 - by])
            moved = Sample("m", "m", "c", which_name(shown), shown, one.labels, "A", one.images)
            row = model.forward(model.encode([Ask(moved, view("image"), prepared.pictures(one))]))[0].double()
            spelled = model.spellings(one.labels)
            p = np.bincount(spelled.of, row.softmax(dim=-1)[list(spelled.ids)].numpy())
            said.append([p[shown.index(option)] / p.sum() for option in one.options])
        expected[4].append(np.mean(said, axis=0))
        expected[2].append(np.mean(said[:2], axis=0))
    assert probs(ran, ROTATED[0]) == pytest.approx(np.array(expected[4]), abs=1e-5)
    assert probs(ran, ROTATED[1]) == pytest.approx(np.array(expected[2]), abs=1e-5)


def test_orders_that_repeat_are_not_counted(ran):
    assert probs(ran, ROTATED[2]) == pytest.approx(probs(ran, ROTATED[0]), abs=1e-12)


def test_the_cost_is_one_pass_per_order_and_the_first_is_the_naive_one(ran):
    runs = ran.table("runs").filter(suite="world-spurious", decoding="greedy")
    assert dict(runs.select("method", "forward_passes").iter_rows()) == {
        "naive": 24, **dict(zip(ROTATED, (96, 48, 144), strict=True)),
    }  # fmt: skip
    assert ran.plan.pairs[0].passes == 6


def test_suites_without_options_are_skipped_with_the_reason(ran):
    skipped = {(s.suite, s.method): s.reason for s in ran.plan.skipped}
    assert set(skipped) == set(product(("world-objects", "world-facts"), ROTATED))
    assert all("yes/no questions: they list no options" in skipped["world-objects", name] for name in ROTATED)
    assert all("not every question of the suite lists options" in skipped["world-facts", name] for name in ROTATED)


def test_a_sample_without_options_is_not_asked_so_and_every_method_has_it(ran):
    """Half of the facts are claims. The grid asks the view besides."""
    runs = ran.table("runs").filter(suite="world-facts")
    assert set(runs["status"]) == {"done"}
    evidence, prepared = evidence_of(ran, "world-facts")
    listed = np.array([len(s.labels) == 4 for s in prepared.samples])
    assert listed.sum() == 12
    assert np.array_equal(evidence.view(view("rotated-options", {"by": 2})).present, listed)
    (batch,) = ran.plan.batches
    failed = [
        f for f in read_json(ran.results.batch_done(batch.key), made_by="x")["failures"] if f["suite"] == "world-facts"
    ]
    assert {f["error"] for f in failed} == {"no view 'rotated-options-2' of it: it lists no options"}
    assert len(failed) == 12


@pytest.mark.parametrize("decoding", sorted(presets))
def test_probabilities_sum_to_one_sample_by_sample(ran, decoding):
    evidence, _ = evidence_of(ran, "world-spurious")
    method = bind("option-rotation")
    whole = distribution(method.scores(evidence), parse_decoding(decoding))
    assert whole.probs.sum(axis=1) + whole.other == pytest.approx(np.ones(24))
    some = np.array([20, 3, 7])
    part = distribution(method.scores(only(evidence, some)), parse_decoding(decoding))
    assert part.probs == pytest.approx(whole.probs[some])


def test_what_the_orders_say_together():
    """Three orders of three samples: all agree and are right, all agree and are wrong, two of three agree."""
    fox, owl = [0.9, 0.1], [0.2, 0.8]
    said = np.array([[fox, owl, fox], [fox, owl, fox], [fox, owl, owl]])
    found = circular(said, np.array([0, 0, 0]))
    assert found.right.tolist() == [True, False, False]
    assert found.same.tolist() == [True, True, False]
    assert found.agreement == pytest.approx([1, 1, 1 / 3])


@pytest.mark.parametrize("said", [np.full((1, 2, 2), 0.5), np.full((2, 2, 2), np.nan)])
def test_orders_that_say_nothing_together_are_refused(said):
    with pytest.raises(ValueError, match="two orders at least"):
        circular(said, np.zeros(2, int))


def test_a_liking_for_a_letter_is_read_apart_from_what_is_known_of_the_options():
    """Made up: what is known of the options times a liking for A. Over all rotations the liking alone is left in the letters."""
    known, liking = np.array([[0.1, 0.6, 0.2, 0.1], [0.4, 0.1, 0.1, 0.4]]), np.array([0.1, 0, 0, -0.1])
    said = [np.roll(known, by, axis=1) + liking for by in range(4)]
    orders = np.stack([brought_back(one, np.array([4, 4], np.int16), by) for by, one in enumerate(said)])
    assert by_letter(orders) - 0.25 == pytest.approx(np.array([liking, liking]))
    assert orders.mean(axis=0) == pytest.approx(known), "and the mean over orders is free of it"


def test_the_page_of_methods_counts_as_it_says(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", Path("docs/methods.md").read_text(), re.MULTILINE | re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.split("\n")[:2] == ["0.5 0.5", "[0.6 0.4]"]


def test_the_fake_model_likes_the_first_letter_and_agrees_with_itself_less(tmp_path):
    fake, tiny = (run_grid(GRID.format(model=model), Results(tmp_path / model)) for model in ("fake", "tiny"))
    shares = {}
    for name, one in (("fake", fake), ("tiny", tiny)):
        evidence, prepared = evidence_of(one, "world-spurious")
        orders = by_order(evidence, rotations(4))
        gold = np.array([s.labels.index(s.gold) for s in prepared.samples])
        shares[name] = circular(orders, gold).same.mean(), by_letter(orders)[:, 0].mean()
    assert shares["fake"][0] < shares["tiny"][0]
    assert shares["fake"][1] > 0.25 + 0.1
    assert shares["tiny"][1] == pytest.approx(0.25, abs=0.03)
