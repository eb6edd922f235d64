"""Tables as CSV, column by column: no Python object is made of a cell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["csv_text"]

_AWKWARD = np.frombuffer(b'",\r\n', np.uint8)
"""What a cell is quoted for."""


def csv_text(table: pa.Table) -> memoryview:
    r"""Write the rows of a table as CSV in UTF-8.

    These are the bytes of ``csv.writer(lineterminator="\n")``: cells are quoted where they must be, nulls are empty.
    One thing does not depend on the release of Python as it does there: a carriage return is always quoted, as
    readers take it for the end of a line.

    Args:
        table: Columns of texts, plain or dictionary-encoded, and of whole numbers; one at least.
    """
    cells = [_cells(column.combine_chunks()) for column in table.columns]
    if len(cells) == 1:  # of which an empty line would say nothing
        blank = pc.equal(pc.fill_null(cells[0], ""), "")
        cells = [pc.if_else(blank, '""', cells[0])]
    joined = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
    lines = pc.binary_join_element_wise(joined, "\n", "")
    return memoryview(lines.buffers()[2] if len(lines) else b"")


def _cells(column: pa.Array) -> pa.StringArray:
    """Give the text of each cell, quoted where it must be."""
    if pa.types.is_dictionary(column.type):
        return _quoted(column.dictionary).take(column.indices)
    return column.cast(pa.string()) if pa.types.is_integer(column.type) else _quoted(column)


def _quoted(texts: pa.StringArray) -> pa.StringArray:
    """Quote the texts that must be; in most columns that is none."""
    content = texts.buffers()[2]
    if content is None or not np.isin(np.frombuffer(content, np.uint8), _AWKWARD).any():
        return texts
    awkward = pc.fill_null(pc.match_substring_regex(texts, '[",\r\n]'), False)
    doubled = pc.replace_substring(texts.filter(awkward), '"', '""')
    return pc.replace_with_mask(texts, awkward, pc.binary_join_element_wise('"', doubled, '"', ""))
