"""Scientific names with their authors, in columns."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["author_in", "first_filled", "synonym_type", "without_author"]

_PLAIN = frozenset({"", "not accepted", "unaccepted", "invalid"})


def first_filled(*columns: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the first value in each row that is not ""; "" if there is none."""
    found = columns[-1]
    for column in columns[-2::-1]:
        found = pc.if_else(pc.equal(column, ""), found, column)
    return found


def author_in(full: pa.ChunkedArray, canonical: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what follows the canonical names in full names; "" if a full name does not start with it."""
    length = pc.utf8_length(canonical)
    is_longer = pc.and_(pc.greater(pc.utf8_length(full), length), pc.greater(length, 0))
    rows = pc.indices_nonzero(is_longer)
    pairs = zip(full.take(rows).to_pylist(), canonical.take(rows).to_pylist(), strict=True)
    rests = [text[len(name) :].strip() if text.startswith(f"{name} ") else "" for text, name in pairs]
    empty = pa.repeat(pa.scalar("", pa.string()), len(full))
    return pc.replace_with_mask(empty, _combined(is_longer), pa.array(rests, pa.string()))


def without_author(full: pa.ChunkedArray, authors: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return full names without the authors that they end with."""
    has_author = pc.greater(pc.utf8_length(authors), 0)
    rows = pc.indices_nonzero(has_author)
    pairs = zip(full.take(rows).to_pylist(), authors.take(rows).to_pylist(), strict=True)
    names = pa.array([text.removesuffix(f" {author}").rstrip() for text, author in pairs], pa.string())
    return pc.replace_with_mask(_combined(full), _combined(has_author), names)


def _combined(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def synonym_type(status: str) -> str:
    """Return the type of a synonym by its status in a source."""
    text = " ".join(status.lower().replace("_", " ").split())
    return "synonym" if text in _PLAIN else text
