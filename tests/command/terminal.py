"""A terminal that a command runs on."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["on_terminal"]

SECONDS = 120

QUESTION = b"]: "
"""The end of a question that a command asks; it is answered with Enter."""


def on_terminal(
    command: list[str], cwd: Path, columns: int, variables: dict[str, str]
) -> tuple[int, bytes, list[str]]:
    """Run a command on a terminal; return its exit code, what it has written, and the screen at its end."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover (it becomes the command)
        os.chdir(cwd)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            environment.pop(name, None)
        os.execve(  # noqa: S606 (a shell would change it)
            command[0], command, {**environment, "TERM": "xterm-256color", **variables}
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    written = b""
    while select.select([terminal], [], [], SECONDS)[0]:
        try:
            written += (got := os.read(terminal, 1 << 16))
        except OSError:  # the terminal is closed
            break
        if not got:
            break
        if written.endswith(QUESTION):
            os.write(terminal, b"\n")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    screen = pyte.Screen(columns, 200)
    pyte.ByteStream(screen).feed(written)
    return os.waitstatus_to_exitcode(status), written, [line.rstrip() for line in screen.display]
