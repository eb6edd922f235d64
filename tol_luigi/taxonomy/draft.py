"""A taxonomy of a source while it is normalised: columns by row, and the repairs made so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.parent_links import UidIndex, natural_order
from tol_luigi.taxonomy.records import NAMES, REPAIRS, TAXA, Records, Repair

if TYPE_CHECKING:
    import numpy.typing as npt

    from tol_luigi.taxonomy.flags import Flag

__all__ = ["Draft", "RepairLog"]


class RepairLog:
    """Repairs as they are made."""

    def __init__(self, before: pa.Table) -> None:
        self._parts = [before.cast(REPAIRS)]

    def add(self, repair: Repair, uids: pa.Array, before: pa.Array | str, after: pa.Array | str = "") -> None:
        """Record one repair for each of some records, with the values before and after."""
        count = len(uids)
        if not count:
            return
        columns = [pa.repeat(value, count) if isinstance(value, str) else value for value in (before, after)]
        lines = pa.nulls(count, pa.int64())
        self._parts.append(pa.table([pa.repeat(repair.value, count), uids, lines, *columns], schema=REPAIRS))

    def contains(self, repair: Repair) -> set[tuple[str, str, str]]:
        """Return the records that have a repair, with the values before and after."""
        found = pa.concat_tables(self._parts).filter(pc.field("repair") == repair.value)
        return set(zip(*(found[name].to_pylist() for name in ("uid", "before", "after")), strict=True))

    def table(self) -> pa.Table:
        """Return all repairs in the order in which they were made."""
        return pa.concat_tables(self._parts).combine_chunks()


@dataclass
class Draft:
    """The columns of a source's taxa, in rows without repeated identifiers.

    Attributes:
        prefix: The prefix of the source.
        uids: The identifiers, in the order of the rows.
        index: The rows of the identifiers.
        parents: The rows of the parents, -1 for a root.
        names: The names.
        authorships: The authorships.
        ranks: The ranks.
        codes: The codes of nomenclature.
        parsed_codes: The codes that the names suggest.
        flags: The flags.
        sources: The identifiers in other sources.
        synonyms: The other names (``NAMES``).
        log: The repairs.
        given_parents: The identifiers of the parents, as the source has them.
    """

    prefix: str
    uids: pa.Array
    index: UidIndex
    parents: npt.NDArray[np.int64]
    names: pa.Array
    authorships: pa.Array
    ranks: pa.Array
    codes: pa.Array
    parsed_codes: pa.Array
    flags: npt.NDArray[np.uint32]
    sources: pa.Array
    synonyms: pa.Table
    log: RepairLog
    given_parents: pa.Array

    @staticmethod
    def of(records: Records, *, in_order: bool) -> Draft:
        """Return the draft of a source; parents are not looked up yet.

        Args:
            records: The source.
            in_order: Whether rows are sorted by their identifiers, so that the order of the input is of no importance.
        """
        log = RepairLog(records.repairs)
        taxa = _distinct(records.taxa.select(TAXA.names).combine_chunks(), log, in_order=in_order)
        columns = {name: taxa[name].combine_chunks() for name in TAXA.names}
        synonyms = records.names.select(NAMES.names)
        if in_order:
            synonyms = synonyms.sort_by([(name, "ascending") for name in NAMES.names])
        return Draft(
            prefix=records.prefix,
            uids=columns["uid"],
            index=UidIndex(columns["uid"]),
            parents=np.full(len(taxa), -1, np.int64),
            names=columns["name"],
            authorships=columns["authorship"],
            ranks=columns["rank"],
            codes=columns["code"],
            parsed_codes=columns["code"],
            flags=columns["flags"].to_numpy().astype(np.uint32),
            sources=columns["sources"],
            synonyms=synonyms.combine_chunks(),
            log=log,
            given_parents=columns["parent"],
        )

    def __len__(self) -> int:
        """Return the number of taxa."""
        return len(self.uids)

    def uids_of(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        """Return the identifiers of rows, null for row -1."""
        return self.uids.take(pa.array(rows, mask=rows < 0))

    def add_flags(self, mask: npt.NDArray[np.bool_], flag: Flag) -> npt.NDArray[np.bool_]:
        """Add a flag where a mask is true; return where it was not set before."""
        is_new: npt.NDArray[np.bool_] = mask & ((self.flags & np.uint32(flag)) == 0)
        self.flags = np.where(mask, self.flags | np.uint32(flag), self.flags)
        return is_new

    def replace(self, column: str, mask: npt.NDArray[np.bool_], values: pa.Array) -> None:
        """Replace the values of a column where a mask is true."""
        setattr(self, column, pc.replace_with_mask(getattr(self, column), pa.array(mask), values))

    def add_synonyms(self, uids: pa.Array, names: pa.Array, kind: str) -> None:
        """Add names without authorship to taxa."""
        count = len(uids)
        added = pa.table([uids, names, pa.repeat("", count), pa.repeat(kind, count)], schema=NAMES)
        self.synonyms = pa.concat_tables([self.synonyms, added]).combine_chunks()

    def taxa(self) -> pa.Table:
        """Return the taxa as a table ``TAXA``."""
        parents = self.uids_of(self.parents)
        columns = [
            self.uids,
            parents,
            self.names,
            self.authorships,
            self.ranks,
            self.codes,
            pa.array(self.flags),
            self.sources,
        ]
        return pa.table(columns, schema=TAXA)


def _distinct(taxa: pa.Table, log: RepairLog, *, in_order: bool) -> pa.Table:
    """Return the taxa with one row for each identifier; of several, the first in order of all columns, or in the file."""
    uids = taxa["uid"].combine_chunks()
    is_repeated = UidIndex(uids).has_repeats
    if is_repeated and in_order:
        taxa = taxa.sort_by([(name, "ascending") for name in TAXA.names])
        uids = taxa["uid"].combine_chunks()
    if is_repeated:
        is_first = UidIndex(uids).find(uids) == np.arange(len(taxa))
        others = taxa.filter(pa.array(~is_first))
        kept = taxa.filter(pa.array(is_first))
        places = pa.array(UidIndex(kept["uid"].combine_chunks()).find(others["uid"].combine_chunks()))
        after = kept["name"].combine_chunks().take(places)
        log.add(
            Repair.REPEATED_RECORD, others["uid"].combine_chunks(), others["name"].combine_chunks(), after
        )
        taxa, uids = kept, kept["uid"].combine_chunks()
    if in_order:
        order = natural_order(uids)
        if not np.array_equal(order, np.arange(len(order))):
            taxa = taxa.take(pa.array(order))
    return taxa
