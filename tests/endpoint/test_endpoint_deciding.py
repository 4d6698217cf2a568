"""Deciding from what an endpoint tells: exactly what the model itself would give, or not at all."""

import json

import numpy as np
import polars as pl
import pytest
from builders import Ran, ask_all, run_grid
from chat_server import Endpoint, made_up, pictures_of, serving, text_of

from mmplat.asking.told import cut_off, label_of_token, token_ids
from mmplat.deciding import decide
from mmplat.models import Ask, Reply, bind, families
from mmplat.records import Sample
from mmplat.views import bind as view

TOLD = 20


class Served:
    """A model of ours behind the protocol: its own adapter gives the row, the server tells the top of it."""

    def __init__(self, name):
        self.model = families.get(bind(name).family).load(bind(name))
        self.words = [self.model.tokenizer.decode([token]) for token in range(self.model.vocab_size)]
        assert len(set(self.words)) == len(self.words)

    def __call__(self, body):
        pictures = tuple(pictures_of(body))
        names = tuple(str(hash(picture.tobytes())) for picture in pictures)
        sample = Sample("s", "s", "s", text_of(body), (), ("yes",), "yes", names)
        encoded = self.model.encode([Ask(sample, view("image"), pictures)])
        logprobs = self.model.forward(encoded).log_softmax(-1)[0]
        values, ids = logprobs.topk(TOLD)
        return [(self.words[token], value) for token, value in zip(ids.tolist(), values.tolist(), strict=True)]


def evidence(results, model="gpt"):
    """All stored rows of a model."""
    files = sorted((results.evidence_root / f"model={model}").rglob("part-*.parquet"))
    return pl.concat(pl.read_parquet(path, glob=False) for path in files)


CELLS = "decodings: [greedy, sample, k5, p0.9]\nmethods: [naive, posthoc-none, vdd-none]\nlimit: 40\n"


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """tiny, asked here and through an endpoint, on the same samples under the same cells."""
    from mmplat.artifacts import Results

    with serving(Endpoint(told=Served("tiny"))) as endpoint:
        far = f"{{name: far, family: endpoint, params: {{url: '{endpoint.url}', model: tiny, concurrency: 2}}}}"
        text = f"campaign: twins\nmodels: [tiny, {far}]\nsuites: [world-objects, world-spurious]\n" + CELLS
        return run_grid(text, Results(tmp_path_factory.mktemp("twins")))


def compared(ran: Ran) -> pl.DataFrame:
    """Predictions of both models side by side."""
    cells = ran.table("runs").select("run_id", "model", "suite", "method", "decoding")
    rows = ran.table("predictions").join(cells, on="run_id")
    near, far = (rows.filter(model=name) for name in ("tiny", "far"))
    return near.join(far, on=["suite", "method", "decoding", "sample_id"], suffix="_far", validate="1:1")


def test_an_endpoint_that_serves_tiny_answers_as_tiny_does_label_by_label(twins):
    both = compared(twins)
    assert both.height == 2 * 3 * 4 * 40  # suites, methods, decodings, samples
    assert both["error_far"].null_count() == both.height
    assert both["answer"].eq_missing(both["answer_far"]).all()
    for suite, labels in (("world-objects", 2), ("world-spurious", 4)):
        some = both.filter(suite=suite)
        near, far = (np.array(some[name].to_list()).reshape(-1, labels) for name in ("probs", "probs_far"))
        assert np.abs(near - far).max() < 1e-5  # one prompt at a time there, a batch here


def test_its_accuracy_is_the_same_in_every_cell(twins):
    for run in twins.table("runs").filter(model="far").iter_rows(named=True):
        cell = {key: run[key] for key in ("suite", "method", "decoding")}
        near, far = (twins.value(metric="accuracy", model=name, **cell) for name in ("tiny", "far"))
        assert near == far


def test_a_run_says_how_much_was_told(twins):
    told = [json.loads(text).get("told") for text in twins.table("runs").filter(model="far")["settings"]]
    assert {one["tokens"] for one in told} == {TOLD}
    assert all(0 <= one["untold_probability"] < 1 for one in told)
    assert not any("told" in json.loads(text) for text in twins.table("runs").filter(model="tiny")["settings"])


