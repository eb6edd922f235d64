"""The name lookups: JSON files in the published format, and the same rows in SQLite for joins."""

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
from tol_luigi.store.models import Marker, Name, ReferenceName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tol_luigi.core.source import SourceInfo

__all__ = ["lookup_name", "published_entries", "write_names"]

_TAXA = 1 << 15
"""The number of taxa whose text forms are cached, which takes about 30 MB."""


def lookup_name(source: str) -> str:
    """Return the name of the lookup file of a source."""
    return f"{source}_name_lookup.json"


def write_names(
    path: Path,
    lookups: Iterable[tuple[SourceInfo, Iterable[Entry]]],
    *,
    digest: str,
    progress: Callable[[int], None],
    is_reference: bool = False,
) -> None:
    """Write the lookup of every source as JSON, and all of them as one database.

    Class indexes number lineages in order of first occurrence, in the given order of sources. The published
    process normalises each taxon a second time when it reads its lookups. So, for published sources, the
    database contains the ranks of the published shards, and the JSON files those of the published lookups.

    Args:
        path: The database, which is committed last; the JSON files are in the same folder.
        lookups: The sources and their entries, each key once.
        digest: The digest of the settings, for the marker.
        progress: Called with the number of entries so far.
        is_reference: Whether the names are those of a reference taxonomy, which are not normalised again. The database
            then also contains the taxon of each entry.

    Source: the ``*_name_lookup.json`` files of TreeOfLife-10M.
    """
    lineages, count = Lineages(), 0

    @functools.lru_cache(_TAXA)  # many images, mostly close to each other, have the same taxon
    def forms(taxon: Taxon, is_published: bool) -> tuple[tuple[str, ...], str, str]:
        """Return the rendered ranks for the samples, and ranks and class index as JSON for the lookup."""
        read_back = taxon.renormalised() if is_published else taxon
        return read_back.rendered, json.dumps(taxon.rendered), json.dumps(lineages.index(taxon))

    further = [ReferenceName] if is_reference else []
    with created(path, [Name, *further, Marker]) as database:
        for source, entries in lookups:
            is_published = source.is_published and not is_reference
            with _json_object(path.with_name(lookup_name(source.name))) as write:
                for batch in batched(entries):
                    rows, references = [], []
                    for key, taxon, common, rules, reference in batch:
                        ranks, ranks_json, class_index = forms(taxon, is_published)
                        rows.append((source.name, key, *ranks, common, class_index, joined_rules(rules)))
                        write(key, f"[{ranks_json}, {json.dumps(common)}, {class_index}]")
                        if reference is not None:
                            references.append((source.name, key, *reference))
                    insert_rows(database, Name, rows)
                    if is_reference:
                        insert_rows(database, ReferenceName, references)
                    count += len(rows)
                    progress(count)
        Marker.create(stage="names", digest=digest)


@contextlib.contextmanager
def _json_object(path: Path) -> Iterator[Callable[[str, str], None]]:
    """Write a JSON object entry by entry, one per line; the values are passed as JSON."""
    with committed(path) as scratch, scratch.open("w", encoding="utf-8") as text:
        separator = "{\n"

        def write(key: str, value: str) -> None:
            nonlocal separator
            text.write(f"{separator} {json.dumps(key)}: {value}")
            separator = ",\n"

        yield write
        text.write("\n}\n" if separator == ",\n" else "{}\n")


def published_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a published name lookup, with or without class indexes.

    Raises:
        MappingError: The file is not a name lookup.
    """
    try:
        with path.open("rb") as file:
            yield from _entries(file)
    except (OSError, ijson.JSONError, TypeError, ValueError, AttributeError) as error:
        what = f"cannot be read as a name lookup ({' '.join(str(error).split())})"
        remedy = "Set [published] names to the folder of the published lookups, or leave it empty"
        raise MappingError(path, what, remedy) from error


def _entries(file: IO[bytes]) -> Iterator[Entry]:
    if file.read(1) != b"{":
        raise ValueError("not a JSON object")
    file.seek(0)
    for key, (ranks, common, *_) in ijson.kvitems(file, ""):
        if not isinstance(common, str):
            raise TypeError(f"{key} has no common name, which may be empty")
        yield Entry(key, Taxon.from_rendered(ranks), common)
