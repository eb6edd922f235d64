"""Find the rows of a query in an index, and count them by kind and by taxon."""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.browse.image_ids import as_words, id_range, is_between
from tol_luigi.browse.taxa import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tol_luigi.browse.image_ids import Numbers
    from tol_luigi.browse.index import Index
    from tol_luigi.browse.query import Query

__all__ = ["RowNumbers", "Search"]

RowNumbers: TypeAlias = "range | NDArray[np.int32]"
"""Rows in order; a range where all are found, which takes no memory."""

_MAX_BYTES = 256 * 2**20
"""Memory for the rows of recent queries. The rows of ten million images take 40 MB."""

_CAN_BE_FILE = re.compile(r"[0-9./_]")
"""What file names and keys contain: without any of it, a text that is no name is not looked for in the mapping."""

_MOST_TAXA = 200
"""The most taxa of a rank that are counted by name."""


class Search:
    """Queries of one dataset. Threads may share it.

    Args:
        index: The index of the dataset.
        condition: Returns the rows of the catalog that meet a condition, in order.
        only_here: Returns whether the image of each of these rows has a sample here, and none in the other dataset.
        files: Returns the ids of the images that have a file name or a natural key.
    """

    def __init__(
        self,
        index: Index,
        condition: Callable[[str], Numbers],
        only_here: Callable[[RowNumbers], NDArray[np.bool_]],
        files: Callable[[str], list[str]],
    ) -> None:
        self._index, self._condition, self._only_here, self._files = index, condition, only_here, files
        self._found: OrderedDict[tuple[str, Query], RowNumbers] = OrderedDict()
        self._lock = threading.Lock()

    def rows(self, query: Query) -> RowNumbers:
        """Return the rows of a query, in the order of the catalog, then of the ledgers.

        Raises:
            TolError: The condition is wrong.
        """
        with self._lock:
            return self._remembered("rows", query, self._rows)

    def counts(self, query: Query) -> dict[str, Any]:
        """Count the images of a query by split, source, state, and taxon of the next rank.

        The counts of the splits ignore which split the query asks for, and so on. The counts of sources and
        states do not repeat the images of a small split.
        """
        with self._lock:
            found = self._remembered("rows", query, self._rows)
            everything = self._remembered("matching", query.without_kinds(), self._matching)
        kinds = self._index.kinds
        by_kind = np.bincount(self._at(self._index.kind, everything), minlength=len(kinds)).tolist()
        counts: dict[str, Any] = {}
        for part in ("split", "source", "state"):
            counter: Counter[str] = Counter()
            for kind, count in zip(kinds, by_kind, strict=True):
                if count and query.admits(kind, but=part):
                    counter[getattr(kind, part)] += count
            counts[part] = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
        rank = query.next_rank
        counts["rank"] = rank
        counts["taxa"], counts["other_taxa"] = self._by_taxon(rank, found) if rank else ([], 0)
        return counts

    def _by_taxon(self, rank: str, rows: RowNumbers) -> tuple[list[tuple[str, int]], int]:
        names = self._index.taxa[rank].combine_chunks()
        per_name = np.bincount(self._at(self._index.taxon, rows), minlength=len(names))
        codes = names.indices.to_numpy(zero_copy_only=False)
        sums = np.bincount(codes, weights=per_name, minlength=len(names.dictionary)).astype(np.int64)
        used = np.flatnonzero(sums)
        largest = used[np.argsort(-sums[used], kind="stable")][:_MOST_TAXA]
        texts = names.dictionary.take(pa.array(largest)).to_pylist()
        return list(zip(texts, sums[largest].tolist(), strict=True)), max(0, len(used) - _MOST_TAXA)

    def _remembered(self, what: str, query: Query, compute: Callable[[Query], RowNumbers]) -> RowNumbers:
        """Return the rows of a query, from memory if they were computed recently."""
        key = what, query
        if key not in self._found:
            self._found[key] = compute(query)
        self._found.move_to_end(key)
        while sum(map(_bytes, self._found.values())) > _MAX_BYTES and len(self._found) > 1:
            self._found.popitem(last=False)
        return self._found[key]

    def _rows(self, query: Query) -> RowNumbers:
        rows = self._remembered("matching", query.without_kinds(), self._matching)
        admitted = np.array([query.admits(kind) for kind in self._index.kinds], bool)
        return rows if admitted.all() else self._those(rows, admitted, self._index.kind)

    def _matching(self, query: Query) -> RowNumbers:
        """Return the rows of a query of all splits, sources and states, repeated samples included."""
        rows = self._candidates(query)
        if query.lineage:
            rows = self._those(rows, self._in_lineage(query), self._index.taxon)
        if query.only:
            rows = np.asarray(rows, np.int32)[self._only_here(rows)]
        return rows

    def _candidates(self, query: Query) -> RowNumbers:
        """Return the rows that meet the text and the condition."""
        index = self._index
        rows: RowNumbers = range(index.rows)
        if query.where:
            rows = self._condition(query.where).astype(np.int32)
        if not query.text:
            return rows
        if (bounds := id_range(query.text)) and len(by_id := self._by_id(*bounds)):
            return by_id if isinstance(rows, range) else np.intersect1d(rows, by_id)
        names = self._named(query.text.lower())
        if not names.any():
            by_file = self._by_file(query.text)
            return by_file if isinstance(rows, range) else np.intersect1d(rows, by_file)
        return self._those(rows, names, index.taxon)

    def _by_file(self, text: str) -> NDArray[np.int32]:
        """Return the rows of images with a file name or a natural key; of those without a sample, also of a part of it."""
        found = (
            [self._by_id(image, image) for image in self._files(text)] if _CAN_BE_FILE.search(text) else []
        )
        return np.unique(np.concatenate([*found, self._index.rejected_rows(text)])).astype(np.int32)

    def _by_id(self, low: str, high: str) -> NDArray[np.int32]:
        """Return the rows with ids in a range, those of repeated samples as well."""
        bounds = as_words(pa.array([low, high]))
        rows = self._index.by_id.between(*bounds)
        repeats = self._index.repeated_rows
        again = repeats[is_between(self._index.ids[repeats], *bounds)]
        return np.union1d(rows, again).astype(np.int32)

    def _named(self, text: str) -> NDArray[np.bool_]:
        """Return whether each name contains a text."""
        return np.asarray(pc.match_substring(self._index.taxa[TEXT], text), bool)

    def _in_lineage(self, query: Query) -> NDArray[np.bool_]:
        """Return whether each name is in the taxon of a query."""
        taxa = self._index.taxa
        wanted = np.ones(len(taxa), bool)
        for rank, name in query.lineage:
            column = taxa[rank].combine_chunks()
            code = pc.index(column.dictionary, name).as_py()
            wanted &= column.indices.to_numpy(zero_copy_only=False) == code
        return wanted

    def _those(self, rows: RowNumbers, wanted: NDArray[np.bool_], column: Any) -> NDArray[np.int32]:  # noqa: ANN401
        """Return the rows with wanted values in a column of numbers."""
        if isinstance(rows, range):
            return np.flatnonzero(wanted[column]).astype(np.int32)
        return np.asarray(rows[wanted[column[rows]]])

    @staticmethod
    def _at(column: Any, rows: RowNumbers) -> Any:  # noqa: ANN401 (columns of any number)
        return column if isinstance(rows, range) else column[rows]


def _bytes(rows: RowNumbers) -> int:
    return 0 if isinstance(rows, range) else rows.nbytes
