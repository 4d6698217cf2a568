"""Campaigns by the clock: what is due is run once, by a real Snakemake, one at a time, and recorded whatever becomes of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmplat.artifacts import Results, write_json
from mmplat.errors import ArtifactError, ConfigError, DuplicateName, UnknownName
from mmplat.schedule import (
    Scheduled,
    add,
    firings,
    not_run,
    private,
    remove,
    report,
    report_failures,
    run_due,
    scheduled,
    systemd_units,
)
from mmplat.schedule import clock as clocks

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GRID = "campaign: nightly\nmodels: [fake]\nsuites: [world-objects]\nlimit: 20\n"
TINY = """
rule all:
    output: "fired/{stamp}".format(stamp=config.get("stamp", "once"))
    shell: "{command}"
"""
BEFORE = datetime(2026, 3, 1, 12, 0)
NIGHT = datetime(2026, 3, 2, 2, 0, 7)


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    """Whoever runs the tests keeps their own schedules."""
    folder = tmp_path / "it's my $HOME 100%"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder / "mmplat/schedules"


@pytest.fixture
def place(tmp_path):
    """A folder with a workflow of one rule: what is tested here is not what it does."""
    folder = tmp_path / "it's 100% a lab"
    folder.mkdir()
    (folder / "grid.yaml").write_text(GRID)
    workflow(folder, "touch {output}")
    return folder


def workflow(folder, command):
    (folder / "Snakefile").write_text(TINY.replace("{command}", command))


def entry(folder, name="nightly", cron="0 2 * * *", **more):
    profile = folder / "profile"
    profile.mkdir(exist_ok=True)
    (profile / "config.yaml").write_text("cores: 1\nquiet: host\n")
    return Scheduled(
        name=name, cron=cron, grid=folder / "grid.yaml", profile=profile, snakefile=folder / "Snakefile", folder=folder,
        **{"added": BEFORE, **more},
    )  # fmt: skip


def fire(results, now=NIGHT, **more):
    return run_due(results, now=now, patience_s=0, say=lambda text: None, **more)


# The clock


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("* * * *", "five fields"),
        ("0 0 2 * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 2 * * *", "bad minute"),
        ("0 25 * * *", "bad hour"),
        ("0 2 30 2 *", "bad day-of-month"),
        ("0 2 L * *", "five fields"),
        ("0 2 * * tues", "bad day-of-week"),
        ("", "five fields"),
    ],
)
def test_what_is_no_cron_expression_is_one_clear_error(expression, why):
    with pytest.raises(ConfigError, match=rf"is no cron expression: .*{why}.*every night at two"):
        clocks.check(expression)


@pytest.mark.parametrize("expression", ["0 2 * * *", "*/5 8-18 * jul mon-fri", "0 0 1,15 * 7", "59 23 29 2 *"])
def test_what_cron_reads_is_taken(expression):
    clocks.check(expression)


@settings(deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.sampled_from(["0 2 * * *", "*/7 3 * * 1", "30 4 1 * *"]),
)
def test_the_last_and_the_next_minute_lie_on_either_side_of_now(now, expression):
    last, following = clocks.latest(expression, now), clocks.upcoming(expression, now)
    assert last <= now < following
    assert clocks.upcoming(expression, last) == following


# What is scheduled


def test_a_schedule_is_checked_when_it_is_added(place, results):
    good = entry(place)
    for change, message in (
        ({"cron": "nonsense"}, "no cron expression"),
        ({"grid": place / "none.yaml"}, "no grid file"),
        ({"snakefile": place / "none"}, "no Snakefile"),
        ({"profile": place}, "is no profile"),
        ({"env_file": place / "none"}, "cannot be read"),
        ({"env_file": place / "grid.yaml"}, "grid.yaml:1: this line is no setting. Write NAME=VALUE"),
    ):
        with pytest.raises(ConfigError, match=message):
            add(results, good.model_copy(update=change))
    assert scheduled(results) == []
    add(results, good)
    with pytest.raises(DuplicateName, match="mmplat schedule remove nightly"):
        add(results, good)
    assert scheduled(results) == [good]
    remove(results, "nightly")
    with pytest.raises(UnknownName):
        remove(results, "nightly")


def test_what_may_be_a_secret_is_in_no_message(place, results):
    secrets = place / "secrets.env"
    secrets.write_text("OPENAI_API_KEY: sk-hunter2\n")
    with pytest.raises(ConfigError) as error:
        add(results, entry(place, env_file=secrets))
    unsent = [report.post(f"{scheme}hooks.chat.example/a b/hunter2", {}) for scheme in ("", "https://")]
    assert all("the webhook is no http(s) address" in str(why) for why in unsent)
    assert "hunter2" not in f"{error.value}{unsent}"


def test_units_for_systemd_quote_what_systemd_would_expand(place):
    text = systemd_units(Results(place / "100% $HOME"))
    assert f'Environment="XDG_CONFIG_HOME={place.parent}/it\'s my $HOME 100%%"\n' in text
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert line.endswith(
        f'"schedule" "run-due" "--results" "{place}/100%% $$HOME"'.replace("100% a lab", "100%% a lab")
    )


# Firings


def test_what_is_due_is_run_once_and_recorded(place, results):
    add(results, entry(place, env_file=None))
    assert fire(results, BEFORE + timedelta(hours=1)) == [], "it was added after that minute"
    (done,) = fire(results)
    assert (done.outcome, done.exit_code, done.due) == ("done", 0, datetime(2026, 3, 2, 2, 0))
    assert (place / "fired/once").exists()
    assert done.log.read_text()
    assert firings(results, "nightly") == [done]
    assert fire(results, NIGHT + timedelta(hours=3)) == [], "it had its turn"


def test_firings_that_a_sleeping_machine_missed_are_made_up_for_once(place, results):
    add(results, entry(place))
    (done,) = fire(results, NIGHT + timedelta(days=5, hours=7))
    assert done.due == datetime(2026, 3, 7, 2, 0)


def test_two_that_are_due_together_run_one_after_the_other(place, results):
    add(results, entry(place, "one"))
    add(results, entry(place, "two", "0 */2 * * *"))
    first, second = fire(results)
    assert (first.outcome, second.outcome) == ("done", "done")
    assert first.ended <= second.started


def test_settings_of_the_environment_file_reach_the_jobs(place, results):
    workflow(place, "echo $GREETING > {output}")
    settings_ = place / "lab.env"
    settings_.write_text("# of our lab\n\nexport GREETING='hello $HOME'\nOTHER=1\n")
    add(results, entry(place, env_file=settings_))
    assert fire(results)[0].outcome == "done"
    assert (place / "fired/once").read_text() == "hello $HOME\n"


def test_a_second_firing_is_recorded_as_skipped(place, results):
    add(results, entry(place))
    code = (
        "import sys; from pathlib import Path; from mmplat.locks import only_writer\n"
        "with only_writer(Path(sys.argv[1]), what='x'): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(results.schedule)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        (skipped,) = fire(results)
        assert skipped.outcome == "skipped"
        assert f"process {other.pid}" in skipped.reason
        assert fire(results) == [], "it had its turn"
    finally:
        other.communicate("", timeout=30)
    assert fire(results, NIGHT + timedelta(days=1))[0].outcome == "done"


def test_two_lines_of_a_crontab_that_fire_in_one_minute_skip_nothing(place, results):
    """Both processes see both campaigns due; whoever comes second finds that the first claimed them."""
    workflow(place, "sleep 5; touch {output}")
    add(results, entry(place, "one"))
    add(results, entry(place, "two", "0 */2 * * *"))
    code = (
        "import sys; from datetime import datetime; from pathlib import Path; from mmplat.artifacts import Results\n"
        "from mmplat.schedule import run_due\n"
        "print([f.outcome for f in run_due(Results(Path(sys.argv[1])), now=datetime(2026, 3, 2, 2, 0, 7), say=len)])"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(results.root)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = sorted(process.communicate(timeout=120)[0] for process in both)
    assert said == ["['done', 'done']\n", "[]\n"]


def test_a_firing_that_fails_is_told_with_its_log(place, results):
    workflow(place, "echo the cause >&2; exit 3")
    add(results, entry(place))
    failed = fire(results)
    assert (failed[0].outcome, failed[0].exit_code) == ("failed", 1)
    summary, unsent = report_failures(results, failed, webhook=None)
    text = summary.read_text()
    assert unsent is None
    assert text.startswith(f"# mmplat on {os.uname().nodename}: nightly (failed)")
    for part in ("snakemake ended with exit code 1", str(failed[0].log), "the cause", "state: unknown"):
        assert part in text


def test_a_broken_environment_file_fails_its_own_firing_alone(place, results):
    settings_ = place / "lab.env"
    settings_.write_text("A=1\n")
    add(results, entry(place, "a", env_file=settings_))
    add(results, entry(place, "b"))
    settings_.unlink()
    first, second = fire(results)
    assert (first.outcome, second.outcome) == ("failed", "done")
    assert "environment file of schedule 'a'" in first.reason


@pytest.fixture
def due_process(results):
    """`run-due` as a process; it is ended in any case, and what it started ends by itself."""
    started = []

    def start():
        started.append(begin(results))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def begin(results):
    code = (
        "import sys; from datetime import datetime; from pathlib import Path; from mmplat.artifacts import Results\n"
        "from mmplat.cli.interrupts import interruptible; from mmplat.schedule import run_due\n"
        "with interruptible(): run_due(Results(Path(sys.argv[1])), now=datetime(2026, 3, 2, 2, 0, 7))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(results.root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to this"
        time.sleep(0.05)


def test_a_firing_that_was_killed_is_found_and_never_run_beside_itself(place, results, due_process):
    workflow(place, "touch {output}.begun; sleep 8; touch {output}")
    add(results, entry(place))
    process = due_process()
    wait_for((place / "fired/once.begun").exists)
    process.kill()
    process.wait()
    (skipped,) = fire(results, NIGHT + timedelta(days=1))
    assert skipped.outcome == "skipped"
    assert "still runs" in skipped.reason
    pid = firings(results, "nightly")[0].pid
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or b"snakemake" not in Path(f"/proc/{pid}/cmdline").read_bytes())
    lost, again = fire(results, NIGHT + timedelta(days=2))
    assert (lost.outcome, lost.due) == ("lost", datetime(2026, 3, 2, 2, 0))
    assert again.outcome == "done"
    assert "killed, or its machine went down" in report_failures(results, [lost], webhook=None)[0].read_text()


def test_a_run_that_is_told_to_end_takes_its_snakemake_with_it(place, results, due_process):
    workflow(place, "touch {output}.begun; sleep 100; touch {output}")
    add(results, entry(place))
    process = due_process()
    wait_for((place / "fired/once.begun").exists)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    (firing,) = firings(results, "nightly")
    assert (firing.outcome, firing.reason) == ("failed", "interrupted; the next firing goes on")
    assert not Path(f"/proc/{firing.pid}").exists()


# The webhook


class Hook(BaseHTTPRequestHandler):
    answer = 200

    def do_POST(self):
        if self.answer is None:
            time.sleep(2)
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answer or 200)
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.got = []
    server.handle_error = lambda *words: None  # whoever hangs up is what is tested
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_one_message_with_the_paths(hook, place, results):
    workflow(place, "exit 3")
    add(results, entry(place))
    failed = fire(results)
    url = f"http://127.0.0.1:{hook.server_port}/x"
    summary, unsent = report_failures(results, failed, webhook=url)
    assert unsent is None
    (message,) = hook.got
    assert message["text"].endswith(f"nightly (failed). Summary: {summary}")
    assert message["firings"][0]["log"] == str(failed[0].log)


def test_the_environment_file_may_name_the_webhook(hook, place, results):
    workflow(place, "exit 3")
    settings_ = place / "lab.env"
    settings_.write_text(f"MMPLAT_WEBHOOK=http://127.0.0.1:{hook.server_port}/\n")
    for name in ("one", "two"):
        add(results, entry(place, name, env_file=settings_))
    report_failures(results, fire(results), webhook=None)
    (message,) = hook.got
    assert [firing["schedule"] for firing in message["firings"]] == ["one", "two"]


@pytest.mark.parametrize("answer", [500, 404, None])
def test_a_webhook_that_fails_or_hangs_fails_nothing(hook, monkeypatch, answer):
    monkeypatch.setattr(Hook, "answer", answer)
    monkeypatch.setattr(report, "WEBHOOK_TIMEOUT_S", 0.3)
    assert report.post(f"http://127.0.0.1:{hook.server_port}/x", {"a": 1})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://[", "nonsense", "http://no such host/"]
)
def test_a_dead_webhook_is_told_and_fails_nothing(url):
    assert report.post(url, {"a": 1})


# The command line, with a crontab of its own


@pytest.fixture
def crontab(tmp_path):
    """A crontab that is a file: what `crontab -l` and `crontab FILE` do, and never that of whoever runs the tests."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tab = tmp_path / "tab"
    program = folder / "crontab"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then test -e "{tab}" && cat "{tab}" || {{ echo "no crontab for you" >&2; exit 1; }}\n'
        f'else cat "$1" > "{tab}"; fi\n'
    )
    program.chmod(0o755)
    return tab


