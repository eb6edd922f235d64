"""A real Slurm of four nodes on this machine: one munged, one slurmctld, and a slurmd for each node.

Everything lies in one scratch folder and listens on free ports of its own, so that several rigs do not meet,
and the Slurm that a machine may have is not touched. Every process is started here and ended here, by its id.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from optional import unavailable

from tol_luigi.cluster.client import RunStatus, Scheduler
from tol_luigi.cluster.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["QUICK", "Build", "Rig", "free_ports", "missing", "running", "wait_for", "written"]

Sections = dict[str, dict[str, Any]]

STARTER = ThreadPoolExecutor(1)
"""The thread that starts daemons: the kernel ends them with the thread that has started them, so it has to be one that stays."""

QUICK = {
    "bind": "0.0.0.0",
    "poll_seconds": 1,
    "ping_seconds": 2,
    "lost_seconds": 15,
    "retry_seconds": 5,
    "save_seconds": 1,
    "settle_seconds": 1,
}
"""Settings of ``[cluster]`` with which little is waited for."""

START_SECONDS = 60
STOP_SECONDS = 20

PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")

CONFIG = """\
ClusterName=rig
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is requeued waits until its credentials have expired; by itself 120 seconds.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
ReturnToService=2
JobRequeue=1
KillWait=10
MinJobAge={memory}
MaxArraySize={array}
MaxJobCount=500
MailProg=/bin/true
MpiDefault=none
PropagateResourceLimits=NONE
# A node has the processors that are written here, whatever this machine has.
SlurmdParameters=config_overrides
SlurmctldTimeout=30
SlurmdTimeout=10
BatchStartTimeout=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
{accounting}
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing(*more: str) -> str:
    """Say why there can be no rig here, or none that needs some programs more; "" if there can."""
    absent = [name for name in (*PROGRAMS, *more) if shutil.which(name, path=_path()) is None]
    if absent:
        packages = "slurm-wlm, munge, slurmdbd, mariadb-server" if more else "slurm-wlm, munge"
        return f"no Slurm: {', '.join(absent)} missing (Debian: {packages})"
    return "" if os.geteuid() == 0 else "a rig of Slurm has to be started by root"


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


T = TypeVar("T")


def wait_for(what: str, is_so: Callable[[], T], seconds: float, every: float = 0.2) -> T:
    """Wait until something is so, give it, and fail if it does not come about."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, f"not so after {seconds:.0f} s: {what}"
        time.sleep(every)
    return found


PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to whoever asks for any, so that no other takes one while its daemon is away."""


