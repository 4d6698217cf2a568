"""What every method, suite, view and decoding must hold; a new file gets these tests by being there."""

import numpy as np
import pytest
from builders import run_grid

from mmplat.artifacts import Results
from mmplat.deciding.cells import only
from mmplat.decoding import distribution, parse_decoding
from mmplat.decoding.configs import presets
from mmplat.evidence.files import read_evidence
from mmplat.methods import bind, catalog
from mmplat.preparing import load_samples
from mmplat.suites import bind as bind_suite
from mmplat.suites import catalog as suites
from mmplat.views import catalog as views

METHODS = list(catalog)
PLAIN = [name for name in METHODS if not (bind(name).cued or bind(name).choices)]  # that any suite can have
READING = [name for name in PLAIN if not bind(name).written_only]  # that decide from a first row
GRID = "campaign: c\nmodels: [fake]\nsuites: [world-facts]\nmethods: {methods}\ndecodings: [greedy]\nlimit: 40\n"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """Evidence of every view that some method needs, of samples with two and with four labels."""
    ran = run_grid(GRID.format(methods=READING), Results(tmp_path_factory.mktemp("methods")))
    pair = ran.plan.pairs[0]
    samples = load_samples(ran.results.suite(pair.suite.name, pair.suite.key))
    (folder,) = (ran.results.evidence_root / "model=fake" / "suite=world-facts").glob("*")
    return read_evidence(folder, samples, list(pair.views))


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("decoding", sorted(presets))
def test_a_method_gives_probabilities_that_sum_to_one(evidence, name, decoding):
    answers = distribution(bind(name).scores(evidence), parse_decoding(decoding))
    assert (answers.probs >= 0).all()
    assert answers.probs.sum(axis=1) + answers.other == pytest.approx(np.ones(40))
    padding = np.arange(answers.probs.shape[1]) >= evidence.n_labels[:, None]
    assert (answers.probs[padding] == 0).all()


@pytest.mark.parametrize("name", READING)
def test_a_method_decides_each_sample_by_itself_or_says_that_it_reads_them_all(evidence, name):
    whole = distribution(bind(name).scores(evidence), parse_decoding("sample")).probs
    order = np.random.default_rng(0).permutation(40)[: 40 if bind(name).transductive else 17]
    part = distribution(bind(name).scores(only(evidence, order)), parse_decoding("sample")).probs
    assert part == pytest.approx(whole[order], abs=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_names_views_that_exist_and_says_what_it_is(name):
    method = bind(name)
    assert all(view.kind in views for view in method.views)
    assert method.passes == sum(views.get(view.kind).passes for view in method.views)
    assert all(view.main_key == (method.main and method.main.key) for view in method.views), (
        "kept at the main view's tokens"
    )
    assert catalog.get(name).summary
    assert method.stochastic == any(views.get(view.kind).stochastic for view in method.views)


@pytest.mark.parametrize("name", METHODS)
def test_another_seed_changes_the_views_of_random_methods_alone(name):
    one, two = bind(name, seed=0), bind(name, seed=1)
    assert (one.references != two.references) == one.stochastic


@pytest.mark.parametrize("name", [n for n in suites if not suites.get(n).places])
def test_a_suite_yields_usable_samples_and_a_prefix_for_a_smaller_size(name):
    suite = suites.get(name)
    few, many = (list(suite.samples(bind_suite(name, limit=n))) for n in (18, 54))
    assert [s.sample_id for s in few] == [s.sample_id for s in many[:18]]
    assert len({s.sample_id for s in many}) == len(many) == suite.count(bind_suite(name, limit=54)) == 54
    for sample in many:
        assert sample.gold in sample.labels or (suite.open_ended and not sample.labels and sample.reference)
        assert bool(sample.images) == suite.images
        assert all(key in sample.groups for keys in suite.subsets for key in keys)
        assert suite.positive is None or suite.positive in sample.labels


@pytest.mark.parametrize("name", list(views))
def test_a_view_keeps_shape_and_type_and_does_not_touch_the_original(name):
    kind = views.get(name)
    for array in (
        np.arange(75, dtype=np.uint8).reshape(5, 5, 3),
        np.linspace(-1, 1, 75, dtype=np.float32).reshape(3, 5, 5),
    ):
        if (kind.place == "picture") != (array.dtype == np.uint8):
            continue
        before = array.copy()
        changed = kind.transform(array, kind.defaults, 7)
        assert (changed.shape, changed.dtype) == (array.shape, array.dtype)
        assert np.array_equal(array, before)
        assert np.array_equal(changed, kind.transform(array, kind.defaults, 7))
