"""An interrupt has its effect, also if it arrives while Luigi starts the process of a task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tol_luigi.tasks.interrupts import deferred_interrupts

if TYPE_CHECKING:
    from pathlib import Path

INTERRUPTED = """
import os, signal, luigi, tol_luigi.tasks.luigi_command

os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))

class Leaf(luigi.Task):
    number = luigi.IntParameter()
    def run(self):
        pass

class Root(luigi.WrapperTask):
    def requires(self):
        return [Leaf(number=number) for number in range(4)]

luigi.build([Root()], workers=2, local_scheduler=True, no_lock=True)
"""


def test_an_interrupt_in_the_moment_of_a_fork_ends_a_build(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == -signal.SIGINT, done.stderr
    assert "Exception ignored" not in done.stderr


def interrupted_block(reached: list[str], error: Exception | None = None) -> None:
    with deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
        if error:
            raise error


@pytest.mark.parametrize("error", [None, OSError("no process can be started")], ids=["well", "with an error"])
def test_a_block_is_interrupted_at_its_end(error: Exception | None) -> None:
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_block(reached, error)

    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_forked_process_is_interrupted_at_once() -> None:
    with deferred_interrupts():
        child = os.fork()
        if not child:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                os._exit(7)
            os._exit(0)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 7
