"""The name lookups: JSON files as published, and the same rows in SQLite for the stages that join them."""

from __future__ import annotations

import contextlib
import functools
import json
from typing import IO, TYPE_CHECKING

import ijson

from tol_luigi.core.batches import batched
from tol_luigi.core.errors import MappingError
from tol_luigi.core.files import committed
from tol_luigi.core.lineages import Lineages
from tol_luigi.core.name_rules import joined_rules
from tol_luigi.core.source import Entry
from tol_luigi.core.taxon import Taxon
from tol_luigi.store.databases import created, insert_rows
from tol_luigi.store.models import Marker, Name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tol_luigi.core.source import SourceInfo

__all__ = ["lookup_name", "published_entries", "write_names"]

_TAXA = 1 << 15
"""So many taxa are kept as written, which takes about 30 MB."""


def lookup_name(source: str) -> str:
    """Name the lookup file of a source."""
    return f"{source}_name_lookup.json"


def write_names(
    path: Path,
    lookups: Iterable[tuple[SourceInfo, Iterable[Entry]]],
    *,
    digest: str,
    progress: Callable[[int], None],
) -> None:
    """Write the lookup of every source as JSON, and all of them as one database.

    Class indexes count lineages in order of first sight, through the sources as given. The published
    process reads its lookups back, which normalises each taxon once more: so the database has the
    ranks of the published sources as its shards have them, and JSON as its lookups do.

    Args:
        path: The database; the JSON files go beside it. It comes into place last.
        lookups: A source and its entries, each key once.
        digest: Of the settings, for the marker.
        progress: Told the number of entries so far.

    Source: the ``*_name_lookup.json`` files of TreeOfLife-10M.
    """
    lineages, count = Lineages(), 0

    @functools.lru_cache(_TAXA)  # a taxon is that of many images, mostly not far from each other
    def forms(taxon: Taxon, is_published: bool) -> tuple[tuple[str, ...], str, str]:
        """Return the ranks as rendered for the samples, and as JSON for the lookup, and the class index as JSON."""
        read_back = taxon.again() if is_published else taxon
        return read_back.rendered, json.dumps(taxon.rendered), json.dumps(lineages.index(taxon))

    with created(path, [Name, Marker]) as database:
        for source, entries in lookups:
            with _json_object(path.with_name(lookup_name(source.name))) as write:
                for batch in batched(entries):
                    rows = []
                    for key, taxon, common, rules in batch:
                        ranks, ranks_json, class_index = forms(taxon, source.is_published)
                        rows.append((source.name, key, *ranks, common, class_index, joined_rules(rules)))
                        write(key, f"[{ranks_json}, {json.dumps(common)}, {class_index}]")
                    insert_rows(database, Name, rows)
                    count += len(rows)
                    progress(count)
        Marker.create(stage="names", digest=digest)


@contextlib.contextmanager
def _json_object(path: Path) -> Iterator[Callable[[str, str], None]]:
    """Write a JSON object an entry a line, without holding it; the entries' values come as JSON."""
    with committed(path) as scratch, scratch.open("w", encoding="utf-8") as text:
        separator = "{\n"

        def write(key: str, value: str) -> None:
            nonlocal separator
            text.write(f"{separator} {json.dumps(key)}: {value}")
            separator = ",\n"

        yield write
        text.write("\n}\n" if separator == ",\n" else "{}\n")


def published_entries(path: Path) -> Iterator[Entry]:
    """Read a published name lookup, with or without class indexes.

    Raises:
        MappingError: The file is no such lookup.
    """
    try:
        with path.open("rb") as file:
            yield from _entries(file)
    except (OSError, ijson.JSONError, TypeError, ValueError, AttributeError) as error:
        what = f"no name lookup can be read from it ({' '.join(str(error).split())})"
        remedy = "Give the folder of the published lookups, or leave [published] names empty"
        raise MappingError(path, what, remedy) from error


def _entries(file: IO[bytes]) -> Iterator[Entry]:
    if file.read(1) != b"{":
        raise ValueError("no JSON object")
    file.seek(0)
    for key, (ranks, common, *_) in ijson.kvitems(file, ""):
        if not isinstance(common, str):
            raise TypeError(f"{key} has no common name, not even an empty one")
        yield Entry(key, Taxon.from_rendered(ranks), common)
