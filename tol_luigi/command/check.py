"""``tol check``: read all settings and tables as a build does, before anything is built."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from tol_luigi.command.expected_matches import ExpectedMatches, expect_matches
from tol_luigi.command.terminal import show_error
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.report.text import counted
from tol_luigi.tasks.settings import settings
from tol_luigi.tasks.table_checks import table_errors

if TYPE_CHECKING:
    import argparse

__all__ = ["check"]


def check(given: argparse.Namespace) -> int:
    """Read every table, compare names with images, and write what is wrong."""
    del given
    current = settings()
    if current.is_demonstration:
        sys.stdout.write(
            "No source is configured, so there is nothing to check: the demonstration is built.\n"
        )
        return ExitCode.COMPLETE
    troubles = list(dict.fromkeys(map(str, table_errors(current))))
    # Names are compared with images only if all tables can be read.
    expected = ExpectedMatches() if troubles else expect_matches(current, math.inf, is_checked=False)
    troubles += expected.troubles
    sys.stdout.writelines(f"{line}\n" for line in (*expected.lines, *expected.warnings))
    for trouble in troubles:
        show_error(f"tol: {trouble}")
    if troubles:
        return ExitCode.UNHANDLED_EXCEPTION
    sys.stdout.write(f"{counted(len(current.used), 'source')}, all settings and tables can be used.\n")
    return ExitCode.COMPLETE
