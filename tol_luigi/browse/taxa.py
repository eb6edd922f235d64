"""The distinct names of a dataset: ranks and common name, in the order of their first occurrence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.files import committed
from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["NAMES", "TEXT", "TaxonTable", "distinct_rows", "write_table"]

NAMES = (*RANK_LABELS, "common")
"""The columns of a name."""

TEXT = "text"
"""The column in which names are searched, in lower case."""

_MARK, _ESCAPE = "\x1f", "\x1e"
"""What separates the parts of a key, and what escapes it in names."""


class TaxonTable:
    """Numbers names, and collects those that are new."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._new: list[pa.Table] = []

    def add(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return the number of the name of each row.

        Args:
            rows: The columns :data:`NAMES`.
        """
        codes, firsts = distinct_rows(rows)
        names = rows.take(pa.array(firsts))
        texts = {name: _plain(names[name]) for name in NAMES}
        keys = pc.binary_join_element_wise(*map(_escaped, texts.values()), _MARK).to_pylist()
        known = len(self._numbers)
        numbers = np.array([self._numbers.setdefault(key, len(self._numbers)) for key in keys], np.int64)
        is_new = numbers >= known
        # A name of several combinations of null and "" is new only once.
        _, first = np.unique(numbers[is_new], return_index=True)
        self._new.append(pa.table(texts).take(pa.array(np.flatnonzero(is_new)[first])))
        return numbers[codes]

    def write(self, path: Path) -> None:
        """Write the names, with the texts in which they are searched."""
        empty = pa.schema([(name, pa.string()) for name in NAMES]).empty_table()
        names = pa.concat_tables([empty, *self._new]).combine_chunks()
        lineage = _joined([names[rank] for rank in RANK_LABELS], " ")
        text = pc.utf8_lower(_joined([lineage, names["common"]], "\n"))
        encoded = {name: names[name].combine_chunks().dictionary_encode() for name in NAMES}
        write_table(path, pa.table({**encoded, TEXT: text}))


def distinct_rows(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for each row, from 0 and equal for equal rows of texts, and the first row of each number."""
    import pandas as pd  # noqa: PLC0415 (slow to import, and an index is made once)

    codes: Any = np.zeros(len(rows), np.int64)
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        values = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        codes, _ = pd.factorize(codes * (len(column.dictionary) + 1) + values)
    _, firsts = np.unique(codes, return_index=True)
    return codes, firsts


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table atomically as one batch of Arrow's IPC format, which is read without decoding."""
    whole = table.combine_chunks()
    with (
        committed(path) as scratch,
        pa.OSFile(str(scratch), "wb") as file,
        pa.ipc.new_file(file, whole.schema) as writer,
    ):
        writer.write_table(whole, max_chunksize=max(1, len(whole)))


def _plain(column: pa.ChunkedArray) -> pa.Array:
    return pc.fill_null(column.cast(pa.string()), "").combine_chunks()


def _escaped(column: pa.Array) -> pa.Array:
    escaped = pc.replace_substring(column, _ESCAPE, f"{_ESCAPE}1")
    return pc.replace_substring(escaped, _MARK, f"{_ESCAPE}2")


def _joined(columns: Iterable[pa.ChunkedArray], separator: str) -> pa.ChunkedArray:
    kind = pa.large_string()  # all texts together may exceed 2 GB
    return pc.binary_join_element_wise(*(column.cast(kind) for column in columns), pa.scalar(separator, kind))
