"""Stored evidence is what was asked, or a message: never another number."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import Ran

from mmplat.artifacts import Results, read_json, write_json
from mmplat.asking import ask
from mmplat.deciding import decide
from mmplat.errors import ArtifactError, Busy
from mmplat.evidence.files import ROWS
from mmplat.evidence.opening import SEALED, defect_of, parts, set_aside_broken
from mmplat.locks import only_writer
from mmplat.store import publish

FLIPS = 70


@pytest.fixture
def ran(fake_run: Ran, tmp_path: Path) -> Ran:
    """The small fake grid, decided, in a folder that a test may damage."""
    results = Results(tmp_path / "it's [copied]" / "results")
    shutil.copytree(fake_run.results.root, results.root)
    return replace(fake_run, results=results)


def the_part(ran: Ran) -> Path:
    [part] = ran.results.evidence_root.rglob("part-*.parquet")
    return part


def decided_again(ran: Ran) -> pl.DataFrame:
    decide(ran.plan, ran.plan.pairs[0], ran.results)
    return ran.table("metrics")


def by_hand(ran: Ran, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Path:
    """The part as somebody else might write it: without a seal and without checksums."""
    part = the_part(ran)
    rows = pl.read_parquet(part, glob=False)
    part.unlink()
    other = part.with_name("part-0000.parquet")
    change(rows).write_parquet(other)
    return other


def test_no_flipped_bit_of_evidence_becomes_a_number(ran: Ran) -> None:
    part, drawn = the_part(ran), random.Random(15)
    data = part.read_bytes()
    for _ in range(FLIPS):
        damaged = bytearray(data)
        damaged[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
        part.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="cannot be used: part-"):
            decided_again(ran)
    part.write_bytes(data)
    assert decided_again(ran).equals(ran.table("metrics"))


@pytest.mark.parametrize("name", ["metrics.parquet", "runs.parquet"])
def test_no_flipped_bit_of_what_was_decided_is_published(ran: Ran, name: str) -> None:
    path, drawn = next(ran.results.root.rglob(f"decided/*/*/{name}")), random.Random(16)
    data = path.read_bytes()
    for _ in range(20):
        damaged = bytearray(data)
        damaged[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="is not what was decided"):
            publish(ran.results, "test")
    path.write_bytes(data)
    publish(ran.results, "test")


def test_no_flipped_bit_of_the_samples_is_decided_on(ran: Ran) -> None:
    path, drawn = next(ran.results.suites_root.rglob("samples.parquet")), random.Random(17)
    data = path.read_bytes()
    for _ in range(20):
        damaged = bytearray(data)
        damaged[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="cannot be read|does not hold the samples that were prepared"):
            decided_again(ran)


def test_samples_that_were_prepared_before_they_had_a_digest_are_held_against_what_they_come_to(ran: Ran) -> None:
    path = next(ran.results.suites_root.rglob("suite.json"))
    marker = {name: value for name, value in read_json(path, made_by="").items() if name != "samples"}
    write_json(path, marker)
    decided_again(ran)
    table = pl.read_parquet(path.with_name("samples.parquet"), glob=False)
    other = pl.when(pl.col("gold") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    table.with_columns(gold=other).write_parquet(path.with_name("samples.parquet"))
    with pytest.raises(ArtifactError, match="does not hold the samples that were prepared"):
        decided_again(ran)


def test_evidence_of_an_earlier_version_has_no_seal_and_is_read_all_the_same(ran: Ran) -> None:
    part = the_part(ran)
    before = ran.table("metrics")
    sealed = SEALED.fullmatch(part.name)
    assert sealed is not None
    older = part.rename(part.with_name(f"{part.stem.removesuffix('-' + sealed['digest'])}.parquet"))
    assert decided_again(ran).equals(before)
    data = bytearray(older.read_bytes())
    data[len(data) // 2] ^= 1
    older.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"cannot be used: part-\w+.parquet cannot be read"):
        decided_again(ran)


def of(column: str, value: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """The first row with another value; in a list, the first value of it."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        kind = rows.schema[column]
        first = pl.int_range(pl.len()) == 0
        if isinstance(kind, pl.List):
            other = pl.concat_list(pl.lit(value, kind.inner), pl.col(column).list.slice(1))
        else:
            other = pl.lit(value, kind)
        return rows.with_columns(pl.when(first).then(other).otherwise(pl.col(column)).alias(column))

    return change


