"""Identifiers of taxa in sources, such as ``ncbi:2952``: which taxa of two taxonomies have the same one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column, Forest

__all__ = ["Identifiers", "SourceIds", "identifiers", "split_curies"]


@dataclass(frozen=True)
class Identifiers:
    """Identifiers with the same prefix.

    Attributes:
        prefix: The name of the source.
        ids: What follows the prefix and a colon.
        row: The row of the taxon of each.
        is_origin: Whether it is the first identifier of its taxon.
    """

    prefix: str
    ids: pa.Array
    row: Column
    is_origin: NDArray[np.bool_]


def split_curies(prefix: str, uid: pa.Array, sources: pa.Array) -> tuple[Column, pa.Array]:
    """Return all identifiers of records with the row of each; ``prefix:uid`` if ``sources`` is empty."""
    own = pc.binary_join_element_wise(prefix, uid, ":")
    lists = pc.split_pattern(pc.if_else(pc.equal(sources, ""), own, sources), ",")
    rows = pc.list_parent_indices(lists).to_numpy().astype(np.int32)
    return rows, pc.utf8_trim_whitespace(pc.list_flatten(lists))


def identifiers(forest: Forest) -> Iterator[Identifiers]:
    """Yield the identifiers of taxa, by prefix."""
    if not len(forest):
        return
    if not pc.any(pc.not_equal(forest.sources, "")).as_py():
        rows = np.arange(len(forest), dtype=np.int32)
        yield Identifiers(forest.prefix, forest.uid, rows, np.ones(len(rows), dtype=bool))
        return
    rows, curies = split_curies(forest.prefix, forest.uid, forest.sources)
    origin = np.append(True, rows[1:] != rows[:-1])
    parts = pc.split_pattern(curies, ":", max_splits=1)
    prefixes = pc.list_element(parts, 0).dictionary_encode()
    codes = prefixes.indices.to_numpy()
    for number, prefix in enumerate(prefixes.dictionary.to_pylist()):
        chosen = codes == number
        tails = pc.utf8_slice_codeunits(curies.filter(pa.array(chosen)), len(prefix) + 1)
        yield Identifiers(prefix, tails, rows[chosen], origin[chosen])


class SourceIds:
    """The taxa of identifiers."""

    def __init__(self) -> None:
        self._known: dict[str, list[Identifiers]] = defaultdict(list)

    @classmethod
    def of(cls, forest: Forest) -> SourceIds:
        """Return the identifiers of a taxonomy."""
        found = cls()
        for each in identifiers(forest):
            found.add(each)
        return found

    def add(self, some: Identifiers) -> None:
        """Add identifiers. An identifier that exists keeps its taxon."""
        self._known[some.prefix].append(some)

    def origins(self, source: Forest) -> Column:
        """Return for each record the taxon that has its first identifier, ``NONE`` if there is none."""
        found = np.full(len(source), NONE, dtype=np.int32)
        for wanted, rows, taxa, _ in self._shared(source):
            chosen = wanted.is_origin[rows]
            found[wanted.row[rows[chosen]]] = taxa[chosen]
        return found

    def shared(self, source: Forest) -> tuple[Column, Column, NDArray[np.bool_]]:
        """Return pairs of records and taxa with an identifier in common, and whether it is the origin of both."""
        parts = [
            (wanted.row[rows], taxa, wanted.is_origin[rows] & origin)
            for wanted, rows, taxa, origin in self._shared(source)
        ]
        empty = np.zeros(0, dtype=np.int32)
        columns = zip((empty, empty, np.zeros(0, dtype=bool)), *parts, strict=True)
        rows, taxa, origin = map(np.concatenate, columns)
        return rows, taxa, origin

    def _shared(
        self, source: Forest
    ) -> Iterator[tuple[Identifiers, NDArray[np.int64], Column, NDArray[np.bool_]]]:
        """Yield identifiers of a source, the positions of those that exist, their taxa, and whether they are origins."""
        for wanted in identifiers(source):
            open_ids = np.ones(len(wanted.ids), dtype=bool)
            for known in self._known.get(wanted.prefix, ()):
                places = pc.index_in(wanted.ids, value_set=known.ids).fill_null(NONE).to_numpy()
                hit = np.flatnonzero((places >= 0) & open_ids)
                open_ids[hit] = False
                yield wanted, hit, known.row[places[hit]], known.is_origin[places[hit]]
