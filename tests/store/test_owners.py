"""Several results folders publish into one store: each replaces what is its own, and nothing else unless it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generate import write_campaign
from sqlalchemy import text
from sqlalchemy.engine import URL

from mmplat import store as store_room
from mmplat.artifacts import Results, read_json, time_in, write_json
from mmplat.errors import ArtifactError, ForeignCampaign
from mmplat.owners import owner_of
from mmplat.store import engine_of, publish, rebuild, store_url

Command = Callable[..., Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> URL:
    """A store that is no folder's own, and the environment pointing at it."""
    if request.param == "sqlite":
        url = URL.create("sqlite", database=str(tmp_path / "shared.db"))
    else:
        url = request.getfixturevalue("postgres")
    monkeypatch.setenv("MMPLAT_STORE_URL", url.render_as_string(hide_password=False))
    return url


@pytest.fixture
def anna(tmp_path: Path) -> Results:
    """A folder with the campaigns demo (24 runs) and hers (24 runs), published."""
    made = Results(tmp_path / "anna" / "results")
    for name in ("demo", "hers"):
        write_campaign(made, name)
    return made


@pytest.fixture
def ben(tmp_path: Path) -> Results:
    """Another folder, with a small campaign of the name demo, and another grid."""
    made = Results(tmp_path / "ben" / "results")
    write_campaign(made, models=("tiny",), suites=("world-facts",), decodings=("greedy",), methods=("naive",))
    return made


def runs(url: URL) -> dict[str, int]:
    engine = engine_of(url, reads_only=True)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT campaign, count(*) FROM runs GROUP BY campaign ORDER BY campaign"))
        counts = {name: int(count) for name, count in found}
    engine.dispose()
    return counts


def forget_owners(url: URL) -> None:
    """As a store that an earlier version filled, after its upgrade."""
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE campaigns SET origin_folder = NULL, origin_user = NULL, origin_host = NULL"))
    engine.dispose()


def test_a_campaign_of_another_results_folder_is_refused_with_whose_it_is(
    shared: URL, anna: Results, ben: Results, mmplat: Command
) -> None:
    publish(anna, "demo")
    said = mmplat("publish", "demo", "--no-tracking", "--results", str(ben.root))
    hers = owner_of(anna)
    assert said.code == 1
    assert "(24 runs) is of " in said.err
    assert f"{hers.id} (made by {hers.user} on {hers.host}, {hers.made[:10]})" in said.err
    assert "`mmplat publish demo --take-over`" in said.err
    assert "another `campaign`" in said.err
    assert runs(shared) == {"demo": 24}
    assert not ben.published("demo").exists()


def test_take_over_replaces_it_and_says_what_was_there(
    shared: URL, anna: Results, ben: Results, mmplat: Command
) -> None:
    publish(anna, "demo")
    said = mmplat("publish", "demo", "--take-over", "--no-tracking", "--results", str(ben.root))
    assert (said.code, runs(shared)) == (0, {"demo": 1})
    assert f"demo: taken over from results folder {owner_of(anna).id}" in said.err
    assert "its 24 runs were replaced" in said.err
    assert mmplat("publish", "demo", "--no-tracking", "--results", str(ben.root)).code == 0
    with pytest.raises(ForeignCampaign, match=owner_of(ben).id):
        publish(anna, "demo")


def test_take_over_names_what_it_is_meant_for(ben: Results, mmplat: Command) -> None:
    for words in ((), ("--rebuild",)):
        said = mmplat("publish", "--take-over", *words, "--no-tracking", "--results", str(ben.root))
        assert (said.code, "name the campaigns" in said.err) == (2, True)


def test_a_refused_campaign_keeps_no_other_from_the_store(
    shared: URL, anna: Results, ben: Results, mmplat: Command
) -> None:
    publish(anna, "demo")
    write_campaign(ben, "more", models=("tiny",))
    said = mmplat("publish", "--no-tracking", "--results", str(ben.root))
    assert (said.code, "Campaign 'demo'" in said.err) == (1, True)
    assert runs(shared) == {"demo": 24, "more": 12}
    assert ben.published("more").exists()


def test_a_rebuild_touches_what_is_its_own_and_says_what_it_removed(
    shared: URL, anna: Results, ben: Results, mmplat: Command
) -> None:
    publish(anna, "demo")
    publish(anna, "hers")
    write_campaign(ben, "gone", models=("tiny",))
    publish(ben, "gone")
    write_campaign(ben, "stays", models=("tiny",))
    ben.plan("gone").unlink()
    said = mmplat("publish", "--rebuild", "--no-tracking", "--results", str(ben.root))
    assert said.code == 1  # its demo stays out
    assert "gone: removed from the store with its 12 runs" in said.err
    assert "Campaign 'demo'" in said.err
    assert runs(shared) == {"demo": 24, "hers": 24, "stays": 12}