def mmplat(folder, tab, *words):
    environment = {
        **os.environ,
        "PATH": f"{tab.parent / 'bin'}:/usr/bin:/bin",
        "MMPLAT_RESULTS": str(folder / "results"),
    }
    return subprocess.run([str(BIN / "mmplat"), *words], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_crontab_says_what_is_scheduled_and_keeps_what_others_wrote(place, crontab):
    crontab.write_text("5 5 * * * mine # begin\n")
    for name, cron in (("one", "0 2 * * *"), ("two", "0 2 * * *"), ("three", "30 3 * * 1")):
        done = mmplat(place, crontab, "schedule", "add", name, "--grid", "grid.yaml", "--cron", cron)
        assert done.returncode == 0, done.stderr
    lines = crontab.read_text().splitlines()
    assert lines[0] == "5 5 * * * mine # begin"
    assert [line.split(" env ")[0] for line in lines if "run-due" in line] == ["0 2 * * *", "30 3 * * 1"]
    assert r"100\% a lab" in lines[2], "cron ends a line at a bare %"
    listed = mmplat(place, crontab, "schedule", "list")
    assert "not yet fired" in listed.stdout
    assert listed.stderr == ""
    for name in ("one", "two", "three"):
        assert mmplat(place, crontab, "schedule", "remove", name).returncode == 0
    assert crontab.read_text() == "5 5 * * * mine # begin\n"


def test_print_changes_no_crontab(place, crontab):
    words = ("schedule", "add", "n", "--grid", "grid.yaml", "--cron", "0 2 * * *")
    done = mmplat(place, crontab, *words, "--print")
    assert "OnCalendar=minutely" in done.stdout
    assert not crontab.exists()
    assert "run where a timer calls run-due" in mmplat(place, crontab, "schedule", "list").stderr
    assert json.loads(mmplat(place, crontab, "schedule", "list", "--json").stdout)[0]["firings"] == []


def test_a_crontab_that_refuses_is_told(place, crontab):
    program = crontab.parent / "bin/crontab"
    program.write_text(
        '#!/bin/sh\n[ "$1" = -l ] && exit 0\necho "you are not allowed to use this program" >&2; exit 1\n'
    )
    done = mmplat(place, crontab, "schedule", "add", "n", "--grid", "grid.yaml", "--cron", "0 2 * * *")
    assert done.returncode == 2
    assert "refused the new lines: you are not allowed" in done.stderr
    assert "--print" in done.stderr


def test_scrontab_is_taken_where_a_site_has_it(place, crontab):
    """A stand-in for SLURM's program, which takes the same words."""
    (crontab.parent / "bin/crontab").rename(crontab.parent / "bin/scrontab")
    assert mmplat(place, crontab, "schedule", "add", "n", "--grid", "grid.yaml", "--cron", "0 2 * * *").returncode == 0
    assert "run-due" in crontab.read_text()


def test_run_due_ends_with_an_error_and_one_summary_when_something_failed(place, crontab, hook):
    workflow(place, "exit 3")
    results = Results(place / "results")
    add(results, entry(place, cron="* * * * *", added=datetime.now() - timedelta(minutes=5)))
    url = f"http://127.0.0.1:{hook.server_port}/"
    done = mmplat(place, crontab, "schedule", "run-due", "--webhook", url)
    assert done.returncode == 1
    assert "1 of 1 scheduled campaigns failed; what happened: " in done.stderr
    assert len(hook.got) == 1
    assert len(list(results.schedule.glob("failed-*.md"))) == 1


# What lies in the results folder decides nothing


def hostile(place, results, changes=None, name="evil"):
    """A schedule as an earlier version kept it, or as somebody else may write it, with a workflow beside it."""
    folder = results.scheduled(name)
    folder.mkdir(parents=True)
    (folder / "Snakefile").write_text('rule all:\n    shell: "touch owned"\n')
    planted = {"snakefile": folder / "Snakefile", "folder": folder}
    said = entry(place, name, "* * * * *").model_copy(update=planted).model_dump(mode="json")
    write_json(folder / "schedule.json", said | (changes or {}))
    return folder


def test_a_schedule_in_the_results_folder_is_never_run_and_the_own_ones_are(place, crontab):
    results = Results(place / "results")
    folder = hostile(place, results)
    add(results, entry(place, cron="* * * * *", added=datetime.now() - timedelta(minutes=5)))
    done = mmplat(place, crontab, "schedule", "run-due")
    assert sorted(path.name for path in folder.iterdir()) == ["Snakefile", "schedule.json"]
    assert (place / "fired/once").exists()
    assert done.returncode == 1
    assert "evil/schedule.json is not run: a schedule is kept in" in done.stderr
    assert "1 in " in done.stderr.splitlines()[-1]
    listed = mmplat(place, crontab, "schedule", "list")
    assert listed.returncode == 0
    assert "evil/schedule.json is not run" in listed.stderr
    assert "evil" not in listed.stdout
    assert mmplat(place, crontab, "schedule", "remove", "evil").returncode == 0
    assert mmplat(place, crontab, "schedule", "run-due").returncode == 0


def test_the_command_that_is_told_adds_a_schedule_of_an_earlier_version(place, crontab):
    results = Results(place / "results")
    old = entry(place, "old", added=datetime(2026, 1, 1))
    write_json(results.scheduled("old") / "schedule.json", old.model_dump(mode="json"))
    (told,) = not_run(results)
    command = next(line for line in told.splitlines() if line.startswith("  cd "))
    assert mmplat(place, crontab, "schedule", "list").stderr.count("is not run") == 1
    environment = {**os.environ, "PATH": f"{crontab.parent / 'bin'}:{BIN}:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", command], env=environment, check=True, capture_output=True)
    (now,) = scheduled(results)
    assert now.model_copy(update={"added": old.added}) == old
    assert list(not_run(results)) == []
    remove(results, "old")
    assert (scheduled(results), list(not_run(results))) == ([], [])


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"grid": "a\n\x1b[2Jrm -rf ~"}, "the file holds characters that cannot be shown"),
        ({"grid": "a; touch owned"}, "--grid 'a; touch owned'"),
        ({"name": "another"}, "the file cannot be read"),
        ({"cron": 1}, "the file cannot be read"),
    ],
)
def test_the_command_that_is_told_hides_nothing(place, results, changes, shown):
    hostile(place, results, changes)
    (told,) = not_run(results)
    assert shown in told
    assert "\x1b" not in told


