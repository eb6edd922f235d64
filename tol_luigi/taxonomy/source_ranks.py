"""The seven ranks that sources themselves give to taxa of a union."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.projection import KINGDOM, kingdoms_of, project, stands_for_kingdom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.records import Records

__all__ = ["SourceRanks"]


@dataclass(frozen=True)
class SourceRanks:
    """The records of a source, in its order.

    Attributes:
        prefix: The prefix of the source.
        uid: The id of each record.
        names: The name of each record.
        taxon: The place of the taxon that each has become part of, -1 if there is none.
        nearest: For each label of a rank, the nearest record of this rank, the record itself or above it; -1 for none.
        kingdoms: The kingdom that each name stands for.
    """

    prefix: str
    uid: pa.Array
    names: pa.Array
    taxon: NDArray[np.int64]
    nearest: Mapping[str, NDArray[np.int32]]
    kingdoms: Mapping[str, str]

    @classmethod
    def of(
        cls, records: Records, xref: pa.Table, owner: str, taxa: pa.Array, kingdoms: Mapping[str, str]
    ) -> SourceRanks:
        """Return the ranks of a source.

        Args:
            records: The source.
            xref: The table of the records of all sources.
            owner: Its column of taxa.
            taxa: The value in this column for each taxon.
            kingdoms: The kingdom that each name stands for.
        """
        uid = records.taxa["uid"].combine_chunks()
        own = xref.filter(pc.and_(pc.equal(xref["source"], records.prefix), xref[owner].is_valid()))
        row = pc.index_in(uid, value_set=own["source_id"].combine_chunks())
        place = pc.index_in(own[owner].combine_chunks().take(row), value_set=taxa)
        parent = pc.index_in(records.taxa["parent"].combine_chunks(), value_set=uid)
        names, ranks = (records.taxa[name].combine_chunks() for name in ("name", "rank"))
        projection = project(
            _rows(parent),
            ranks,
            records.taxa["flags"].to_numpy(),
            kingdoms=stands_for_kingdom(names, ranks, kingdoms),
        )
        return cls(records.prefix, uid, names, _rows(place), projection.nearest, kingdoms)

    def sorted_by_taxon(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the order of some records by taxon and then by id, whatever the order of the source."""
        keys = pa.table({"taxon": self.taxon[rows], "uid": self.uid.take(pa.array(rows))})
        order: NDArray[np.int64] = pc.sort_indices(
            keys, sort_keys=[("taxon", "ascending"), ("uid", "ascending")]
        ).to_numpy()
        return order

    def first_records(self, wanted: NDArray[np.bool_], labels: Sequence[str]) -> NDArray[np.int64]:
        """Return the first record of each taxon that has one of some ranks, in order of the taxa.

        Args:
            wanted: Which taxa to look for.
            labels: The ranks.
        """
        has_rank = np.zeros(len(self.taxon), np.bool_)
        for label in labels:
            has_rank |= self.nearest[label] >= 0
        rows = np.flatnonzero(has_rank & (self.taxon >= 0))
        rows = rows[wanted[self.taxon[rows]]]
        rows = rows[self.sorted_by_taxon(rows)]
        first: NDArray[np.int64] = rows[np.unique(self.taxon[rows], return_index=True)[1]]
        return first

    def names_at(self, rows: NDArray[np.int64], label: str) -> tuple[pa.Array, NDArray[np.int64]]:
        """Return the names of records at a rank, "" for none, and the taxa that these names have become, -1 for none."""
        above = self.nearest[label][rows]
        names = pc.fill_null(self.names.take(pa.array(above, mask=above < 0)), "")
        if label == KINGDOM:
            names = kingdoms_of(names, self.kingdoms)
        return names, np.where(above >= 0, self.taxon[above], -1)


def _rows(places: pa.Array) -> NDArray[np.int64]:
    """Return places as rows, -1 for null."""
    rows: NDArray[np.int64] = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return rows
