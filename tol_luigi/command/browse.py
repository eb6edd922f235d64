"""``tol browse``: look at finished datasets in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import TYPE_CHECKING

from tqdm import tqdm

from tol_luigi.browse.index import cache_folder
from tol_luigi.browse.opened import BrowsedDataset
from tol_luigi.browse.server import LOOPBACK, serve
from tol_luigi.core.exit_code import ExitCode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["browse"]


def browse(arguments: argparse.Namespace) -> int:
    """Serve the page until it is interrupted."""
    cache = arguments.cache or cache_folder()
    datasets = [_opened(folder, cache) for folder in arguments.datasets or _configured()]

    def ready(url: str) -> None:
        sys.stdout.write(f"Browse at {url} (Ctrl-C ends it)\n")
        if arguments.host != LOOPBACK:
            sys.stdout.write("Anyone who can reach this address can see the datasets.\n")
        sys.stdout.flush()
        if _has_desktop() if arguments.open is None else arguments.open:
            webbrowser.open(url)

    serve(datasets, arguments.host, arguments.port, ready)
    return ExitCode.COMPLETE


def _opened(folder: Path, cache: Path) -> BrowsedDataset:
    with tqdm(disable=None, leave=False, desc=f"indexing {folder}", unit=" images") as bar:

        def reach(done: int) -> None:
            bar.update(done - bar.n)

        return BrowsedDataset(folder, cache, reach)


def _configured() -> Sequence[Path]:
    """Return the folder of the dataset of the settings."""
    from tol_luigi.tasks.settings import settings  # noqa: PLC0415 (it imports Luigi, which named datasets do not need)

    return [settings().layout.directory]


def _has_desktop() -> bool:
    """Return whether this is a session with a desktop: elsewhere, a browser for terminals could start."""
    is_desktop = sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return is_desktop and sys.stdout.isatty()