def test_a_decoding_that_looks_further_fails_its_cells_alone_and_is_not_asked_for_again(
    results, grid, planned, endpoint
):
    text = grid(
        decodings="greedy, t0.7, k50, k5, {temperature: 2.0, top_p: 0.99}", methods="naive, posthoc-none, apc-only"
    )
    ran = run_grid(text, results)
    status = dict(ran.table("runs").filter(method="naive").select("decoding", "status").iter_rows())
    assert status == {"greedy": "done", "t0.7": "failed", "k50": "failed", "k5": "done", "t2-p0.99": "failed"}
    failed = ran.table("runs").filter(method="naive", decoding="t0.7").row(0, named=True)
    assert failed["error"] == (
        "12 samples: the endpoint told 20 tokens at temperature 1; method 'naive' under decoding 't0.7' needs more, and "
        "nothing is approximated"
    )
    assert (failed["n"], failed["n_failed"]) == (0, 12)
    assert ran.table("predictions").filter(run_id=failed["run_id"])["error"].str.contains("told 20 tokens").all()
    assert not ran.table("metrics")["run_id"].is_in([failed["run_id"]]).any()
    # Calibrated labels and plausible tokens are whole distributions of their own: any temperature can be put to them.
    assert set(ran.table("runs").filter(pl.col("method") != "naive")["status"]) == {"done"}
    before = len(endpoint.times)
    (again,) = ask_all(ran.plan, results)
    assert (again.asked, len(endpoint.times)) == (0, before)


def shy(body):
    """Without a picture it never tells what it thinks of "no"; of some pictures, it does not either."""
    told = made_up(body)
    silent = not pictures_of(body) or "lamp" in text_of(body)
    return [(t, p) for t, p in told if not (silent and t.strip().lower() == "no")]


def test_a_label_that_was_not_told_fails_its_samples_and_no_others(results, grid, endpoint):
    endpoint.told = shy
    ran = run_grid(grid(decodings="greedy, sample, k1", limit=30), results)
    runs = {run["decoding"]: run for run in ran.table("runs").iter_rows(named=True)}
    assert (runs["greedy"]["status"], runs["k1"]["status"], runs["sample"]["status"]) == ("done", "done", "incomplete")
    failed = ran.table("predictions").filter(pl.col("error").is_not_null())
    lamps = set(failed["sample_id"])
    assert 0 < len(lamps) == runs["sample"]["n_failed"] < 30


def shy_of_lamps(body):
    """Without a picture it does not tell what it thinks of "no", where a lamp is asked about."""
    told = made_up(body)
    silent = not pictures_of(body) and "lamp" in text_of(body)
    return [(t, p) for t, p in told if not (silent and t.strip().lower() == "no")]


def test_a_prior_over_the_dataset_needs_the_prior_of_every_sample(results, grid, endpoint):
    """The mean over those that were told is one over a part that the endpoint chose."""
    endpoint.told = shy_of_lamps
    whole = "{name: posthoc-none, params: {granularity: dataset}}"
    ran = run_grid(grid(methods=f"posthoc-none, {whole}", limit=30), results)
    runs = {run["method"]: run for run in ran.table("runs").iter_rows(named=True)}
    assert runs["posthoc-none"]["status"] == "incomplete"
    failed = runs["posthoc-none(granularity=dataset)"]
    assert (failed["status"], failed["n"]) == ("failed", 0)
    assert "needs more, and nothing is approximated" in failed["error"]


def test_what_a_reference_did_not_tell_is_not_taken_for_anything(results, grid, endpoint):
    """Where the mask leaves "no" beside "yes", the contrast needs what the reference says to "no"."""
    endpoint.told = shy
    ran = run_grid(grid(methods="naive, posthoc-none, vdd-none", limit=30), results)
    runs = {run["method"]: run for run in ran.table("runs").iter_rows(named=True)}
    assert runs["naive"]["status"] == "done"
    assert runs["posthoc-none"]["status"] == "failed"  # its prior over the labels is never known
    contrast = ran.table("predictions").filter(run_id=runs["vdd-none"]["run_id"])
    rows = evidence(results).filter(view="image")
    for row in contrast.join(rows, on="sample_id").iter_rows(named=True):
        plausible = [
            i
            for i, x in zip(row["top_ids"], row["top_logits"], strict=True)
            if x >= max(row["top_logits"]) + np.log(0.1)
        ]
        spelled = {i for i, of in zip(row["spelling_ids"], row["spelling_of"], strict=True) if of == 1}
        needs_no = len(plausible) > 1 and bool(set(plausible) & spelled)
        assert needs_no == (row["error"] is not None)
    (again,) = ask_all(ran.plan, results)
    assert again.asked == 0  # it would tell no more


def test_the_only_plausible_token_is_said_whatever_a_reference_did_not_tell(results, grid, endpoint):
    endpoint.told = lambda body: (
        [("no", -0.01), ("yes", -5.0)] if pictures_of(body) else [("yes", -0.1), ("maybe", -3.0)]
    )
    ran = run_grid(grid(methods="vdd-none", limit=6), results)
    assert set(ran.table("runs")["status"]) == {"done"}
    assert set(ran.table("predictions")["answer"]) == {"no"}


