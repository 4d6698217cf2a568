"""A real SLURM on this machine: munge, slurmctld and several slurmd on loopback, all in a private folder, with fake GPUs.

Facts that shape it: Debian's slurmd can be started several times on one host (`-N`); a device file per GPU is what makes SLURM
set CUDA_VISIBLE_DEVICES; daemons run in the foreground as children, so that their end can be waited for; slurmctld ends first,
since it waits for slurmds that do not answer; a new start deletes the state, or jobs of the last one come back to life.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
CONF = """
ClusterName=mmplat-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={root}/run/munge.sock,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/%n.log
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SlurmctldParameters=preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=10
KillWait=3
SchedulerParameters=bf_interval=3,sched_interval=5
MaxArraySize=2001
GresTypes=gpu
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=4 RealMemory=64000 Gres=gpu:2
PartitionName=main Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=low Nodes=ALL MaxTime=UNLIMITED State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=15
PartitionName=high Nodes=ALL MaxTime=UNLIMITED State=UP PriorityTier=100 PreemptMode=OFF
"""


def missing() -> str | None:
    """Why no cluster can be started here, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if absent:
        return f"SLURM is not installed ({', '.join(absent)} missing): run scripts/install-debian"
    if os.getuid() != 0:
        return "SLURM's daemons are started as root here, and this is not root"
    return None


class Cluster:
    """Starts, breaks and mends the daemons."""

    def __init__(self, root: Path, *, nodes: int = 4) -> None:
        self.root = root
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What SLURM's commands need to find this cluster, and no other."""
        outer = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        return {**outer, "SLURM_CONF": str(self.root / "slurm.conf"), "PATH": f"{outer['PATH']}:/usr/sbin"}

    def start(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("run", "log", "state", "spool", "dev"):
            (self.root / name).mkdir(parents=True)
        self.root.chmod(0o755)
        self._write_configuration()
        self._start_munge()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_until_idle()

    def stop(self) -> None:
        """Ends everything that was started, in the order in which it does not wait for each other."""
        self.stop_controller()
        for name, daemon in self._daemons.items():
            if name in self.nodes:
                self.kill_tasks(name, with_daemon=True)
            with contextlib.suppress(ProcessLookupError):
                daemon.kill()
            daemon.wait()
        self._daemons.clear()

    # Breaking and mending

    def start_controller(self) -> None:
        self._spawn("slurmctld", "slurmctld", "-D")

    def stop_controller(self) -> None:
        """From here on every sbatch and squeue fails."""
        daemon = self._daemons.pop("slurmctld", None)
        if daemon is not None:
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(timeout=10)
            daemon.kill()
            daemon.wait()

    def start_node(self, node: str) -> None:
        (self.root / "spool" / node).mkdir(exist_ok=True)
        self._spawn(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """As if the power went: the daemon, and every process of its jobs."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()
        self.kill_tasks(node, with_daemon=True)

    def wait_until_idle(self, timeout_s: float = 30) -> None:
        wanted = str(len(self.nodes))
        wait_for(lambda: self.run("sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D").strip() == wanted, timeout_s)

    # Asking

    def run(self, *command: str) -> str:
        """What a SLURM command prints; empty where it fails, which it does while things start."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60).stdout

    def jobs(self, *, states: str = "all") -> list[list[str]]:
        """[id, state, reason, restarts, node, name] of every job and array task."""
        text = self.run(
            "squeue",
            "-h",
            "-r",
            "-t",
            states,
            "-O",
            "JobArrayID:30,State:20,Reason:30,RestartCnt:9,NodeList:20,Name:60",
        )
        widths = (30, 20, 30, 9, 20, 60)
        return [_cut(line, widths) for line in text.splitlines()]

    def running(self) -> list[str]:
        return [job[0] for job in self.jobs(states="RUNNING")]

    # Making

    def _write_configuration(self) -> None:
        host = socket.gethostname().split(".")[0]
        port = _free_ports(len(self.nodes) + 1)
        text = CONF.format(
            root=self.root, host=host, port=port, first=port + 1, last=port + len(self.nodes), nodes=len(self.nodes)
        )
        (self.root / "slurm.conf").write_text(text)
        names = f"n[1-{len(self.nodes)}]"
        (self.root / "gres.conf").write_text(f"NodeName={names} Name=gpu File={self.root}/dev/gpu[0-1]\n")
        for number in range(2):
            subprocess.run(["mknod", "-m", "666", str(self.root / f"dev/gpu{number}"), "c", "1", "3"], check=True)

    def _start_munge(self) -> None:
        key = self.root / "run/munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {"socket": "sock", "key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        options = [f"--{option}={self.root}/run/munge.{suffix}" for option, suffix in files.items()]
        self._spawn("munged", "munged", "--foreground", "--force", *options)
        wait_for((self.root / "run/munge.sock").exists, 10)

    def _spawn(self, name: str, *command: str) -> None:
        said = (self.root / "log" / f"{name}.out").open("ab")
        # A session of its own: Ctrl-C in a test session ends the tests, which end the daemons in order.
        self._daemons[name] = subprocess.Popen(
            command, env=self.environment, stdout=said, stderr=said, stdin=subprocess.DEVNULL, start_new_session=True
        )
        said.close()

    def kill_tasks(self, node: str, *, with_daemon: bool = False) -> None:
        """Kills what jobs run on a node; with their slurmstepd, which survives its slurmd, as nothing on a dead node does."""
        ours = f"SLURM_CONF={self.root}/slurm.conf\0".encode()
        for step in _processes(lambda arguments: arguments[:1] and b"slurmstepd" in arguments[0]):
            environment = _environment_below(step)
            if ours in environment and f"SLURMD_NODENAME={node}\0".encode() in environment:
                for process in [step] * with_daemon + _descendants(step):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def started(root: Path, *, nodes: int = 4) -> Iterator[Cluster]:
    """A cluster that is stopped in any case."""
    cluster = Cluster(root, nodes=nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def wait_for(claim: Callable[[], object], timeout_s: float, *, every_s: float = 0.1) -> None:
    """Waits until the claim holds; fails with its name."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true after {timeout_s} s: {getattr(claim, '__qualname__', claim)}")
        time.sleep(every_s)


def _cut(line: str, widths: tuple[int, ...]) -> list[str]:
    fields, start = [], 0
    for width in widths:
        fields.append(line[start : start + width].strip())
        start += width
    return fields


_PORTS = itertools.count(20_000 + os.getpid() % 10_000, 10)
"""Clusters of one process never try the same ports, however many start at the same moment."""


def _free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nobody uses."""
    for start in _PORTS:
        with contextlib.ExitStack() as stack:
            try:
                for port in range(start, start + count):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return start
    raise AssertionError("counting never ends")


def _processes(wanted: Callable[[list[bytes]], object]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted((entry / "cmdline").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
    return found


def _descendants(process: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _environment_below(process: int) -> bytes:
    """The environments of the processes that a step started: they name their node."""
    text = b""
    for child in _descendants(process):
        with contextlib.suppress(OSError):
            text += Path(f"/proc/{child}/environ").read_bytes()
    return text
