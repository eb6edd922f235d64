"""``tol check``: read all settings and tables as a build does, before anything is built."""

from __future__ import annotations

import math
import sys
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from tol_luigi.command.expected_matches import ExpectedMatches, expect_matches
from tol_luigi.command.terminal import show_error
from tol_luigi.core.errors import TolError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.templates import columns_of
from tol_luigi.report.text import counted
from tol_luigi.sources import by_precedence, tables
from tol_luigi.tasks.label_columns import templates_of
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from tol_luigi.tasks.settings import Settings

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
    troubles = list(dict.fromkeys(str(error) for read in _readers(current) for error in _errors(read)))
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


def _errors(read: Callable[[], object]) -> Iterator[TolError]:
    """Yield the error of what reads a table, with the setting that names the table."""
    try:
        read()
    except TolError as error:
        yield settings().name_setting(error)


def _readers(current: Settings) -> Iterator[Callable[[], object]]:
    """Yield a function for each table or group of tables that reads all of it."""
    chains = current.itis.chains
    yield partial(tables.load_lookup, chains)
    yield partial(tables.load_lookup, None, current.resolved.jsonl)
    for plugin in by_precedence(current.plugins.values()):
        if plugin.add_common_names:
            add = partial(plugin.add_common_names, current.source_sections[plugin.name])
            yield partial(tables.load_common_names, None, [add])
    for source in current.sources.values():
        yield partial(_exhaust, source.labeler.labels)
        yield partial(
            _exhaust, partial(source.labeler.entries, (), tables.load_lookup(), tables.load_common_names())
        )
        yield partial(_exhaust, source.licenses)
        if (columns := columns_of(templates_of(current))) and source.labeler.has_fields:
            yield partial(source.labeler.fields, columns)
    for path, with_species in ((current.rare_species.seen, False), (current.rare_species.unseen, True)):
        if path:
            yield partial(tables.load_exclusions, path, with_species=with_species)


def _exhaust(rows: Callable[[], Iterable[object]]) -> None:
    """Read to the end what a function yields."""
    deque(rows(), maxlen=0)
