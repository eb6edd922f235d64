"""Widths and colours: those of the terminal, and none where there is none."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
from fcntl import ioctl
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.errors import DatasetError
from tol_luigi.report.image_trace import ImageTrace, candidates_text, image_trace_text, unknown_text

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOW = """
from tol_luigi.command.terminal import show, show_error
from tol_luigi.report.text import wrapped
show("\\n".join(["Dataset /data/x: complete", "The build would stop: no", *wrapped("word " * 100)]) + "\\n")
show_error("tol: wrong")
"""


def shown(columns: int, **variables: str) -> str:
    """Return what a terminal of some width gets."""
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW], stdout=follower, stderr=follower, env={**_environment(), **variables}
    )
    os.close(follower)
    text = b""
    try:
        while part := os.read(leader, 1 << 16):
            text += part
    except OSError:  # the end of a terminal
        pass
    os.close(leader)
    assert process.wait() == 0
    return text.decode().replace("\r\n", "\n")


def _environment() -> Mapping[str, str]:
    hidden = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, "TERM": "xterm"}


def test_a_terminal_gets_colours_and_its_width() -> None:
    text = shown(120)
    assert "\x1b[32mDataset /data/x: complete\x1b[0m\n" in text
    assert "\x1b[31mThe build would stop: no\x1b[0m\n" in text
    assert "\x1b[31mtol: wrong\x1b[0m\n" in text
    assert max(map(len, text.splitlines())) == len("word " * 24) - 1


@pytest.mark.parametrize(("columns", "widest"), [(120, 119), (80, 79), (60, 59), (10, 39)])
def test_no_color_is_respected(columns: int, widest: int) -> None:
    text = shown(columns, NO_COLOR="1")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) == widest


def test_what_is_piped_has_no_colours_and_80_columns() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=_environment(), capture_output=True, text=True, check=True
    )
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) == 79


def test_traces_are_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = ImageTrace("", "folder", "no_image", "word " * 60, "/data", "all", "a.jpg")
    for columns in (60, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert columns - 5 < max(map(len, image_trace_text(trace).splitlines())) <= columns
    assert candidates_text("a.jpg", [trace, trace], 20).endswith("folder: a.jpg\n")


HOSTILE = "a\x1b[31m\x9b1m\u202e\r\nb.jpg"
"""A name of a file that would change colours, the direction of writing, and lines."""


def test_hostile_names_are_shown_as_escapes_on_a_terminal() -> None:
    nameless = ImageTrace(
        "", "folder", "unreadable", reason=HOSTILE, member=HOSTILE, place=HOSTILE, names_from=[HOSTILE]
    )
    texts = [
        image_trace_text(nameless),
        candidates_text(HOSTILE, [nameless, nameless], 10),
        unknown_text(HOSTILE, [HOSTILE]),
        str(DatasetError(HOSTILE, HOSTILE, HOSTILE)),
    ]
    lines = [line for text in texts for line in text.splitlines()]
    assert len(lines) == 5 + 3 + 2 + 1  # of one image; of several; of none; of an error
    assert all(line.isprintable() for line in lines)
    assert all("a\\x1b[31m\\x9b1m\\u202e" in line for line in lines if "not found" not in line)
