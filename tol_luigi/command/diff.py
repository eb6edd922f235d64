"""``tol diff``: what differs between two releases."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import committed
from tol_luigi.dataset.difference import compare, difference_figures
from tol_luigi.dataset.release import open_release
from tol_luigi.report.difference import difference_text
from tol_luigi.report.difference_page import difference_page
from tol_luigi.tasks.sections import DatasetSection
from tol_luigi.tasks.settings_files import find_origins, read_section

if TYPE_CHECKING:
    import argparse

    from tol_luigi.dataset.release import Release

__all__ = ["diff"]


def diff(given: argparse.Namespace) -> int:
    """Print what differs, and write the page."""
    before, now = _release(given.before), _release(given.now)
    found = compare(before, now, examples=given.examples, pixels=given.pixels)
    figures = difference_figures(before, now, found)
    if given.page:
        with committed(given.page) as scratch:
            scratch.write_text(difference_page(figures), encoding="utf-8")
    if given.json:
        sys.stdout.write(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(difference_text(figures))
    return ExitCode.NEGATIVE if given.exit_code and found.differs else ExitCode.COMPLETE


def _release(name: str) -> Release:
    """Return the release at a path, or else the dataset with a tag."""
    path = Path(name)
    if not path.exists() and path.name == name:
        # The settings of the sources are not needed.
        tagged = read_section(DatasetSection, find_origins(), must_exist=False).root / name
        path = tagged if tagged.exists() else path
    return open_release(path)
