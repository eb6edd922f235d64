"""What is wrong with the tables in the settings: they are read as a build reads them, before anything is built."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from tol_luigi.core.errors import TolError
from tol_luigi.core.templates import columns_of
from tol_luigi.sources import by_precedence, tables
from tol_luigi.sources.delimited import first_rows
from tol_luigi.tasks.label_columns import templates_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tol_luigi.tasks.settings import Settings

__all__ = ["table_errors", "validate_tables"]

_FIRST_ROWS = 10_000
"""How many rows of each table are read before a build: less than a tenth of a second for each."""


def validate_tables(settings: Settings) -> None:
    """Check the columns, the encoding, the delimiter and the first rows of every table.

    Raises:
        TolError: A table cannot be used.
    """
    with first_rows(_FIRST_ROWS):
        for error in table_errors(settings):
            raise error


def table_errors(settings: Settings) -> Iterator[TolError]:
    """Read every table to its end; yield what is wrong with each, with the setting that names it."""
    for read in () if settings.is_demonstration else _readers(settings):
        try:
            read()
        except TolError as error:
            yield settings.name_setting(error)


def _readers(settings: Settings) -> Iterator[Callable[[], object]]:
    """Yield a function for each table or group of tables that reads all of it."""
    yield partial(tables.load_lookup, settings.itis.chains)
    yield partial(tables.load_lookup, None, settings.resolved.jsonl)
    for plugin in by_precedence(settings.plugins.values()):
        if plugin.add_common_names:
            add = partial(plugin.add_common_names, settings.source_sections[plugin.name])
            yield partial(tables.load_common_names, None, [add])
    for source in settings.sources.values():
        yield partial(_exhaust, source.labeler.labels)
        yield partial(
            _exhaust, partial(source.labeler.entries, (), tables.load_lookup(), tables.load_common_names())
        )
        yield partial(_exhaust, source.licenses)
        if (columns := columns_of(templates_of(settings))) and source.labeler.has_fields:
            yield partial(source.labeler.fields, columns)
    lists = settings.rare_species
    for path, with_species in ((lists.seen, False), (lists.unseen, True)):
        if path:
            yield partial(tables.load_exclusions, path, with_species=with_species)


def _exhaust(rows: Callable[[], Iterable[object]]) -> None:
    """Read to the end what a function yields."""
    deque(rows(), maxlen=0)
