"""``tol diff``: what differs between two releases."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tol_luigi.command.release_names import release_path
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import committed
from tol_luigi.dataset.difference import compare, difference_figures
from tol_luigi.dataset.release import open_release
from tol_luigi.report.difference import difference_text
from tol_luigi.report.difference_page import difference_page

if TYPE_CHECKING:
    import argparse

__all__ = ["diff"]


def diff(given: argparse.Namespace) -> int:
    """Print what differs, and write the page."""
    before, now = (open_release(release_path(name)) for name in (given.before, given.now))
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
