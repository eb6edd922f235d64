"""Conversion of tables to CSV, column by column, without a Python object per cell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["csv_text", "harmless"]

_AWKWARD = np.frombuffer(b'",\r\n', np.uint8)
"""The characters that require quotes."""


def csv_text(table: pa.Table) -> memoryview:
    r"""Return the rows of a table as CSV in UTF-8.

    The bytes equal those of ``csv.writer(lineterminator="\n")``: cells are quoted only if necessary, and
    nulls are empty. One detail depends on the release of Python there, but not here: a cell with a carriage
    return is always quoted, because readers treat it as the end of a line.

    Args:
        table: One or more columns of strings, plain or dictionary-encoded, and of integers.
    """
    cells = [_cells(column.combine_chunks()) for column in table.columns]
    if len(cells) == 1:  # readers skip an empty line
        blank = pc.equal(pc.fill_null(cells[0], ""), "")
        cells = [pc.if_else(blank, '""', cells[0])]
    joined = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
    lines = pc.binary_join_element_wise(joined, "\n", "")
    return memoryview(lines.buffers()[2] if len(lines) else b"")


def _cells(column: pa.Array) -> pa.StringArray:
    """Return the text of each cell, quoted if necessary."""
    if pa.types.is_dictionary(column.type):
        return _quoted(column.dictionary).take(column.indices)
    return column.cast(pa.string()) if pa.types.is_integer(column.type) else _quoted(column)


def _quoted(texts: pa.StringArray) -> pa.StringArray:
    """Quote the texts that require it; most columns have none."""
    content = texts.buffers()[2]
    if content is None or not np.isin(np.frombuffer(content, np.uint8), _AWKWARD).any():
        return texts
    awkward = pc.fill_null(pc.match_substring_regex(texts, '[",\r\n]'), False)
    doubled = pc.replace_substring(texts.filter(awkward), '"', '""')
    return pc.replace_with_mask(texts, awkward, pc.binary_join_element_wise('"', doubled, '"', ""))


_CONTROL = r"[\x{0}-\x{1f}\x{7f}-\x{9f}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]"
"""Characters that control a terminal, or the direction of a text."""


def harmless(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return texts as they may be shown: in a spreadsheet none is a formula, and none controls a terminal.

    A control character is replaced by a blank. A text that a spreadsheet would take for a formula gets an apostrophe first.
    """
    shown = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, _CONTROL, " "))
    return pc.replace_substring_regex(shown, r"^([=+\-@])", r"'\1")
