"""Every stage but the pixels, killed with -9 before each file that it opens for writing, renames or removes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BENCH = Path(__file__).resolve().parents[2] / "bench"
IMAGES = 3000

STAGES = [
    "MakeMapping",
    "MakeSplits",
    "MakeMetadata",
    "PredictCatalog",
    "CheckPredictedTaxa",
    "CheckMatches",
    "PlanShards",
    "_written",
    "FindDuplicates",
    "WriteCatalog",
    "WriteCard",
    "CheckTaxa",
]
"""In their order; in the middle the generator stands in for the shards."""

# It has imported everything, and forks: a process of its own for each attempt takes no second, then.
PROGRAM = """
import os, signal, sys

import tol_luigi
import _written
from tol_luigi.tasks.scan import StoreSettings

def doomed(moment):
    left = moment

    def count(event, arguments):
        nonlocal left
        changes = event in {"os.rename", "os.remove", "os.mkdir", "shutil.copyfile", "sqlite3.connect"}
        if changes or (event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)

def attempt(stage, moment):
    name, *catalog = stage.split()
    if name == "_written":
        return _written.write()
    task = getattr(tol_luigi, name)(**({"catalog": catalog[0]} if catalog else {}))
    if not task.complete():
        if moment:
            doomed(moment)
        task.run()

StoreSettings().run()
for line in sys.stdin:
    moment, _, stage = line.strip().partition(" ")
    child = os.fork()
    if not child:
        attempt(stage, int(moment))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def made(folder: Path) -> Path:
    """Make the inputs of a small dataset that is like the full one."""
    subprocess.run(
        [sys.executable, BENCH / "_full_size.py", folder, "--images", str(IMAGES)],
        check=True,
        capture_output=True,
    )
    return folder


def attempts(folder: Path) -> Iterator[Callable[[int, str], int]]:
    """Give a function that attempts a stage, to be killed at a moment (0: never); it gives how that ends."""
    path = os.pathsep.join([str(BENCH), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "LUIGI_CONFIG_PATH": str(folder / "luigi.cfg"), "PYTHONPATH": path}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        stdin, stdout = program.stdin, program.stdout

        def attempt(moment: int, stage: str) -> int:
            stdin.write(f"{moment} {stage}\n")
            return int(stdout.readline())

        yield attempt
        stdin.close()


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Callable[[int, str], int]]:
    yield from attempts(made(tmp_path / "killed"))


@pytest.fixture
def undisturbed(tmp_path: Path) -> Iterator[Callable[[int, str], int]]:
    yield from attempts(made(tmp_path / "undisturbed"))


def test_a_stage_that_is_killed_leaves_nothing_that_is_taken_for_whole(
    tmp_path: Path, attempt: Any, undisturbed: Any, digests: Any
) -> None:
    kills = {}
    for stage in STAGES:
        before = digests(tmp_path / "undisturbed" / "built")
        assert undisturbed(0, stage) == 0
        after = digests(tmp_path / "undisturbed" / "built")
        moment = 0
        while stage != "_written" and attempt(moment + 1, stage) == -9:
            moment += 1
            there = digests(tmp_path / "killed" / "built")
            assert all(digest in {before.get(name), after.get(name)} for name, digest in there.items()), stage
        kills[stage] = moment
        assert attempt(0, stage) == 0
        assert digests(tmp_path / "killed" / "built") == after, stage
    assert all(count for stage, count in kills.items() if stage != "_written"), kills
