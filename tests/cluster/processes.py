"""The parts of a run as processes of their own, on loopback, with the intervals of a run that is over soon."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tol_luigi.cluster.client import RunStatus, Scheduler
from tol_luigi.cluster.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

Sections = dict[str, dict[str, Any]]

PARTS = {
    "luigid": "from tol_luigi.cluster.luigid import serve as part",
    "worker": "from tol_luigi.cluster.worker import work as part",
    "foreman": "from tol_luigi.cluster.foreman import lead as part",
}
PROGRAM = """
import sys
import tol_luigi
from tol_luigi.core.errors import TolError
from tol_luigi.tasks.settings import settings
{part}
if "tasks" in sys.argv:
    import tasks
    arguments = {{"foreman": [tasks.Root()]}}.get("{name}", [])
else:
    arguments = []
try:
    sys.exit(part(settings(), *arguments))
except TolError as error:
    sys.exit(f"tol_luigi: {{error}}")
"""

QUICK: dict[str, Any] = {
    "ping_seconds": 1,
    "poll_seconds": 1,
    "lost_seconds": 4,
    "retry_seconds": 0,
    "settle_seconds": 1,
    "idle_seconds": 600,
    "patience_seconds": 40,
    "save_seconds": 1,
}
SECONDS = 60.0


def processes_with(mark: str) -> list[int]:
    """Give the processes that have a text in their environment, so those that a test has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark.encode() in (entry / "environ").read_bytes() and (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


@dataclass
class Crew:
    """The processes of one run. Whatever is left of them is ended in the end.

    Attributes:
        folder: Where their settings, their output and the dataset are.
        sections: Further settings.
        tasks: The source of a module ``tasks``, the ``Root`` of which is built in place of a dataset.
    """

    folder: Path
    sections: Sections = field(default_factory=dict)
    tasks: str = ""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        given: Sections = {"dataset": {"root": str(self.folder / "out"), "tag": "demo"}, "cluster": QUICK}
        for section, values in self.sections.items():
            given[section] = {**given.get(section, {}), **values}
        lines = [
            line
            for section, values in given.items()
            for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()))
        ]
        self.settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if self.tasks:
            (self.folder / "tasks.py").write_text(self.tasks, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait(SECONDS)
        for pid in processes_with(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def settings(self) -> Path:
        return self.folder / "run.cfg"

    @property
    def mark(self) -> str:
        return f"LUIGI_CONFIG_PATH={self.settings}"

    @property
    def dataset(self) -> Path:
        return self.folder / "out" / "demo"

    @property
    def run(self) -> Run:
        return Run(self.dataset / "run")

    @property
    def scheduler(self) -> Scheduler:
        return Scheduler(self.run, patience=20)

    def status(self) -> RunStatus:
        return self.scheduler.status()

    def start(self, part: str, node: str = "") -> subprocess.Popen[bytes]:
        """Start luigid, a worker or the foreman; a worker on a node of that name."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
        environment = {**kept, "LUIGI_CONFIG_PATH": str(self.settings), "PYTHONUNBUFFERED": "1"}
        if node:
            environment["SLURMD_NODENAME"] = node
        path = os.pathsep.join([str(self.folder), str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")])
        output = self.folder / f"{len(self.started):02}-{part}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    PROGRAM.format(part=PARTS[part], name=part),
                    *(["tasks"] if self.tasks else []),
                ],
                cwd=self.folder,
                env={**environment, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def output(self) -> str:
        """Give what all parts have said."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {log.name}\n{log.read_text(encoding='utf-8')}" for log in logs)

    def wait_for(self, what: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """Wait until something is there, and give it."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.1)
        return found

    def end_of(self, process: subprocess.Popen[bytes], seconds: float = SECONDS) -> int:
        """Wait for the end of a process, and give its exit code."""
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.output()) from None

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run.result.read_text(encoding="utf-8"))
        return found

    def assert_nobody_is_left(self) -> None:
        self.wait_for(lambda: not processes_with(self.mark))


def digests(dataset: Path) -> dict[str, str]:
    """Hash the files of a dataset by name, without what belongs to the run that has built it, or to its sources."""
    names = {path.relative_to(dataset): path for path in dataset.rglob("*") if path.is_file()}
    return {
        str(name): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(names.items())
        if name.parts[0] not in {"run", "sightings", "logs"} and ".attempt-" not in path.name
    }