def shortened(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.with_columns(pl.col(column).list.slice(1))


NAN, INF = float("nan"), float("inf")
WRONG: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "a logit that is NaN": (of("label_logits", NAN), "label_logits holds a value that is no number"),
    "an infinite logit": (of("top_logits", INF), "top_logits holds a value that is no number"),
    "NaN among reference logits": (
        lambda rows: rows.with_columns(at_main=pl.col("at_main").list.eval(pl.element() * NAN)),
        "at_main holds a value that is no number",
    ),
    "an infinite sum": (of("lse", INF), "lse holds a value that is no number"),
    "no labels' logits": (
        lambda rows: rows.with_columns(label_logits=pl.lit(None, pl.List(pl.Float32))), "a row has no label_logits",
    ),
    "no sample": (of("sample_key", None), "a row has no sample_key"),
    "unsorted tokens": (
        lambda rows: rows.with_columns(top_logits=pl.col("top_logits").list.reverse()), "top_logits of a row are not sorted",
    ),
    "one token in the wrong place": (of("top_logits", -50.0), "top_logits of a row are not sorted"),
    "a sum below its largest part": (of("lse", -100.0), "lse of a row lies below its largest logit"),
    "a probability above 1": (of("label_mass", 1.5), "label_mass holds 1.5, which is no probability"),
    "a negative probability": (of("label_mass", -0.5), "label_mass holds -0.5, which cannot be"),
    "fewer logits than tokens": (shortened("top_logits"), "more or fewer top_ids than top_logits"),
    "fewer labels than logits": (shortened("labels"), "more or fewer labels than label_logits"),
    "one row twice": (lambda rows: pl.concat([rows, rows.head(1)]), "holds two rows of one sample_key, view_key"),
    "text for numbers": (lambda rows: rows.with_columns(lse=pl.col("lse").cast(pl.String)), "cannot be read"),
    "other labels": (
        lambda rows: rows.with_columns(labels=pl.col("labels").list.reverse()), "and the prepared sample of that key has",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "why"), WRONG.values(), ids=WRONG)
def test_rows_that_nobody_can_have_asked_are_refused(
    ran: Ran, change: Callable[[pl.DataFrame], pl.DataFrame], why: str
) -> None:
    by_hand(ran, change)
    with pytest.raises(ArtifactError, match=why):
        decided_again(ran)


def test_two_parts_that_disagree_about_one_row_are_refused_by_name(ran: Ran) -> None:
    part = the_part(ran)
    rows = pl.read_parquet(part, glob=False)
    rows.write_parquet(part.with_name("part-0000.parquet"))
    before = ran.table("metrics")
    assert decided_again(ran).equals(before)  # the same row twice says nothing else
    rows.with_columns(label_logits=pl.col("label_logits").list.reverse()).write_parquet(
        part.with_name("part-0000.parquet")
    )
    with pytest.raises(
        ArtifactError, match=r"part-0000.parquet and part-\w+-\w+.parquet hold different rows of sample_key"
    ):
        decided_again(ran)


def test_asking_sets_a_damaged_part_aside_and_asks_only_its_rows_again(ran: Ran) -> None:
    part = by_hand(ran, of("label_logits", NAN))
    assert "no number" in str(defect_of(part, ROWS))
    outcomes = [ask(batch, ran.results) for batch in ran.plan.batches]
    assert sum(outcome.asked for outcome in outcomes) > 0
    assert part.with_suffix(".parquet.broken").exists()
    before = ran.table("metrics")
    assert decided_again(ran).equals(before)


def test_a_whole_part_is_never_set_aside(ran: Ran) -> None:
    folder = the_part(ran).parent
    assert set_aside_broken(folder, ROWS) == []
    assert len(parts(folder, ROWS)) == 1


def test_two_processes_cannot_decide_one_pair_at_once(ran: Ran) -> None:
    """Their files would be mixed: predictions of one, metrics of the other."""
    folder = ran.results.decided("test", "fake", "world-objects")
    with only_writer(folder, what="this test"), pytest.raises(Busy, match="What is decided of fake on world-objects"):
        decided_again(ran)
    decided_again(ran)


def test_what_was_decided_names_its_evidence_and_its_tables(ran: Ran) -> None:
    decided_again(ran)
    marker = read_json(ran.results.decided("test", "fake", "world-objects") / "decided.json", made_by="")
    assert marker["evidence"].keys() == {the_part(ran).name}
    assert marker["files"].keys() == {"predictions.parquet", "metrics.parquet", "runs.parquet"}
    assert set(ran.table("runs")["evidence_digest"]) == {ran.table("runs")["evidence_digest"][0]}
    assert all(ran.table("runs")["evidence_digest"])
