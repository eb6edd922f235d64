"""Columns of texts, written to files without a Python object per value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["one_line", "utf8_chunks"]

_SEPARATORS = r"[\t\r\n]"


def one_line(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return values as texts, "" for null; tabs and line breaks become spaces."""
    text = column if pa.types.is_string(column.type) else column.cast(pa.string())
    text = pc.fill_null(text, "")
    has_separator = pc.any(pc.match_substring_regex(text, _SEPARATORS)).as_py()
    return pc.replace_substring_regex(text, _SEPARATORS, " ") if has_separator else text


def utf8_chunks(column: pa.ChunkedArray | pa.Array) -> Iterator[bytes]:
    """Yield the texts of a column, one after the other, as UTF-8; the column has no nulls."""
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        compact = pa.concat_arrays([chunk, chunk.slice(0, 0)])  # a slice shares the buffer of its array
        _, offsets, values = compact.buffers()
        if values is not None and len(compact):
            ends = memoryview(offsets).cast("i")
            yield values[ends[0] : ends[len(compact)]].to_pybytes()
