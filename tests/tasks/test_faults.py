"""What a build meets in the world: kills, full disks, folders that may not be written to, impatient people.

The builds are of BIOSCAN alone, which takes a second. With TOL_KILLS=500 in the environment the whole sample is
built and killed that many times:

    TOL_KILLS=500 pytest tests/tasks/test_faults.py -k killed
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]
Start = Callable[..., subprocess.Popen[str]]

BY_HAND = "TOL_KILLS" in os.environ
KILLS = int(os.environ.get("TOL_KILLS", "50"))
SECONDS_PER_KILL = 15 if BY_HAND else 5
"""More than this, on the average, is no progress."""

TASK = ["--module", "tol_luigi", "BuildCatalog", "--local-scheduler", "--log-level", "INFO"]
FORKING = """
import os, sys
import tol_luigi.tasks.luigi_command
from luigi.cmdline import luigi_run
log, *task = sys.argv[1:]
for line in sys.stdin:
    build = os.fork()
    if not build:
        os.setsid()
        for descriptor, path in enumerate([os.devnull, log, log]):
            os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), descriptor)
        luigi_run([*task, *line.split()])
    print(build, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(build, 0)[1]), flush=True)
"""

FULL = "Make space and run the same command again."


def leftovers(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*.attempt-*"))


def wait_for_tasks(process: subprocess.Popen[str], count: int = 1) -> None:
    """Read what a build says until so many tasks were begun, or until its end."""
    assert process.stderr is not None
    for line in process.stderr:
        count -= ") running  " in line
        if not count:
            return


def stop(process: subprocess.Popen[str], signal_: int, *, group: bool) -> int:
    """Send a signal to a build that this test has started, with or without its workers; gives its end."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, signal_)
    process.communicate(timeout=60)
    return process.returncode


@pytest.fixture
def sections(bioscan_settings: Sections, sample_settings: Sections) -> Callable[..., Sections]:
    """Give what is built: BIOSCAN alone, or by hand the whole sample; with ids of its own, or the published ones."""

    def given(*, published: bool) -> Sections:
        chosen = sample_settings if BY_HAND else bioscan_settings
        kept = {name: values for name, values in chosen.items() if name != "published"}
        return {**kept, **({"published": sample_settings["published"]} if published else {})}

    return given


@pytest.fixture
def whole(
    sections: Callable[..., Sections], build_once: Callable[[str, Sections], Path], digests: Digests
) -> Callable[..., dict[str, str]]:
    """Give the digests of a build that nothing has disturbed."""
    return lambda *, published: digests(build_once(f"undisturbed-{published}", sections(published=published)))