def test_a_folder_that_no_schedule_has_is_not_told(place, results):
    """Its name would be shown on a terminal."""
    for name in ("evil\x1b[2J", "--print"):
        hostile(place, results).rename(results.schedule / name)
    assert list(not_run(results)) == []


@pytest.mark.parametrize("what", ["grid", "profile", "snakefile", "folder", "env_file"])
def test_nothing_of_a_schedule_lies_in_the_results_folder(place, what):
    """Where others may write, or an archive is unpacked. A link that leads there does not help."""
    results = Results(place / "results")
    target = results.root / "planted"
    target.mkdir(parents=True)
    (place / "link").symlink_to(target)
    for path in (target, place / "link"):
        with pytest.raises(ConfigError, match=r"lies in the results folder .* would decide what runs as you"):
            add(results, entry(place).model_copy(update={what: path}))
    assert scheduled(results) == []


def test_what_was_moved_into_the_results_folder_later_is_not_run(place):
    results = Results(place / "results")
    workflow(place, "touch {output}")
    add(results, entry(place))
    (results.root / "planted").mkdir(parents=True)
    (place / "Snakefile").rename(results.root / "planted/Snakefile")
    (place / "Snakefile").symlink_to(results.root / "planted/Snakefile")
    (failed,) = fire(results)
    assert failed.outcome == "failed"
    assert "lies in the results folder" in failed.reason
    assert not (place / "fired").exists()


