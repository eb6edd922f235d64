"""The command as users run it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}


def _tol(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tol_luigi", *map(str, arguments)],
        cwd=cwd,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="session")
def tol() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``tol`` to its end: its arguments, and the folder to run it in."""
    return _tol


@pytest.fixture(scope="session")
def seen() -> Callable[[Path], dict[str, tuple[int, int]]]:
    """Give length and time of every file and folder below a folder: what nobody may change."""

    def look(folder: Path) -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
            for path in [folder, *sorted(folder.rglob("*"))]
        }

    return look


@pytest.fixture
def part() -> Any:
    """Start ``tol luigid``, ``worker`` or ``foreman``; what is still there at the end is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(verb: str, settings: Path, *arguments: object) -> subprocess.Popen[str]:
        log = (settings.parent / f"{verb}-{len(started)}.log").open("w", encoding="utf-8")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tol_luigi", verb, "--config", settings, *map(str, arguments)],
                cwd=settings.parent,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
