"""A campaign as one file for another lab, and what no campaign refers to."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generate import write_campaign

from mmplat import archive
from mmplat.archive.packing import FORMAT, MANIFEST
from mmplat.artifacts import Results, read_json
from mmplat.errors import ArtifactError, ConfigError, UnknownName
from mmplat.ids import file_id
from mmplat.locks import only_writer

Command = Callable[..., Any]
ENDINGS = (".tar.zst", ".tar.gz")


@pytest.fixture
def ran(fake_run: Any, tmp_path: Path) -> Results:
    copied = Results(tmp_path / "here" / "results")
    shutil.copytree(fake_run.results.root, copied.root)
    return copied


@pytest.fixture
def there(tmp_path: Path) -> Results:
    """The results folder of another lab."""
    return Results(tmp_path / "it's [there]" / "results")


def contents(results: Results) -> dict[str, bytes]:
    """Every file but locks and heartbeats, which belong to a machine."""
    files = [path for path in results.root.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(results.root)): path.read_bytes()
        for path in files
        if not path.name.startswith(".") and not path.name.endswith(".heartbeat.json")
    }


# There and back


@pytest.mark.parametrize("ending", ENDINGS)
def test_another_lab_loads_publishes_and_verifies_a_campaign(
    ran: Results, there: Results, tmp_path: Path, mmplat: Command, ending: str
) -> None:
    file = tmp_path / f"campaign{ending}"
    assert mmplat("export", "campaign", "test", str(file), "--results", str(ran.root)).code == 0
    said = mmplat("import", "campaign", str(file), "--results", str(there.root))
    assert (said.code, "`mmplat publish test`" in said.err) == (0, True)
    assert contents(there.guest("test")).keys() - {"archive.json"} == contents(ran).keys()
    assert mmplat("publish", "--no-tracking", "--results", str(there.root)).code == 0
    verified = mmplat("verify", "--campaign", "test", "--images", "--results", str(there.root))
    assert (verified.code, verified.err) == (0, "6 runs: 6 verified\n")
    again = archive.load_campaign(there, file)
    assert (again.written, again.present) == (0, len(contents(ran)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_packing_twice_gives_the_same_bytes(ran: Results, tmp_path: Path, ending: str) -> None:
    first, second = tmp_path / f"first{ending}", tmp_path / f"second{ending}"
    archive.pack_campaign(ran, "test", first)
    archive.pack_campaign(ran, "test", second)
    assert first.read_bytes() == second.read_bytes()


def test_only_what_the_campaign_refers_to_is_packed(ran: Results, there: Results, tmp_path: Path) -> None:
    before = contents(ran)
    write_campaign(ran, "other", models=("someone-else",))
    (ran.campaign("test") / "published.json").write_text("{}")
    archive.pack_campaign(ran, "test", tmp_path / "a.tar.gz")
    archive.load_campaign(there, tmp_path / "a.tar.gz")
    assert contents(there.guest("test")).keys() - {"archive.json"} == before.keys()


def test_mistakes_are_told_before_anything_is_packed(ran: Results, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'test'"):
        archive.pack_campaign(ran, "tset", tmp_path / "a.tar.gz")
    with pytest.raises(ConfigError, match=r"Allowed endings: .tar.zst, .tar.gz"):
        archive.pack_campaign(ran, "test", tmp_path / "a.zip")
    (tmp_path / "a.tar.gz").touch()
    with pytest.raises(ConfigError, match="exists"):
        archive.pack_campaign(ran, "test", tmp_path / "a.tar.gz")
    shutil.rmtree(ran.campaign("test") / "decided")
    with pytest.raises(ArtifactError, match="Nothing of campaign 'test' is decided"):
        archive.pack_campaign(ran, "test", tmp_path / "b.tar.gz")


def test_a_campaign_that_changes_while_it_is_packed_makes_no_archive(
    ran: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed_then_changed(path: Path, *, length: int) -> str:
        found = file_id(path, length=length)
        if path.name == "metrics.parquet":
            path.write_bytes(path.read_bytes()[::-1])
        return found

    monkeypatch.setattr("mmplat.archive.packing.file_id", listed_then_changed)
    with pytest.raises(ArtifactError, match=r"metrics.parquet changed while it was packed"):
        archive.pack_campaign(ran, "test", tmp_path / "a.tar.gz")
    assert not (tmp_path / "a.tar.gz").exists()


# Loading what others made


def test_a_campaign_that_is_here_already_stays_as_it_is(ran: Results, there: Results, tmp_path: Path) -> None:
    archive.pack_campaign(ran, "test", tmp_path / "a.tar.gz")
    archive.load_campaign(there, tmp_path / "a.tar.gz")
    plan = there.plan("test")
    plan.write_text(plan.read_text() + "\n")
    before = contents(there)
    with pytest.raises(ArtifactError, match=r"came with an archive before, and 1 files of .* campaigns/test/plan.json"):
        archive.load_campaign(there, tmp_path / "a.tar.gz")
    assert contents(there) == before


def test_an_archive_of_ones_own_campaign_adds_nothing_to_it(ran: Results, tmp_path: Path) -> None:
    archive.pack_campaign(ran, "test", tmp_path / "a.tar.gz")
    before = contents(ran)
    assert archive.load_campaign(ran, tmp_path / "a.tar.gz").written == 0
    next(ran.evidence_root.rglob("part-*.parquet")).unlink()
    with pytest.raises(ArtifactError, match=r"is one of this results folder, and 1 files"):
        archive.load_campaign(ran, tmp_path / "a.tar.gz")
    assert len(contents(ran)) == len(before) - 1


def hostile(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], listed: dict[str, Any]) -> Path:
    """An archive whose list and members say what a test wants."""
    manifest = json.dumps({"format": FORMAT, "campaign": "demo", "mmplat": "0", "files": listed}).encode()
    first = tarfile.TarInfo(MANIFEST)
    first.size = len(manifest)
    with tarfile.open(path, "w:gz") as made:
        made.addfile(first, io.BytesIO(manifest))
        for member, data in members:
            made.addfile(member, io.BytesIO(data))
    return path


def member(name: str, data: bytes = b"x", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size = len(data) if made.isreg() else 0
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made, data


def listing(*names: str, data: bytes = b"x") -> dict[str, Any]:
    return {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name in names}


ESCAPES = (
    "../outside",
    "evidence/../../outside",
    "/tmp/outside",
    "suites/./x",
    "suites//x",
    "campaigns/other/plan.json",
    "campaigns/demo/.lock",
    "mmplat.db",
    "schedule/nightly/schedule.json",
    "trained/0123456789abcdef/resume.pt",
    "trained/0123456789abcdef/model/model.safetensors",
    "suites/a\\..\\b",
    "suites/a\nb",
)


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_no_campaign_has_is_refused_before_anything_is_written(
    there: Results, tmp_path: Path, name: str
) -> None:
    file = hostile(tmp_path / "a.tar.gz", [member(name)], listing(name))
    with pytest.raises(ArtifactError, match="is no file of campaign 'demo'. Nothing was loaded"):
        archive.load_campaign(there, file)
    assert contents(there) == {}
    assert not (tmp_path / "outside").exists()


NAME = "evidence/model=m/suite=s/k/part-1.parquet"


@pytest.mark.parametrize(
    "members",
    [
        [member(NAME, type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0)],
        [member(NAME, type=tarfile.LNKTYPE, linkname=MANIFEST, size=0)],
        [member(NAME, type=tarfile.CHRTYPE, size=0)],
        [member(NAME, b"xx")],
        [member(NAME, b"y")],
        [member(NAME), member("suites/not/listed.json")],
        [member(NAME), member(NAME)],
        [],
    ],
    ids=["symbolic link", "hard link", "device", "longer", "altered", "not listed", "twice", "missing"],
)
def test_members_that_are_not_as_listed_are_refused(
    there: Results, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    file = hostile(tmp_path / "a.tar.gz", members, listing(NAME))
    with pytest.raises(ArtifactError, match="Nothing was loaded"):
        archive.load_campaign(there, file)
    assert contents(there) == {}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("length", [0, 10, -100])
def test_a_damaged_archive_is_one_message(
    ran: Results, there: Results, tmp_path: Path, ending: str, length: int
) -> None:
    file = tmp_path / f"a{ending}"
    archive.pack_campaign(ran, "test", file)
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ArtifactError, match=r"cannot be read|no archive of a campaign|lacks|not as it lists"):
        archive.load_campaign(there, file)
    assert contents(there) == {}


def test_an_archive_of_another_format_and_none_at_all(there: Results, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="`mmplat export campaign NAME FILE`"):
        archive.load_campaign(there, tmp_path / "nowhere.tar.gz")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as made:
        made.addfile(*[part if isinstance(part, tarfile.TarInfo) else io.BytesIO(part) for part in member("README")])
    with pytest.raises(ArtifactError, match="does not begin with"):
        archive.load_campaign(there, tmp_path / "other.tar.gz")


# Retention


def test_what_a_campaign_refers_to_is_never_garbage(ran: Results, mmplat: Command) -> None:
    assert archive.collect(ran) == []
    said = mmplat("gc", "--delete", "--results", str(ran.root))
    assert (said.code, said.err) == (0, "Everything is referred to.\n")


def test_what_left_the_grid_is_listed_with_its_bytes_and_deleted_only_when_told(ran: Results, mmplat: Command) -> None:
    kept = contents(ran)
    write_campaign(ran, "old", models=("left",), suites=("gone",))
    (ran.root / "batches" / "0123.json").write_text("{}")
    shutil.rmtree(ran.campaign("old"))
    found = {one.what: one for one in archive.collect(ran)}
    assert found.keys() == {"evidence", "prepared suite", "batch"}
    assert found["evidence"].bytes == sum(p.stat().st_size for p in found["evidence"].path.iterdir())
    dry = mmplat("gc", "--results", str(ran.root))
    assert (dry.code, "`mmplat gc --delete` does it" in dry.err) == (0, True)
    assert found["evidence"].path.exists()
    assert mmplat("gc", "--delete", "--results", str(ran.root)).code == 0
    assert contents(ran) == kept
    assert not (ran.evidence_root / "model=left").exists()


def test_evidence_that_is_being_asked_for_stays(ran: Results) -> None:
    plan = read_json(ran.plan("test"), made_by="")
    ran.batch_done(plan["batches"][0]["key"]).unlink()
    half = ran.evidence("fake", "world-objects", "half-asked")
    half.mkdir()
    assert archive.collect(ran) == []


def test_a_folder_that_somebody_writes_is_left(ran: Results) -> None:
    orphan = ran.evidence("nobody", "nothing", "key")
    (orphan / "sub").mkdir(parents=True)
    [garbage] = archive.collect(ran)
    with only_writer(orphan, what="this test"):
        kept = archive.delete(garbage)
    assert kept is not None
    assert "is being written by" in kept
    assert orphan.exists()
    assert archive.delete(garbage) is None
    assert not orphan.exists()


def test_parts_that_cannot_be_read_are_garbage_and_replies_never_are(ran: Results) -> None:
    broken = next(ran.evidence_root.rglob("part-*.parquet")).with_suffix(".parquet.broken")
    broken.write_bytes(b"half")
    ran.replies.mkdir()
    (ran.replies / "paid.sqlite").write_bytes(b"paid")
    assert [(one.path, one.what, one.bytes) for one in archive.collect(ran)] == [(broken, "broken part", 4)]


def test_a_file_that_a_job_renames_while_we_look_is_no_garbage_and_no_error(ran: Results) -> None:
    """Heartbeats come and go under temporary names. A link to nothing is found and has no state, as such a file has."""
    (ran.root / "batches" / ".0123.heartbeat.json.a.tmp").symlink_to("nowhere")
    assert archive.collect(ran) == []


def test_a_folder_without_campaigns_is_not_swept(there: Results) -> None:
    with pytest.raises(ConfigError, match="holds no campaign"):
        archive.collect(there)