def test_schedules_are_their_users_alone(place, results, configuration):
    add(results, entry(place))
    (path,) = configuration.iterdir()
    assert [p.stat().st_mode & 0o777 for p in (configuration, path)] == [0o700, 0o600]
    for one, mode in ((configuration, 0o770), (configuration, 0o702), (path, 0o620), (path, 0o602)):
        before = one.stat().st_mode
        one.chmod(mode)
        with pytest.raises(ArtifactError, match=rf"may be written by others \(mode {mode:o}\).*nothing of it is run"):
            fire(results)
        one.chmod(before)
    path.rename(configuration / "elsewhere")
    path.symlink_to(configuration / "elsewhere")
    with pytest.raises(ArtifactError, match="is no plain file"):
        fire(results)


def test_schedules_of_another_user_are_not_run(place, results, monkeypatch):
    add(results, entry(place))
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(ArtifactError, match="belongs to user .*, and you are user 12345.*nothing of it is run"):
        fire(results)


def test_each_results_folder_has_its_own_schedules(place, results, configuration):
    other = Results(place / "other")
    add(results, entry(place))
    assert scheduled(other) == []
    (path,) = configuration.iterdir()
    path.rename(path.with_name(path.name.replace(private.prefix(results), private.prefix(other))))
    with pytest.raises(ArtifactError, match="is the schedule 'nightly' of .*, under another name"):
        scheduled(other)


