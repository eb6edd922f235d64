"""Record the pictures of the tutorial: run its commands on a terminal, and write what the screen shows as SVG.

    python docs/pictures.py

Each ``sh`` block of ``docs/tutorial.md`` is run in an empty folder, and the pictures after the block show its end.
``running.svg`` shows a build at work.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pyte
from rich.color import Color
from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent
COLUMNS, LINES = 80, 200
HOME = b"/home/ana"
RUNNING = "running"
STEP = re.compile(r"^```sh\n(?P<commands>.*?)^```\n(?P<rest>.*?)(?=^```|\Z)", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"\(pictures/(\w+)\.svg\)")
QUESTION = b"]: "
AT_WORK = re.compile(r"WriteShards +━+[╸╺].*[1-9]\d* of")
FRAME = 64
"""How many bytes of the output are drawn at once when a frame is looked for."""


def steps(tutorial: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands of each block of a page that has pictures or draws the photographs, and those pictures."""
    for found in STEP.finditer(tutorial):
        pictures = PICTURE.findall(found["rest"])
        if pictures or "demonstration" in found["commands"]:
            yield found["commands"].strip(), pictures


def recorded(command: str, folder: Path) -> bytes:
    """Return what a command writes on a terminal; questions are answered with Enter."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": str(folder)}
        if "PYTHONPATH" in os.environ:
            environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
        os.execvpe("bash", ["bash", "-c", command], environment)  # noqa: S606, S607 (as a reader does)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    written = b""
    while True:
        try:
            got = os.read(terminal, 1 << 16)
        except OSError:  # the command has ended
            break
        written += got
        if written.endswith(QUESTION):
            os.write(terminal, b"\n")
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command}: {written.decode()}")
    return f"$ {command}\r\n".encode() + written.replace(os.fsencode(folder), HOME)


def screen_of(written: bytes) -> pyte.Screen:
    """Return a screen that shows what was written."""
    screen = pyte.Screen(COLUMNS, LINES)
    pyte.ByteStream(screen).feed(written)
    return screen


def at_work(written: bytes) -> pyte.Screen:
    """Return a screen that shows a bar at work."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream, ends = pyte.ByteStream(screen), []
    for start in range(0, len(written), FRAME):
        stream.feed(written[start : start + FRAME])
        if any(AT_WORK.match(line) for line in screen.display):
            ends.append(start + FRAME)
    if not ends:
        raise SystemExit("No bar of WriteShards was drawn. Record again.")
    return screen_of(written[: ends[len(ends) * 2 // 3]])


def lines_of(screen: pyte.Screen) -> list[Text]:
    """Return the lines of a screen, without the empty ones at its end."""
    lines = []
    for row in range(LINES):
        line = Text()
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        for (bold, name), run in itertools.groupby(cells, key=lambda cell: (cell.bold, cell.fg)):
            line.append("".join(cell.data for cell in run), Style(bold=bold, color=colour(name)))
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def colour(name: str) -> Color | None:
    """Return a colour of pyte as one of rich, None for the default one."""
    if name == "default":
        return None
    return Color.parse(f"#{name}" if re.fullmatch(r"[0-9a-f]{6}", name) else name.replace("brown", "yellow"))


def svg(lines: list[Text], title: str) -> str:
    """Return a picture of lines of a terminal."""
    console = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in [*lines, Text()]:  # the frame cuts off the last line
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    # rich names a font on a server, which a page must not fetch
    code = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title=title, theme=DEFAULT_TERMINAL_THEME, code_format=code, unique_id=title)


def write(name: str, lines: list[Text]) -> None:
    """Write a picture."""
    target = DOCS / "pictures" / f"{name}.svg"
    target.write_text(svg(lines, "tol"), encoding="utf-8")
    sys.stdout.write(f"{target.name}: {target.stat().st_size:,} bytes, {len(lines)} lines\n")


def main() -> None:
    """Run the commands of the tutorial, and write its pictures."""
    (DOCS / "pictures").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for commands, pictures in steps((DOCS / "tutorial.md").read_text(encoding="utf-8")):
            written = b"\r\n".join(recorded(command, Path(folder)) for command in commands.splitlines())
            for name in pictures:
                write(name, lines_of(at_work(written) if name == RUNNING else screen_of(written)))


if __name__ == "__main__":
    main()
