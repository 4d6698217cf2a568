"""An archive that a stranger wrote changes nothing of ours, and runs nothing."""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import GRID, Ran, run_grid

from mmplat import archive
from mmplat.archive.packing import FORMAT, MANIFEST
from mmplat.artifacts import Results, read_json, write_json
from mmplat.deciding import decide
from mmplat.errors import ArtifactError, Busy, ConfigError
from mmplat.ids import bytes_id, content_id, file_id
from mmplat.leaderboard import connect, query
from mmplat.locks import alone, in_use
from mmplat.plan import read_plan, write_plan
from mmplat.store import publish, recorded, store_url

Command = Callable[..., Any]
Change = Callable[[Results], None]


@pytest.fixture
def theirs(fake_run: Ran, tmp_path: Path) -> Results:
    """The results of a stranger: a campaign `theirs` on the model and the suite of our own."""
    results = Results(tmp_path / "theirs")
    run_grid(GRID.replace("campaign: test", "campaign: theirs"), results)
    return results


@pytest.fixture
def ours(fake_run: Ran, tmp_path: Path) -> Ran:
    results = Results(tmp_path / "it's [ours]" / "results")
    shutil.copytree(fake_run.results.root, results.root)
    publish(results, "test")
    return Ran(fake_run.plan, results)