class Builder:
    """A program that has imported everything, and forks a build on demand: a start takes no second, then.

    Args:
        settings: The settings of all the builds.
    """

    def __init__(self, settings: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
        self.log = settings.with_suffix(".log")
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKING, self.log, *TASK],
            env={**kept, "LUIGI_CONFIG_PATH": str(settings)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def start(self, *arguments: str) -> int:
        """Start a build in a process group of its own, and wait until its first task begins, or for its end."""
        assert self.process.stdin is not None
        self.log.write_text("")
        self.process.stdin.write(f"{' '.join(arguments)}\n".encode())
        leader = self._tell()
        while not self.has_ended(0.002) and ") running  " not in self.log.read_text(encoding="utf-8"):
            pass
        return leader

    def has_ended(self, seconds: float) -> bool:
        """Wait so long for the end of the build."""
        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def end(self) -> int:
        """Wait for the end, and give the exit code."""
        assert self.has_ended(60), self.log.read_text(encoding="utf-8")
        return self._tell()

    def _tell(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the program; no build of it is at work any more, unless a test has failed."""
        self.process.communicate(timeout=60)


@pytest.mark.parametrize("published", [False, True], ids=["ids of its own", "published ids"])
def test_a_build_killed_again_and_again_ends_with_the_same_bytes(
    *,
    published: bool,
    settings_file: Any,
    sections: Callable[..., Sections],
    whole: Callable[..., dict[str, str]],
    digests: Digests,
) -> None:
    undisturbed = whole(published=published)
    settings = settings_file(sections(published=published))
    moments = random.Random(20 + published)  # noqa: S311 (moments, not secrets)
    deadline = time.monotonic() + 60 + KILLS // 2 * SECONDS_PER_KILL
    killed = tags = 0
    with contextlib.closing(Builder(settings)) as builder:
        while killed < KILLS // 2:
            tags += 1
            directory = settings.parent / "out" / f"killed-{tags}"
            killed += kill_until_complete(builder, directory, moments, deadline)
            assert digests(directory) == undisturbed
            assert leftovers(directory) == []


def kill_until_complete(builder: Builder, directory: Path, moments: random.Random, deadline: float) -> int:
    """Kill a build at moments after its first task began, ever later, so that it ends; gives how often."""
    killed, longest = 0, 0.05
    tag = ("--dataset-tag", directory.name)
    while True:
        assert time.monotonic() < deadline, f"{killed} kills, and no end"
        leader = builder.start("--workers", "2", *tag)
        if not builder.has_ended(moments.uniform(0, longest)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)
        if (code := builder.end()) == 0:
            break
        assert code == -signal.SIGKILL, builder.log.read_text(encoding="utf-8")
        killed += 1
        longest *= 1.2
    builder.start(*tag)  # every task is done; it clears up after the last kill
    assert builder.end() == 0
    assert ") running  " not in builder.log.read_text(encoding="utf-8")
    return killed


def test_a_start_clears_up_after_the_dead_and_leaves_the_living_alone(
    settings_file: Any, sections: Callable[..., Sections], start: Start, build: Any
) -> None:
    settings = settings_file(sections(published=False))
    directory = settings.parent / "out" / "sample"
    folder = directory / "224x224"
    assert build(settings).returncode == 0
    elsewhere = folder / f".a.tar.attempt-elsewhere-0123abcd-{os.getpid()}-1-0123abcd"
    forgotten = folder / f".b.tar.attempt-{socket.gethostname()}-1-0123abcd"
    for path in (elsewhere, forgotten):
        path.touch()
    os.utime(forgotten, (0, 0))
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}
    with start(settings) as first, start(settings) as second:
        for process in (first, second):
            process.communicate(timeout=60)
            assert process.returncode == 0
    assert leftovers(directory) == [elsewhere.name]
    after = {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}
    assert after == {path: time_ for path, time_ in before.items() if path != forgotten}


def on(disk: Path, given: Sections) -> Sections:
    return {**given, "dataset": {**given["dataset"], "root": disk}}


@pytest.mark.parametrize(
    ("size", "task", "file"),
    [
        pytest.param("64k", "MakeMapping", "mapping.sqlite", id="at a database"),
        pytest.param("100k", "MakeSplits", "mapping.sqlite", id="at the copy of a database"),
        pytest.param(
            "172k",
            ("CheckPredictedTaxa", "CheckMatches"),
            tuple(
                f"{name}.{form}"
                for name in ("taxa-report-predicted", "matches-report")
                for form in ("json", "txt")
            ),
            id="at a report",
        ),
        pytest.param("200k", "PlanShards", "receipts/PlanShards.json", id="at a receipt"),
        pytest.param(
            "320k",
            ("WriteShards train", "WriteShards val"),
            ".tar",
            id="at the pictures that wait for their shard",
        ),
        pytest.param("500k", "WriteShards train", ".tar", id="at a shard"),
    ],
)
def test_a_full_disk_is_one_clear_line_and_no_harm(
    *,
    size: str,
    task: str | tuple[str, ...],
    file: str | tuple[str, ...],
    small_disk: Callable[[str], Path],
    settings_file: Any,
    sections: Callable[..., Sections],
    whole: Callable[..., dict[str, str]],
    build: Any,
    digests: Digests,
) -> None:
    undisturbed = whole(published=False)
    disk = small_disk(f"size={size}")
    settings = settings_file(on(disk, sections(published=False)))
    finished = build(settings)
    assert finished.returncode == 30, finished.stderr
    assert finished.messages
    for message in finished.messages:
        assert message.startswith(task)
        where, _, what = message.partition(": the disk is full (")
        assert where.endswith(file)
        assert what.endswith(f"MiB are free). {FULL}")
    assert leftovers(disk) == []
    half = digests(disk / "sample")
    assert (
        half.items() <= undisturbed.items() or file == "mapping.sqlite"
    )  # without splits it is no less whole
    small_disk("size=64m")
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    assert digests(disk / "sample") == undisturbed


def test_a_disk_full_of_files_is_one_clear_line_too(
    small_disk: Callable[[str], Path], settings_file: Any, sections: Callable[..., Sections], build: Any
) -> None:
    disk = small_disk("size=64m,nr_inodes=12")
    settings = settings_file(on(disk, sections(published=False)))
    finished = build(settings)
    assert finished.returncode == 30, finished.stderr
    assert finished.messages
    for message in finished.messages:
        assert ": the disk has no inodes left: all 12 are in use (" in message
        assert "is full" not in message
        assert message.endswith("with more inodes, and run the same command again.")
    small_disk("nr_inodes=0")
    assert build(settings).returncode == 0


@pytest.fixture
def locked(small_disk: Callable[[str], Path], tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Give a folder that nobody may write to, not even root."""
    plain = tmp_path / "locked"

    def lock() -> Path:
        if os.geteuid():
            plain.mkdir()
            plain.chmod(0o555)
            return plain
        small_disk("size=1m")
        return small_disk("ro")

    yield lock
    if plain.exists():
        plain.chmod(0o755)


def test_a_folder_that_may_not_be_written_to_is_one_clear_line(
    locked: Callable[[], Path], settings_file: Any, sections: Callable[..., Sections], build: Any
) -> None:
    folder = locked()
    finished = build(settings_file(on(folder, sections(published=False))))
    assert finished.returncode == 30
    (message,) = finished.messages
    record = folder / "sample" / "dataset.json"
    what = "its folder is not writable. Change its permissions, "
    if not os.geteuid():
        what = "its file system is read-only. Mount it for writing, "
    assert message.startswith(f"StoreSettings: {record}: {what}")
    assert list(folder.iterdir()) == []


def test_whoever_may_only_read_a_dataset_is_told_that_it_is_complete(
    small_disk: Callable[[str], Path], settings_file: Any, sections: Callable[..., Sections], build: Any
) -> None:
    disk = small_disk("size=64m")
    settings = settings_file(on(disk, sections(published=False)))
    assert build(settings).returncode == 0
    left = disk / "sample" / f".a.tar.attempt-{socket.gethostname()}-1-0123abcd"
    left.touch()
    os.utime(left, (0, 0))
    small_disk("ro")
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    assert finished.ran == []
    assert left.exists()  # as nobody may remove it


@pytest.mark.parametrize("tasks", [1, 12], ids=["at once", "amid the shards"])
@pytest.mark.parametrize(
    ("signal_", "group"),
    [
        pytest.param(signal.SIGINT, True, id="Ctrl-C"),
        pytest.param(signal.SIGINT, False, id="an interrupt"),
        pytest.param(signal.SIGTERM, True, id="a batch system at the end of its time"),
        pytest.param(signal.SIGTERM, False, id="a plain kill"),
    ],
)
def test_a_build_that_is_told_to_stop_stops_and_goes_on_later(
    *,
    signal_: int,
    group: bool,
    tasks: int,
    settings_file: Any,
    sections: Callable[..., Sections],
    whole: Callable[..., dict[str, str]],
    start: Start,
    build: Any,
    digests: Digests,
) -> None:
    undisturbed = whole(published=False)
    settings = settings_file(sections(published=False))
    directory = settings.parent / "out" / "sample"
    # A busy machine may send it after the end.
    for _ in range(5):
        shutil.rmtree(directory, ignore_errors=True)
        with start(settings, "--workers", "2") as process:
            wait_for_tasks(process, tasks)
            if stop(process, signal_, group=group):
                break
    assert process.returncode != 0
    changing = {"mapping.sqlite"}  # without splits it is no less whole
    there = {name: digest for name, digest in digests(directory).items() if name not in changing}
    assert there.items() <= undisturbed.items()
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    assert digests(directory) == undisturbed
    assert leftovers(directory) == []
