"""The pages of the documentation as a reader works through them: one shell for a page, its files, its commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ROOT", "Fence", "clone", "fences", "login", "walk"]

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(
    r"^(?:<!-- (?P<marker>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
NAMED = re.compile(r"# (\S+\.cfg)\n")
IMAGE_ENDING = ".jpg"
SECONDS = 300


@dataclass(frozen=True)
class Fence:
    """A block of code on a page.

    Attributes:
        language: What follows the three backticks.
        text: Its lines.
        marker: The comment on the line before it: ``images``, ``file: NAME``, ``not run: REASON`` or another one.
    """

    language: str
    text: str
    marker: str

    @property
    def is_run(self) -> bool:
        """Whether it contains commands that a reader runs."""
        return self.language == "sh" and not self.marker.startswith("not run: ")

    @property
    def file(self) -> str:
        """The file that it shows: named by its marker, or, as a settings file, by its first line."""
        if self.marker.startswith("file: "):
            return self.marker.removeprefix("file: ")
        named = NAMED.match(self.text) if self.language == "ini" else None
        return named[1] if named else ""


def fences(page: Path) -> Iterator[Fence]:
    """Yield the blocks of code of a page."""
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        yield Fence(found["language"], found["text"], found["marker"] or "")


def images(listing: str) -> list[str]:
    """Return the images of a listing of files."""
    return [line for line in listing.splitlines() if line.endswith(IMAGE_ENDING)]


def reader_script(page: Path, changed: Mapping[str, str]) -> str:
    """Return what a reader of a page does, as a script for one shell.

    Args:
        page: The page.
        changed: What a reader replaces, such as the name of a partition, and by what.
    """
    steps = ["set -euo pipefail"]
    for fence in fences(page):
        text = fence.text
        for before, after in changed.items():
            text = text.replace(before, after)
        if fence.marker == "test command":
            continue
        if fence.file:
            steps.append(f"cat > {shlex.quote(fence.file)} <<'END OF FILE'\n{text}END OF FILE")
        elif fence.marker == "main command":  # installing takes a minute: the environment is there
            steps.append(text.rpartition(" && ")[2])
        elif fence.is_run:
            steps.append(f"cat >&2 <<'END OF STEP'\n{text}END OF STEP\n{text}")
        elif fence.language == "python":
            steps.append(f"python - <<'END OF PYTHON'\n{text}END OF PYTHON")
    return "\n".join(steps)


def clone(folder: Path) -> None:
    """Make a folder look like a clone with its environment."""
    for name in ("luigi.cfg", "sbatch"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)


def login(folder: Path) -> dict[str, str]:
    """Return the environment variables of a fresh shell; those of Python lead to this tree."""
    path = "/usr/local/bin:/usr/bin:/bin"
    user = os.environ.get("USER", "root")
    return {"HOME": str(folder), "LANG": "C.UTF-8", "PATH": path, "PYTHONPATH": str(ROOT), "USER": user}


def walk(
    page: Path,
    folder: Path,
    changed: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Work through a page in a fresh shell, in a folder that looks like a clone with its environment.

    Args:
        page: The page.
        folder: The folder; the images that the page lists are drawn into it.
        changed: What a reader replaces, and by what.
        variables: Environment variables beyond those of a login.
    """
    clone(folder)
    for fence in fences(page):
        if fence.marker == "images":
            for number, name in enumerate(images(fence.text)):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                Image.effect_noise((64, 48), 40 + number).convert("RGB").save(folder / name)
    return subprocess.run(
        ["bash", "-c", reader_script(page, changed or {})],
        cwd=folder,
        env={**login(folder), **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
