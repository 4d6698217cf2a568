"""Telling the machine: lines in the user's crontab (or SLURM's scrontab), or units for systemd.

A crontab holds one marked block per results folder. Each line fires at its campaign's minutes and runs whatever is due, so a
firing that a sleeping machine missed is made up for by the next.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mmplat.artifacts import Results
from mmplat.errors import ConfigError
from mmplat.schedule import private
from mmplat.schedule.entries import Scheduled, scheduled

TOOLS = ("scrontab", "crontab")
"""SLURM's is first: where a site has it, login nodes often run no cron."""


def crontab_tool() -> str | None:
    """The program that this machine has."""
    return next((tool for tool in TOOLS if shutil.which(tool)), None)


def sync(results: Results) -> str | None:
    """Makes the crontab say what is scheduled; returns the program that was used, None where there is none."""
    tool = crontab_tool()
    if tool is not None:
        before = _read(tool)
        after = _with_block(before, results, _lines(results, scheduled(results)))
        if after != before:
            _write(tool, after)
    return tool


def installed(results: Results) -> bool:
    """Whether the crontab has our block."""
    tool = crontab_tool()
    return tool is not None and _begin(results) in _read(tool).splitlines()


def systemd_units(results: Results) -> str:
    """A service and a timer for a machine with systemd, as text to be put into two files."""
    command = " ".join(_systemd_quoted(word) for word in _command(results))
    settings = "".join(f"Environment={_systemd_quoted(setting, dollar='$')}\n" for setting in _settings())
    return f"""\
# ~/.config/systemd/user/mmplat-schedule.service
[Unit]
Description=mmplat: campaigns that are due

[Service]
Type=oneshot
{settings}ExecStart={command}
KillSignal=SIGINT

# ~/.config/systemd/user/mmplat-schedule.timer
[Unit]
Description=mmplat: look every minute whether a campaign is due

[Timer]
OnCalendar=minutely
Persistent=true

[Install]
WantedBy=timers.target

# Then: systemctl --user daemon-reload && systemctl --user enable --now mmplat-schedule.timer
# And, so that it runs while nobody is logged in: loginctl enable-linger"""


def _command(results: Results) -> list[str]:
    program = Path(sys.executable).parent / "mmplat"
    return [str(program), "schedule", "run-due", "--results", str(results.root.resolve())]


def _settings() -> list[str]:
    """What a clock's own environment lacks: where this user keeps configuration, if not in the usual place."""
    home = private.chosen_home()
    return [] if home is None else [f"{private.VARIABLE}={home}"]


def _lines(results: Results, entries: Iterable[Scheduled]) -> list[str]:
    """One line per distinct expression: what is due together runs one after the other."""
    settings = ["env", *_settings()] if _settings() else []
    log = shlex.quote(str(private.cron_log(results)))
    command = f"{shlex.join([*settings, *_command(results)])} >> {log} 2>&1"
    escaped = command.replace("%", r"\%")  # cron reads a bare % as the end of the line
    return [f"{expression} {escaped}" for expression in dict.fromkeys(entry.cron for entry in entries)]


def _begin(results: Results) -> str:
    return f"# begin mmplat schedule of {results.root.resolve()} (written by `mmplat schedule`; changes here are lost)"


def _end(results: Results) -> str:
    return f"# end mmplat schedule of {results.root.resolve()}"


def _with_block(text: str, results: Results, lines: list[str]) -> str:
    """`text` with this block in the place of its former self, at the end where it is new, gone where it is empty."""
    begin, end = _begin(results), _end(results)
    kept, inside = [], False
    for line in text.splitlines():
        if line in (begin, end):
            inside = line == begin
        elif not inside:
            kept.append(line)
    block = [begin, *lines, end] if lines else []
    return "".join(f"{line}\n" for line in [*kept, *block])


def _read(tool: str) -> str:
    done = subprocess.run([tool, "-l"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 0:
        return done.stdout
    if "no crontab" in done.stderr.lower() or not done.stderr.strip():  # an empty one is no error
        return ""
    raise ConfigError(f"`{tool} -l` says: {done.stderr.strip()}. {_instead()}")


def _write(tool: str, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="mmplat-crontab-", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([tool, file.name], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise ConfigError(f"`{tool}` refused the new lines: {done.stderr.strip()}. {_instead()}")


def _instead() -> str:
    return "`mmplat schedule add … --print` prints units for systemd instead, and changes no crontab."


def _systemd_quoted(word: str, *, dollar: str = "$$") -> str:
    """A word of a command, where $ stands for itself when it is doubled; elsewhere it does so alone."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", dollar)
    return f'"{escaped}"'