def free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as each, contextlib.suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def processes(*markers: str) -> dict[int, str]:
    """Give every process whose environment holds some texts, with its command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            environment = (folder / "environ").read_bytes()
            if all(marker.encode() in environment for marker in markers):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command.decode(errors="replace").strip()
    return {number: command for number, command in found.items() if command and number != os.getpid()}


def _kill(numbers: Iterable[int]) -> None:
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    time.sleep(0.05)


@dataclass
class Rig:
    """A Slurm that runs.

    Attributes:
        folder: Its configuration, spools and logs. Keep the path short: it holds a socket.
        cpus: The processors that each node is said to have.
        array: ``MaxArraySize``.
        memory: ``MinJobAge``: for how many seconds finished jobs are remembered.
        nodes: The names of the nodes.
    """

    folder: Path
    cpus: int = 2
    array: int = 1001
    memory: int = 300
    nodes: tuple[str, ...] = ("n1", "n2", "n3", "n4")
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """What SLURM_CONF has to name."""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to meet this Slurm, and no other."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM", "SBATCH", "SQUEUE", "LUIGI_", "TOL_BEFORE"))
        }
        return {**kept, "SLURM_CONF": str(self.config)}

    def start(self) -> None:
        """Start everything, and wait until all nodes are idle."""
        self._configure()
        self.daemon(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={self.folder}/munge.key",
            f"--socket={self.folder}/munge.socket",
            f"--log-file={self.folder}/munged.log",
            f"--pid-file={self.folder}/munged.pid",
            f"--seed-file={self.folder}/munge.seed",
        )
        wait_for("munged listens", (self.folder / "munge.socket").exists, START_SECONDS)
        self.start_accounting()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        wait_for("all nodes are idle", lambda: self.idle() == set(self.nodes), START_SECONDS)

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        port, *ports = free_ports(1 + len(self.nodes))
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={its} CPUs={self.cpus} RealMemory=4000"
            for node, its in zip(self.nodes, ports, strict=True)
        )
        for name in ("state", *(f"spool-{node}" for node in self.nodes)):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.config.write_text(
            CONFIG.format(
                host=host,
                port=port,
                folder=self.folder,
                array=self.array,
                memory=self.memory,
                accounting=self.accounting(),
                nodes=nodes,
            )
        )

    def accounting(self) -> str:
        """Give the lines on what jobs may use, and who is told: here nobody, and they may use all."""
        return "TaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\nSelectTypeParameters=CR_Core"

    def start_accounting(self) -> None:
        """Start what has to be there for that before the controller."""

    def daemon(self, *command: str, name: str = "") -> None:
        """Start a program that stays, under a name, or else its own."""
        # One that is orphaned by the end of the tests ends, too.
        program = shutil.which(command[0], path=_path())
        assert program is not None
        with (self.folder / f"{name or command[0]}.out").open("ab") as out:
            self.daemons[name or command[0]] = STARTER.submit(
                subprocess.Popen,
                ["setpriv", "--pdeathsig", "TERM", program, *command[1:]],
                env={**self.environment, "PATH": _path(), "RIG_NODE": name},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            ).result()

    def start_controller(self) -> None:
        """Start slurmctld."""
        self.daemon("slurmctld", "-D")

    def stop_controller(self) -> None:
        """Stop slurmctld, which keeps what it knows."""
        controller = self.daemons.pop("slurmctld")
        controller.terminate()
        controller.wait(STOP_SECONDS)

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node."""
        self.daemon("slurmd", "-D", "-b", "-N", node, name=node)  # -b: the node tells that it has been booted

    def kill_node(self, node: str) -> None:
        """Lose a node: its slurmd, what it has started for jobs, and the jobs themselves, before they can tell."""
        slurmd = self.daemons.pop(node)
        slurmd.kill()
        slurmd.wait()
        for marker in (f"RIG_NODE={node}\0", f"SLURMD_NODENAME={node}\0"):
            while numbers := self._processes(marker):
                _kill(numbers)

    def idle(self) -> set[str]:
        """Name the nodes that have nothing to do."""
        done = self.ask("sinfo", "--noheader", "--Node", "--format=%N %t", check=False)
        return {line.split()[0] for line in done.splitlines() if line.endswith(" idle")}

    def ask(self, *command: str, check: bool = True) -> str:
        """Run one of Slurm's commands, and give what it says."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def _processes(self, marker: str = "") -> dict[int, str]:
        return processes(f"SLURM_CONF={self.config}\0", marker)

    def left(self) -> dict[int, str]:
        """Give the processes of jobs that still run."""
        daemons = {process.pid for process in self.daemons.values()}
        return {
            number: command
            for number, command in self._processes().items()
            if number not in daemons and not command.startswith("slurmctld: ")
        }

    def clear(self) -> None:
        """End all jobs."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.ask("scancel", "--user=root", check=False)
            wait_for("all jobs are gone", lambda: not self.left(), STOP_SECONDS)

    def stop(self) -> None:
        """End the jobs, then everything else, each process by its id."""
        self.clear()
        for name in [name for name in self.daemons if name != "munged"] + ["munged"]:
            daemon = self.daemons.pop(name, None)
            if daemon is not None:
                daemon.terminate()
                try:
                    daemon.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
        _kill(self._processes())


R = TypeVar("R", bound=Rig)