def test_a_copied_folder_is_the_same_folder(shared: URL, anna: Results, tmp_path: Path) -> None:
    import shutil

    publish(anna, "demo")
    shutil.copytree(anna.root, tmp_path / "copy")
    copy = Results(tmp_path / "copy")
    assert publish(copy, "demo").written == 0
    copy.origin.unlink()
    with pytest.raises(ForeignCampaign):
        publish(copy, "demo")


def test_what_an_earlier_version_published_goes_to_who_has_the_same_grid(
    shared: URL, anna: Results, ben: Results
) -> None:
    publish(anna, "demo")
    forget_owners(shared)
    with pytest.raises(ForeignCampaign, match=r"published by a version of mmplat that did not record.*--take-over"):
        publish(ben, "demo")
    assert [str(one)[:15] for one in rebuild(ben).refused] == ["Campaign 'demo'"]
    assert runs(shared) == {"demo": 24}
    assert publish(anna, "demo").written == 0
    with pytest.raises(ForeignCampaign, match=owner_of(anna).id):
        publish(ben, "demo")


def test_what_an_earlier_version_left_in_the_folders_own_store_is_its_own(demo: Results) -> None:
    publish(demo, "demo")
    write_campaign(demo, "gone")
    publish(demo, "gone")
    forget_owners(store_url(demo))
    write_campaign(demo, methods=("naive",))
    demo.plan("gone").unlink()
    assert publish(demo, "demo").runs == 8
    assert rebuild(demo).removed == {"gone": 24}
    assert runs(store_url(demo)) == {"demo": 8}


def test_cells_that_leave_a_campaign_are_told(demo: Results, mmplat: Command) -> None:
    where = ("--no-tracking", "--results", str(demo.root))
    assert "left the store" not in mmplat("publish", *where).err
    write_campaign(demo, models=("tiny",), methods=("naive",))
    assert "demo: 20 runs left the store" in mmplat("publish", *where).err
    assert "left the store" not in mmplat("publish", *where).err


def test_a_published_marker_is_as_old_as_what_it_covers(
    demo: Results, mmplat: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair that is decided while the others are published is newer than the marker, so Snakemake publishes it."""
    last = demo.decided("demo", "tiny-biased", "world-facts") / "decided.json"
    said = read_json(last, made_by="")
    last.unlink()
    original = store_room.publish

    def publish_and_decide(*words: Any, **more: Any) -> Any:
        done = original(*words, **more)
        write_json(last, said)
        return done

    monkeypatch.setattr(store_room, "publish", publish_and_decide)
    told = mmplat("publish", "demo", "--no-tracking", "--results", str(demo.root))
    marker = demo.published("demo")
    assert "1 of 4 pairs are not decided yet: tiny-biased × world-facts" in told.err
    assert marker.stat().st_mtime_ns < last.stat().st_mtime_ns
    found = json.loads(marker.read_text())
    assert (len(found["covers"]), found["missing"]) == (3, ["tiny-biased × world-facts"])
    assert mmplat("rank", "demo", "--results", str(demo.root)).code == 0
    assert demo.leaderboard("demo").stat().st_mtime_ns >= marker.stat().st_mtime_ns


def test_the_time_of_a_folder_leaves_nothing_in_it(tmp_path: Path) -> None:
    assert time_in(tmp_path / "none") is None
    (tmp_path / "before").touch()
    now = time_in(tmp_path)
    (tmp_path / "after").touch()
    assert (tmp_path / "before").stat().st_mtime_ns <= (now or 0) <= (tmp_path / "after").stat().st_mtime_ns
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after", "before"]


def test_processes_that_publish_first_at_once_are_one_folder(results: Results) -> None:
    code = (
        "from pathlib import Path; import sys; from mmplat.artifacts import Results; from mmplat.owners import owner_of; "
        "print(owner_of(Results(Path(sys.argv[1]))).id)"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(results.root)], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    said = {racer.communicate(timeout=120)[0] for racer in racers}
    assert said == {owner_of(results).id + "\n"}
    assert [path.name for path in results.root.iterdir()] == ["origin.json"]


def test_without_hard_links_a_folder_gets_its_id_all_the_same(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*words: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert owner_of(results) == owner_of(results)
    assert [path.name for path in results.root.iterdir()] == ["origin.json"]


def test_an_origin_that_says_nothing_is_named_with_the_way_out(results: Results) -> None:
    write_json(results.origin, {"id": "x"})
    with pytest.raises(ArtifactError, match=r"origin.json does not say.*--take-over"):
        owner_of(results)


def test_readers_make_no_id(published: Results, mmplat: Command) -> None:
    published.origin.unlink()
    for words in (("leaderboard",), ("sql", "FROM campaigns"), ("db", "check")):
        mmplat(*words, "--results", str(published.root))
    assert not published.origin.exists()


def test_the_view_of_campaigns_says_whose_they_are(published: Results, mmplat: Command) -> None:
    statement = "SELECT origin_folder, origin_user, origin_host, origin_made FROM campaigns"
    said = mmplat("sql", statement, "--format", "json", "--results", str(published.root))
    whose = owner_of(published)
    assert list(json.loads(said.out)[0].values()) == [whose.id, whose.user, whose.host, whose.made]
