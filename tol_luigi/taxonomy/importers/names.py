"""Scientific names with their authors, in columns."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["author_in", "first_filled", "synonym_type"]

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
    mask = is_longer.combine_chunks() if isinstance(is_longer, pa.ChunkedArray) else is_longer
    empty = pa.repeat(pa.scalar("", pa.string()), len(full))
    return pc.replace_with_mask(empty, mask, pa.array(rests, pa.string()))


def synonym_type(status: str) -> str:
    """Return the type of a synonym by its status in a source."""
    text = " ".join(status.lower().replace("_", " ").split())
    return "synonym" if text in _PLAIN else text