def packed(results: Results, file: Path, campaign: str = "theirs") -> Path:
    """An archive whose list is right, whatever its files hold."""
    files = [path for path in sorted(results.root.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    files = [path for path in files if not path.name.endswith((".heartbeat.json", ".db"))]
    named = {path.relative_to(results.root).as_posix(): path for path in files}
    listed = {name: {"bytes": path.stat().st_size, "sha256": file_id(path, length=64)} for name, path in named.items()}
    manifest = json.dumps({"format": FORMAT, "campaign": campaign, "mmplat": "0", "files": listed}).encode()
    with tarfile.open(file, "w:gz") as made:
        for name, data in [(MANIFEST, manifest), *((name, path.read_bytes()) for name, path in named.items())]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return file


def swapped(rows: pl.DataFrame) -> pl.DataFrame:
    """The opposite answer to every question, in rows that reach further than ours."""
    columns = ("label_logits", "spelling_logits")
    further = pl.col("lse_temperatures").list.concat(pl.lit([9.0, 9.5], pl.List(pl.Float32)))
    return rows.with_columns(
        *(pl.col(name).list.reverse() for name in columns),
        lse_temperatures=further,
        lse_shifted=pl.col("lse_shifted").list.concat(pl.lit([5.0, 5.0], pl.List(pl.Float64))),
    )


def reseal(path: Path, rows: pl.DataFrame) -> Path:
    """Evidence under the name that its new bytes deserve."""
    path.unlink()
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    data = buffer.getvalue()
    other = path.with_name(f"part-{content_id('a stranger')}-{bytes_id(data)}.parquet")
    other.write_bytes(data)
    return other


# Whose evidence counts


def test_evidence_of_an_archive_changes_no_number_of_our_own_campaigns(
    ours: Ran, theirs: Results, tmp_path: Path, mmplat: Command
) -> None:
    for part in list(theirs.evidence_root.rglob("part-*.parquet")):
        reseal(part, swapped(pl.read_parquet(part, glob=False)))
    plan = read_plan(theirs.plan("theirs"))
    decide(plan, plan.pairs[0], theirs)
    file = packed(theirs, tmp_path / "a.tar.gz")
    before = ours.table("metrics")
    result = mmplat("import", "campaign", str(file), "--results", str(ours.results.root))
    assert result.code == 0, result.err
    decide(ours.plan, ours.plan.pairs[0], ours.results)
    assert ours.table("metrics").equals(before)
    publish(ours.results, "test")
    publish(ours.results, "theirs")
    where = ("--results", str(ours.results.root))
    assert mmplat("verify", "--campaign", "test", *where).err == "6 runs: 6 verified\n"
    assert mmplat("verify", "--campaign", "theirs", *where).err == "6 runs: 6 verified\n"
    origins = {one.run.campaign: one.run.origin for one in recorded(store_url(ours.results))}
    assert origins == {"test": "measured", "theirs": "archive"}


def test_each_row_of_evidence_says_with_which_archive_it_came(ours: Ran, theirs: Results, tmp_path: Path) -> None:
    archive.load_campaign(ours.results, packed(theirs, tmp_path / "a.tar.gz"))
    connection = connect(ours.results)
    found = query(connection, "SELECT archive, count(*) AS n FROM evidence GROUP BY ALL ORDER BY archive")
    assert found["archive"].to_list() == ["theirs", None]
    assert found["n"].n_unique() == 1
    assert query(connection, "SELECT DISTINCT archive FROM samples")["archive"].to_list() == [None]  # ours, once
    connection.close()


def test_done_markers_of_an_archive_keep_nothing_of_ours_from_being_asked(
    theirs: Results, tmp_path: Path, fake_run: Ran
) -> None:
    """The same batch: its key is that of our own grid."""
    here = Results(tmp_path / "here")
    archive.load_campaign(here, packed(theirs, tmp_path / "a.tar.gz"))
    write_plan(fake_run.plan, here)
    assert not any(here.batch_done(job.key).exists() for job in fake_run.plan.jobs)
    assert not list(here.suites_root.glob("*/*/suite.json"))


def test_nothing_is_asked_for_a_campaign_that_came_as_an_archive(theirs: Results, tmp_path: Path) -> None:
    here = Results(tmp_path / "here")
    archive.load_campaign(here, packed(theirs, tmp_path / "a.tar.gz"))
    with pytest.raises(ConfigError, match="Campaign 'theirs' came as an archive"):
        write_plan(read_plan(theirs.plan("theirs")), here)


# What no archive may hold


def edit(results: Results, pattern: str, change: Callable[[dict[str, Any]], None]) -> None:
    [path] = sorted(results.root.glob(pattern))[:1]
    content = read_json(path, made_by="")
    change(content)
    write_json(path, content)


def in_batch(name: str) -> Change:
    return lambda results: edit(
        results, "batches/????????????????.json", lambda content: content["model"].update({name: True})
    )


def in_grid_text(results: Results) -> None:
    def change(content: dict[str, Any]) -> None:
        content["grid_text"] = content["grid_text"].replace(
            "models: [fake]", "models: [{name: fake, trust_remote_code: yes}]"
        )

    edit(results, "campaigns/theirs/plan.json", change)


def grid_text(text: str) -> Change:
    """A plan whose grid is this text."""
    return lambda results: edit(results, "campaigns/theirs/plan.json", lambda content: content.update(grid_text=text))


def laughing() -> str:
    """A few lines of YAML that stand for a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    return "\n".join([*lines, *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))])


def another_batch(results: Results) -> None:
    edit(results, "batches/????????????????.json", lambda content: content["model"].update(path="/somewhere/else"))


def another_suite(results: Results) -> None:
    edit(results, "suites/*.json", lambda content: content["params"].update(path="/etc"))


def another_identity(results: Results) -> None:
    edit(results, "evidence/*/*/*/evidence.json", lambda content: content["identity"].update(revision="another"))


def other_gold(results: Results) -> None:
    [path] = results.suites_root.rglob("samples.parquet")
    table = pl.read_parquet(path, glob=False)
    table.with_columns(gold=pl.col("labels").list.last()).write_parquet(path)
    edit(results, "suites/*/*/suite.json", lambda content: content.update(samples=file_id(path, length=64)))


def other_question(results: Results) -> None:
    [path] = results.suites_root.rglob("samples.parquet")
    table = pl.read_parquet(path, glob=False)
    table.with_columns(question=pl.lit("Is it?")).write_parquet(path)
    edit(results, "suites/*/*/suite.json", lambda content: content.update(samples=file_id(path, length=64)))


def another_picture(results: Results) -> None:
    first, second = sorted(results.suites_root.rglob("images/*.png"))[:2]
    shutil.copyfile(first, second)


def nan_logits(results: Results) -> None:
    [part] = results.evidence_root.rglob("part-*.parquet")
    rows = pl.read_parquet(part, glob=False)
    reseal(part, rows.with_columns(label_logits=pl.col("label_logits").list.eval(pl.element() * float("nan"))))


def a_run_of_another_name(results: Results) -> None:
    [path] = results.root.rglob("runs.parquet")
    pl.read_parquet(path, glob=False).with_columns(run_id=pl.lit("0123456789abcdef")).write_parquet(path)
    digest = file_id(path, length=64)
    edit(
        results,
        "campaigns/*/decided/*/*/decided.json",
        lambda content: content["files"].update({"runs.parquet": digest}),
    )


def metrics_that_decided_json_does_not_vouch_for(results: Results) -> None:
    [path] = results.root.rglob("metrics.parquet")
    pl.read_parquet(path, glob=False).with_columns(value=pl.lit(0.999)).write_parquet(path)


HOSTILE: dict[str, tuple[Change, str]] = {
    "a batch that trusts remote code": (in_batch("trust_remote_code"), "asks for trust_remote_code"),
    "a batch that takes pickles": (in_batch("pickled_weights"), "asks for pickled_weights"),
    "a grid that trusts remote code": (in_grid_text, "plan.json asks for trust_remote_code"),
    "a grid that is no YAML": (grid_text("models: [fake"), "its grid_text:1: this is not valid YAML"),
    "a grid of a billion values": (grid_text(laughing()), "it holds more than 1,000,000 values"),
    "a grid that is nested without end": (grid_text("[" * 5000 + "]" * 5000), "nested too deeply"),
    "a batch under the key of another": (another_batch, "does not hold what its name says"),
    "a specification under the key of another": (another_suite, "does not hold what its name says"),
    "evidence of another model": (another_identity, "is of another model than its folder"),
    "other right answers": (other_gold, "lists other samples than lie beside it"),
    "other questions": (other_question, "under the name of another one"),
    "another picture": (another_picture, "is not what was prepared"),
    "logits that are no numbers": (nan_logits, "label_logits holds a value that is no number"),
    "a run with the id of another": (a_run_of_another_name, "which has another name than its content"),
    "altered metrics": (metrics_that_decided_json_does_not_vouch_for, "vouches for another metrics.parquet"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "why"), HOSTILE.values(), ids=HOSTILE)
def test_what_an_archive_holds_is_held_against_its_own_names(
    theirs: Results, tmp_path: Path, change: Change, why: str
) -> None:
    here = Results(tmp_path / "here")
    change(theirs)
    with pytest.raises(ArtifactError, match=rf"{why}[\s\S]*Nothing was loaded"):
        archive.load_campaign(here, packed(theirs, tmp_path / "a.tar.gz"))
    assert [path.name for path in here.root.rglob("*")] == [".in-use"]


# Sweeping


def hold_in_use(root: Path, held: Any, until: Any) -> None:
    with in_use(Results(root)):
        held.set()
        until.wait(30)


def test_nothing_is_swept_while_another_process_imports_prepares_or_asks(ours: Ran, mmplat: Command) -> None:
    spawn = multiprocessing.get_context("spawn")
    held, until = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold_in_use, args=(ours.results.root, held, until))
    other.start()
    try:
        assert held.wait(30)
        result = mmplat("gc", "--delete", "--results", str(ours.results.root))
        assert (result.code, "Something is being planned, prepared, asked" in result.err) == (1, True)
        assert mmplat("gc", "--results", str(ours.results.root)).code == 0  # listing disturbs nobody
    finally:
        until.set()
        other.join()
    assert mmplat("gc", "--delete", "--results", str(ours.results.root)).code == 0


def test_nothing_is_imported_prepared_or_asked_while_somebody_sweeps(
    ours: Ran, theirs: Results, tmp_path: Path
) -> None:
    file = packed(theirs, tmp_path / "a.tar.gz")
    spawn = multiprocessing.get_context("spawn")
    held, until = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold_alone, args=(ours.results.root, held, until))
    other.start()
    try:
        assert held.wait(30)
        with pytest.raises(Busy, match="is being swept"):
            archive.load_campaign(ours.results, file)
        with pytest.raises(Busy, match="is being swept"):
            write_plan(ours.plan, ours.results)
    finally:
        until.set()
        other.join()
    assert archive.load_campaign(ours.results, file).written > 0


def hold_alone(root: Path, held: Any, until: Any) -> None:
    with alone(Results(root)):
        held.set()
        until.wait(30)


def test_a_suite_that_was_prepared_for_a_grid_is_no_garbage(tmp_path: Path, ours: Ran, mmplat: Command) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(GRID.replace("campaign: test", "campaign: later").replace("limit: 60", "limit: 20"))
    where = ("--results", str(ours.results.root))
    assert mmplat("prepare", "--grid", str(grid), *where).code == 0
    assert mmplat("gc", "--delete", *where).err == "Everything is referred to.\n"


def test_an_import_that_did_not_end_is_listed_and_swept(ours: Ran, mmplat: Command) -> None:
    left = ours.results.root / ".importing-abcd"
    (left / "evidence").mkdir(parents=True)
    (left / "evidence" / "half").write_bytes(b"half")
    where = ("--results", str(ours.results.root))
    assert "import that did not end" in mmplat("gc", *where).out.decode()
    assert mmplat("gc", "--delete", *where).code == 0
    assert not left.exists()


def test_a_guest_is_never_swept(ours: Ran, theirs: Results, tmp_path: Path, mmplat: Command) -> None:
    archive.load_campaign(ours.results, packed(theirs, tmp_path / "a.tar.gz"))
    where = ("--results", str(ours.results.root))
    assert mmplat("gc", "--delete", *where).err == "Everything is referred to.\n"
    publish(ours.results, "theirs")
    assert mmplat("verify", "--campaign", "theirs", *where).code == 0
