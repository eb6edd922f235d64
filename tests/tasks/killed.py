"""A process that attempts stages, and is killed with -9 before one of the files that it opens for writing, renames or removes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BENCH = Path(__file__).resolve().parents[2] / "bench"

# It has imported everything, and forks: a process of its own for each attempt takes no second, then.
PROGRAM = """
import importlib, os, signal, sys

import tol_luigi
from tol_luigi.tasks.scan import StoreSettings

for module in sys.argv[1:]:
    importlib.import_module(module)

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
    name, *given = stage.split()
    if name == "_written":
        return sys.modules[name].write()
    task = getattr(tol_luigi, name)(**dict(one.split("=") for one in given))
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


def attempts(folder: Path, *modules: str) -> Iterator[Callable[[int, str], int]]:
    """Give a function that attempts a stage, to be killed at a moment (0: never); it gives how that ends.

    The process imports some modules before the first attempt.
    """
    path = os.pathsep.join([str(BENCH), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "LUIGI_CONFIG_PATH": str(folder / "luigi.cfg"), "PYTHONPATH": path}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *modules],
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
