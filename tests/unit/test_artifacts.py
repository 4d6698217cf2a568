import errno
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmplat.artifacts import Results, atomic, read_json, safe_name, write_json, write_json_once
from mmplat.errors import ArtifactError, Busy
from mmplat.locks import only_writer


def test_a_block_that_fails_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def fail():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_said_so_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def fill():
        with atomic(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        ArtifactError, match="disk is full while writing .*a.json.*free some space and run the same command"
    ):
        fill()
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_really_full_disk_is_said_so(tmp_path):
    # /dev/full answers every write with ENOSPC, as a full disk does.
    with pytest.raises(ArtifactError, match="disk is full"), atomic(tmp_path / "a") as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(b"x")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /sys, where nobody may make a file, root included")
def test_a_folder_that_may_be_read_and_not_written_is_said_so():
    say = "cannot be written .*--results, or MMPLAT_RESULTS.*docs/running.md says how"
    with pytest.raises(ArtifactError, match=f"/sys/kernel/a.json {say}"):
        write_json(Path("/sys/kernel/a.json"), {})
    with pytest.raises(ArtifactError, match=f"/sys/mmplat/deeper/a.json {say}"):
        write_json(Path("/sys/mmplat/deeper/a.json"), {})
    with pytest.raises(ArtifactError, match=f"/sys/kernel {say}"), only_writer(Path("/sys/kernel"), what="it"):
        pass


def test_a_block_that_may_not_read_another_file_is_not_taken_for_that(tmp_path):
    with pytest.raises(PermissionError), atomic(tmp_path / "a.json"):
        raise PermissionError(errno.EACCES, "Permission denied", "/another/file")


def test_threads_that_write_at_once_leave_the_umask_and_make_files_as_it_says(tmp_path):
    before, interval = os.umask(0o027), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns within a call
    try:
        with ThreadPoolExecutor(4) as pool:
            paths = [tmp_path / str(number) for number in range(400)]
            list(pool.map(lambda path: write_json(path, {}), paths))
    finally:
        sys.setswitchinterval(interval)
        after = os.umask(before)
    assert after == 0o027
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o640}


def test_files_named_by_content_are_never_rewritten(tmp_path):
    path = tmp_path / "batch.json"
    write_json_once(path, {"a": 1})
    before = path.stat().st_mtime_ns
    write_json_once(path, {"a": 1})
    assert path.stat().st_mtime_ns == before


def test_a_second_writer_is_told_who_holds_the_folder(tmp_path):
    with only_writer(tmp_path, what="Evidence of tiny on x"):
        import subprocess
        import sys

        code = (
            "from pathlib import Path; from mmplat.locks import only_writer\n"
            f"with only_writer(Path({str(tmp_path)!r}), what='Evidence of tiny on x'): pass"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Busy" in done.stderr
    assert "Evidence of tiny on x is being written by process" in done.stderr
    with only_writer(tmp_path, what="the same"):
        pass  # released: the next one may


def test_a_broken_json_file_names_the_command_that_makes_it(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(ArtifactError, match="does not exist. `mmplat ask` makes it"):
        read_json(path, made_by="mmplat ask")
    path.write_text('{"half":')
    with pytest.raises(ArtifactError, match="not valid JSON"):
        read_json(path, made_by="mmplat ask")


def test_hub_names_become_folder_names():
    assert safe_name("llava-hf/llava-1.5-7b-hf") == "llava-hf_llava-1.5-7b-hf"
    assert "/" not in str(Results(__import__("pathlib").Path("r")).campaign("a/b").name)


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "../../etc"])
def test_no_name_leads_out_of_the_results_folder(tmp_path, name):
    place = Results(tmp_path / "results")
    for path in (place.campaign(name), place.scheduled(name), place.build(name), place.suite(name, "key")):
        assert path.resolve().is_relative_to(place.root)
        assert path.resolve().parent != place.root


def test_busy_is_an_artifact_error():
    assert issubclass(Busy, ArtifactError)
