"""Scientific names with their authors, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.importers.values import constant

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["author_in", "first_filled", "synonym_type", "without_author"]

_SLICE = 1 << 17
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

    def author(text: str, name: str) -> str:
        return text[len(name) :].strip() if text.startswith(f"{name} ") else ""

    return _mapped(author, full, canonical, is_longer, constant("", len(full), pa.string()))


def without_author(full: pa.ChunkedArray, authors: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return full names without the authors that they end with."""

    def name(text: str, author: str) -> str:
        return text.removesuffix(f" {author}").rstrip()

    return _mapped(name, full, authors, pc.not_equal(authors, ""), full)


def _mapped(
    function: Callable[[str, str], str],
    first: pa.ChunkedArray,
    second: pa.ChunkedArray,
    mask: pa.ChunkedArray,
    others: pa.ChunkedArray | pa.Array,
) -> pa.ChunkedArray:
    """Return the values of a function of two texts in the rows of a mask, and others elsewhere."""
    table = pa.table({"first": first, "second": second, "mask": mask, "others": others})
    chunks = []
    for start in range(0, table.num_rows, _SLICE):  # Python's texts are large
        part = table.slice(start, _SLICE).combine_chunks()
        rows = part.filter(part["mask"])
        pairs = zip(rows["first"].to_pylist(), rows["second"].to_pylist(), strict=True)
        values = pa.array([function(*pair) for pair in pairs], pa.string())
        other, at = (part[name].combine_chunks() for name in ("others", "mask"))
        chunks.append(pc.replace_with_mask(other, at, values))
    return pa.chunked_array(chunks, pa.string())


def synonym_type(status: str) -> str:
    """Return the type of a synonym by its status in a source."""
    text = " ".join(status.lower().replace("_", " ").split())
    return "synonym" if text in _PLAIN else text