def test_a_broken_part_is_asked_again_from_what_was_kept(results, grid, planned, endpoint):
    text = grid(methods="vdd-none")
    ask_all(planned(text), results)
    (part,) = results.evidence_root.rglob("part-*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    before = len(endpoint.times)
    (again,) = ask_all(planned(text), results)
    assert again.kept == 0
    assert again.asked > 0
    assert len(endpoint.times) == before  # every reply was kept


# Answers that are drawn.


def test_drawn_answers_decide_the_decoding_that_drew_them_and_nothing_else(results, grid, endpoint):
    endpoint.most = 0
    text = grid(decodings="greedy, sample, t0.7", methods="naive, posthoc-none", limit=4, draws=10)
    ran = run_grid(text, results)
    status = {(run["method"], run["decoding"]): run["status"] for run in ran.table("runs").iter_rows(named=True)}
    assert [cell for cell, said in status.items() if said == "done"] == [("naive", "sample")]
    failed = ran.table("runs").filter(method="naive", decoding="greedy")["error"][0]
    assert (
        "the endpoint only draws answers, by decoding 'sample'; method 'naive' under decoding 'greedy' needs more"
        in failed
    )
    rows = evidence(results).filter(view="image")
    run_id = ran.table("runs").filter(status="done")["run_id"][0]
    decided = ran.table("predictions").filter(run_id=run_id).join(rows, on="sample_id")
    for row in decided.iter_rows(named=True):
        assert row["draws"] == 10
        assert row["probs"] == pytest.approx([count / 10 for count in row["drawn"]])
        assert row["p_other"] == pytest.approx(1 - sum(row["drawn"]) / 10)
    assert ran.value(method="naive", decoding="sample") == pytest.approx(decided["p_correct"].mean())
    assert 0 < decided["p_other"].mean() < 1


def test_draws_have_seeds_of_their_own_and_more_of_them_keep_the_first(results, grid, planned, endpoint):
    few, many = (grid(answers="sampled", draws=n, decoding="t0.5", limit=2) for n in (3, 5))
    ask_all(planned(few), results)
    seeds = [body["seed"] for body in endpoint.bodies]
    assert len(set(seeds)) == len(seeds)
    assert {body["temperature"] for body in endpoint.bodies} == {0.5}
    assert not any("logprobs" in body for body in endpoint.bodies)
    ask_all(planned(many), results)
    assert len(endpoint.bodies) == len(seeds) // 3 * 5


def test_a_greedy_draw_is_one(results, grid, endpoint):
    ran = run_grid(grid(answers="sampled", decoding="greedy", draws=7, limit=4), results)
    assert len(endpoint.bodies) == ran.table("predictions").height == 4
    assert set(ran.table("runs")["status"]) == {"done"}
    assert ran.table("predictions")["probs"].list.max().is_in([0.0, 1.0]).all()


# Reading tokens and texts.


@pytest.mark.parametrize(
    ("text", "label"),
    [("yes", 0), (" Yes", 0), ("▁YES", 0), ("No", 1), ("yesterday", None), ("y", None), ("", None), ("Yes.", None)],
)
def test_a_token_says_a_label_only_as_a_whole(text, label):
    assert label_of_token(text, ("yes", "no")) == label


def test_a_label_of_several_tokens_is_noticed_by_its_beginning():
    labels = ("hippopotamus", "cat")
    assert cut_off(Reply((("hip", -0.1), ("cat", -3.0))), labels) == "hippopotamus"
    assert cut_off(Reply(((" cat", -0.1), ("hip", -3.0))), labels) is None
    assert cut_off(Reply((("The", -0.1),)), labels) is None


def test_labels_of_several_tokens_fail_with_what_to_do(results, grid, endpoint):
    endpoint.told = lambda body: [("y", -0.1), ("no", -3.0)]
    ran = run_grid(grid(limit=6), results)
    (error,) = ran.table("runs")["error"].to_list()
    assert "begins with a part of label 'yes': it is several tokens here" in error
    assert "`answers: sampled`" in error


def test_a_text_that_is_told_twice_is_recognised_in_no_other_row():
    once, twice = Reply((("Yes", -0.1), ("no", -2.0))), Reply((("Yes", -0.1), ("Yes", -1.0), ("no", -2.0)))
    assert token_ids(once)[1] == token_ids(twice)[2]
    assert len({*token_ids(once), *token_ids(twice)}) == 4


def test_evidence_without_the_later_columns_is_still_read(results, planned):
    """Parts that an earlier version wrote hold none of what remote models need."""
    plan = planned("campaign: old\nmodels: [fake]\nsuites: [world-objects]\nlimit: 12\n")
    ask_all(plan, results)
    (part,) = results.evidence_root.rglob("part-*.parquet")
    later = ["untold", "drawn", "draws", "drawn_by"]
    pl.read_parquet(part, glob=False).drop(later).write_parquet(part.with_name("part-0000.parquet"))
    part.unlink()
    decide(plan, plan.pairs[0], results)
    (again,) = ask_all(plan, results)
    assert again.asked == 0