@contextlib.contextmanager
def running(make: Callable[[Path], R], reason: str) -> Iterator[R]:
    """Have a rig run, whatever happens in between.

    Args:
        make: Makes it, in a folder that is removed in the end.
        reason: Why there can be none, if so: a test is skipped, but fails in CI.
    """
    if reason:
        unavailable(reason)
    folder = Path(tempfile.mkdtemp(prefix="rig-"))  # a short path: sockets lie in it
    folder.chmod(0o755)
    rig = make(folder)
    try:
        rig.start()
        yield rig
    finally:
        rig.stop()
        shutil.rmtree(folder, ignore_errors=True)


def written(path: Path, sections: Sections) -> Path:
    """Write a settings file; the dataset is ``out/built`` beside it."""
    lines = []
    for section, values in {"dataset": {"root": "out", "tag": "built"}, **sections}.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in values.items()), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Build:
    """A build on a rig, as its user sees it.

    Attributes:
        rig: The rig.
        settings: The settings file.
    """

    rig: Rig
    settings: Path

    @property
    def dataset(self) -> Path:
        """Its folder."""
        return self.settings.parent / "out" / "built"

    @property
    def run(self) -> Run:
        """The files of its run."""
        return Run(self.dataset / "run")

    @property
    def environment(self) -> dict[str, str]:
        """What its user has set."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**self.rig.environment, "PATH": path, "LUIGI_CONFIG_PATH": str(self.settings)}

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder of the settings."""
        return subprocess.run(
            command,
            cwd=self.settings.parent,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def tol(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command ``tol``."""
        return self.call(sys.executable, "-m", "tol_luigi", *arguments)

    def sbatch(self, *arguments: str) -> str:
        """Submit by hand; gives the number of the job."""
        done = self.call("sbatch", "--parsable", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def jobs(self) -> dict[str, Any]:
        """What was submitted."""
        said: dict[str, Any] = json.loads(self.run.jobs.read_text(encoding="utf-8"))
        return said

    def status(self) -> RunStatus:
        """Ask luigid how it is doing."""
        return Scheduler(self.run, patience=60).status()

    def done(self) -> int:
        """Count the tasks that are done."""
        return sum(counts.get("DONE", 0) for counts in self.status().counts.values())

    def wait_for_tasks(self, count: int) -> None:
        """Wait until so many tasks are done."""
        wait_for(f"{count} tasks are done", lambda: self.run.address.exists() and self.done() >= count, 120)

    def queue(self, *jobs: str) -> dict[str, str]:
        """Give the states of jobs, by their names."""
        asked = ["squeue", "--noheader", "--array", "--states=all", "--format=%i %T"]
        lines = self.rig.ask(*asked, *([f"--jobs={','.join(jobs)}"] if jobs else [])).splitlines()
        return dict(line.split() for line in lines)

    def wait(self, job: str, seconds: float) -> str:
        """Wait until a job has ended; gives its state."""
        ended = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
        try:
            wait_for(f"job {job} has ended", lambda: self.queue(job)[job] in ended, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.queue()}\n{self.said()}") from error
        return self.queue(job)[job]

    def wait_for_nothing_left(self) -> None:
        """Wait until no process of any job is there."""
        wait_for("no process is left", lambda: not self.rig.left(), 60)

    def exit_code(self, job: str) -> int:
        """Give the exit code that Slurm knows of a job."""
        return int(self.detail(job, "ExitCode").partition(":")[0])

    def detail(self, job: str, name: str) -> str:
        """Give what Slurm knows of a job under a name."""
        shown = self.rig.ask("scontrol", "--oneliner", "show", "job", job)
        return shown.partition(f" {name}=")[2].partition(" ")[0]

    def said(self) -> str:
        """Give what the jobs have said, each cut short."""
        logs = [*self.settings.parent.glob("*.log"), *(self.run.logs / "slurm").glob("*.log")]
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in sorted(logs))
