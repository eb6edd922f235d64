"""The records of a source that its normalisation has removed, because another record of the source is the same taxon."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.records import Repair

__all__ = ["KEPT", "kept_ids", "removed_records"]

KEPT = "kept"

_REMOVED = (Repair.REPEATED_RECORD, Repair.REPEATED_SIBLING)


def kept_ids(repairs: pa.Table) -> pa.Array:
    """Return for each repair the identifier of its record, or of the record that this one was folded into."""
    uids = repairs["uid"].combine_chunks()
    folded = repairs.filter(pc.equal(repairs["repair"], Repair.REPEATED_SIBLING.value))
    places = pc.index_in(uids, value_set=folded["uid"].combine_chunks())
    return pc.coalesce(folded["after"].combine_chunks().take(places), uids)


def removed_records(repairs: pa.Table) -> pa.Table:
    """Return the records that were removed: their repairs, with the identifier of the kept record as ``KEPT``."""
    kinds = pa.array([kind.value for kind in _REMOVED])
    every = repairs.append_column(KEPT, kept_ids(repairs))
    return every.filter(pc.is_in(every["repair"], value_set=kinds))
