"""Images that several sources have, found by their ids in the collection that the sources copy from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.ledger import State
from tol_luigi.store.duplicates import DuplicateIndex, exclude_all_but_first, find_duplicates
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Key, Source

__all__ = ["mark_shared_images"]


def mark_shared_images(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    output: Path,
    sources: Iterable[Source],
    order: Sequence[str],
) -> Iterator[pa.Table]:
    """Exclude the images that a preferred source has, too, in tables of a predicted catalog.

    An image that is excluded from one source for another reason, such as a benchmark, is excluded from all.
    Memory is that of the complete rows of shared images.

    Args:
        tables: The tables, one per partition.
        schema: Their columns.
        output: The file to be written; the tables are spooled to a scratch file in its folder.
        sources: The sources that share a collection with another one.
        order: The names of all sources, the preferred ones first.

    Yields:
        The tables, with ``excluded`` and ``exclusion`` filled in.
    """

    def find(spool: Path) -> DuplicateIndex:
        known = {source.name: (source, source.labeler.shared_ids()) for source in sources}
        return DuplicateIndex(find_duplicates(lambda: _images(spool, known), order, output))

    verdict = State.IN_OTHER_SOURCE, "the same image as {} ([dataset] prefer)"
    return exclude_all_but_first(tables, schema, output, find, verdict)


def _images(spool: Path, known: dict[str, tuple[Source, Callable[[Key], str]]]) -> Iterator[pa.Table]:
    """Yield the images with an id in a shared collection, with its hash in the place of the hash of a file."""
    every = [column.catalog for source, _ in known.values() for column in source.columns]
    fields = ["treeoflife_id", "source", "partition", "excluded"]
    for piece in pieces(spool, [*fields, *dict.fromkeys(every)]):
        name = piece["source"][0].as_py() if len(piece) else ""  # a row group contains one partition
        if name not in known:
            continue
        source, shared_id = known[name]
        keys = zip(*(piece[column.catalog].to_pylist() for column in source.columns), strict=True)
        hashes = [_hash(source.labeler.shared_collection, shared_id(key)) for key in keys]
        # Those of val come first, so that no source writes an image that one of them excludes.
        order = pc.if_else(pc.equal(piece["excluded"], ""), "train", "val")
        images = piece.select(fields[:3]).rename_columns({fields[0]: "id"})
        images = images.append_column("split", order).append_column("sha256", pa.array(hashes, pa.string()))
        yield images.filter(pc.is_valid(images["sha256"]))


def _hash(collection: str, shared_id: str) -> str | None:
    return hashlib.sha256(f"{collection}/{shared_id}".encode()).hexdigest() if shared_id else None