def test_cron_is_told_where_the_schedules_are(place, crontab, configuration):
    words = ("schedule", "add", "n", "--grid", "grid.yaml", "--cron", "0 2 * * *")
    assert mmplat(place, crontab, *words).returncode == 0
    line = next(line for line in crontab.read_text().splitlines() if "run-due" in line)
    command = line.removeprefix("0 2 * * * ").replace(r"\%", "%")  # as cron reads it
    hostile(place, Results(place / "results"))
    done = subprocess.run(["/bin/sh", "-c", command], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    (log,) = configuration.glob("*cron.log")
    assert "evil/schedule.json is not run" in log.read_text(), (
        "it was found there, and not in a link of the results folder"
    )


def test_a_record_of_a_firing_leads_to_no_other_file(place, results):
    """Its log is read into a summary that everybody may read, and shown on the dashboard."""
    add(results, entry(place))
    (done,) = fire(results)
    (secret := place / "secret").write_text("hunter2")
    write_json(done.path(results), done.model_dump(mode="json") | {"log": str(secret), "schedule": "../../x"})
    (read,) = firings(results, "nightly")
    assert read == done
    done.log.unlink()
    done.log.symlink_to(secret)
    text = report_failures(results, [read], webhook=None)[0].read_text()
    assert "(there is none)" in text
    assert "hunter2" not in text


def test_a_log_is_not_written_through_a_link(place, results):
    add(results, entry(place))
    (mine := place / ".bashrc").write_text("")
    (results.scheduled("nightly")).mkdir(parents=True)
    (results.scheduled("nightly") / "2026-03-02T02-00.log").symlink_to(mine)
    (failed,) = fire(results)
    assert failed.outcome == "failed"
    assert mine.read_text() == ""


def test_a_record_that_is_none_is_one_message(place, results):
    add(results, entry(place))
    write_json(results.scheduled("nightly") / "2026-03-02T02-00.json", ["x"])
    with pytest.raises(ArtifactError, match="is no record of a firing that this version of mmplat wrote"):
        firings(results, "nightly")


# The whole of it


@pytest.mark.slow
def test_a_firing_asks_only_what_is_new(tmp_path):
    """The project's own workflow: a second firing has nothing to do, a third asks the new model alone."""
    results, grid = Results(tmp_path / "results"), tmp_path / "grid.yaml"
    grid.write_text("campaign: lab\nmodels: [fake]\nsuites: [world-objects]\nlimit: 20\n")
    add(results, Scheduled(
        name="lab", cron="0 2 * * *", grid=grid, profile=ROOT / "profiles/default", snakefile=ROOT / "Snakefile",
        folder=tmp_path, added=BEFORE,
    ))  # fmt: skip
    first, second = (fire(results, NIGHT + timedelta(days=day))[0] for day in (0, 1))
    assert (first.outcome, second.outcome) == ("done", "done"), first.log.read_text()
    assert first.rows_asked > 0
    assert second.rows_asked == 0
    before = {p: p.stat().st_mtime_ns for p in results.evidence_root.rglob("part-*")}
    grid.write_text(grid.read_text().replace("[fake]", "[fake, {name: other, family: fake}]"))
    (third,) = fire(results, NIGHT + timedelta(days=2))
    assert (third.outcome, third.rows_asked) == ("done", first.rows_asked)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    ranked = pl.read_json(results.leaderboard("lab"))
    assert set(ranked["model"]) == {"fake", "other"}


CRON = """
mount --make-rprivate /
for folder in /var/spool/cron /etc/cron.d; do mount -t tmpfs none $folder || exit 97; done
mkdir -p /var/spool/cron/crontabs && chmod 1730 /var/spool/cron/crontabs
printf 'SHELL=/bin/sh\n' > "$1/empty" && mount --bind "$1/empty" /etc/crontab || exit 97
mount -t tmpfs none /run || exit 97
cd "$1" || exit 97
"$2" schedule add by-cron --cron '* * * * *' --grid grid.yaml --profile profile --results results || exit 98
cron -f & daemon=$!
for _ in $(seq 750); do grep -q '"ended": "' results/schedule/by-cron/*T*.json 2>/dev/null && break; sleep 0.1; done
"$2" schedule list --results results
kill $daemon; wait $daemon
"""


def why_no_cron():
    """Cron is tried in a mount namespace of its own, so that the crontab of this machine is never touched."""
    if not all(map(shutil.which, ("cron", "crontab", "unshare"))):
        return "cron is not installed (scripts/install-debian)"
    if os.getuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        return "a private crontab needs root and mount namespaces"
    return None


@pytest.mark.slow
def test_a_real_cron_runs_what_is_scheduled(place):
    reason = why_no_cron()
    if reason:
        pytest.skip(reason)
    entry(place)  # the profile
    workflow(place, "touch {output}")
    began = time.monotonic()
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", CRON, "sh", str(place), str(BIN / "mmplat")],
        capture_output=True, text=True, timeout=150, cwd=place,
    )  # fmt: skip
    assert done.returncode != 97, f"cron's folders could not be made private: {done.stderr}"
    results = Results(place / "results")
    log = private.cron_log(results)
    (firing,) = firings(results, "by-cron")
    assert firing.outcome == "done", log.read_text() + firing.log.read_text()
    assert (place / "fired/once").exists()
    assert "done" in done.stdout
    assert time.monotonic() - began < 90
