"""A taxonomy as columns: one array per property, one place per taxon."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import SourceError
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS as INCERTAE_SEDIS_KINDS
from tol_luigi.taxonomy.flags import TOMBSTONES, Flag
from tol_luigi.taxonomy.ranks import LEVELS
from tol_luigi.taxonomy.records import Code
from tol_luigi.taxonomy.tree import NONE, Groups, Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.name_table import NameTable
    from tol_luigi.taxonomy.products import ReferenceTables
    from tol_luigi.taxonomy.records import Records

    Column = NDArray[np.int32]

__all__ = ["CODES", "RANKS", "Forest", "Synonyms", "codes_of", "is_placed", "levels_of"]

RANKS = ("", *LEVELS)
"""The ranks by their number: ``LEVELS`` has ten times as much, and 0 is no rank."""

CODES = tuple(Code)
"""The nomenclatural codes by their number; 0 is unknown."""


def levels_of(ranks: pa.Array | pa.ChunkedArray) -> NDArray[np.int16]:
    """Return the levels of ranks, 0 for those that are not known."""
    numbers = pc.index_in(ranks, value_set=pa.array(RANKS)).fill_null(0)
    return np.asarray(numbers.to_numpy(), dtype=np.int16) * 10


def codes_of(codes: pa.Array | pa.ChunkedArray) -> NDArray[np.int8]:
    """Return the numbers of nomenclatural codes."""
    numbers = pc.index_in(codes, value_set=pa.array([str(code) for code in CODES])).fill_null(0)
    return np.asarray(numbers.to_numpy(), dtype=np.int8)


def is_placed(flags: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return which taxa have a known place below their parent and are no tombstones."""
    return np.asarray((flags & np.uint32(INCERTAE_SEDIS_KINDS | TOMBSTONES)) == 0)


@dataclass(frozen=True)
class Synonyms:
    """The further names of taxa, one place per name."""

    row: Column
    name: Column
    authorship: Column
    kind: Column

    @classmethod
    def none(cls) -> Synonyms:
        """Return no names."""
        return cls(*(np.zeros(0, dtype=np.int32) for _ in range(4)))


@dataclass(frozen=True)
class Forest:
    """A taxonomy as columns.

    Attributes:
        prefix: The prefix of its identifiers.
        names: The table in which the numbers of texts are found.
        uid: The identifiers.
        tree: The parents, and what follows from them.
        name: The numbers of the names.
        authorship: The numbers of the authorships.
        rank: The levels of the ranks, 0 if there is none.
        code: The numbers of the nomenclatural codes (``CODES``).
        flags: The flags.
        sources: The identifiers in other sources, as in ``records.TAXA``.
        synonyms: The further names.
    """

    prefix: str
    names: NameTable
    uid: pa.Array
    tree: Tree
    name: Column
    authorship: Column
    rank: NDArray[np.int16]
    code: NDArray[np.int8]
    flags: NDArray[np.uint32]
    sources: pa.Array
    synonyms: Synonyms = field(default_factory=Synonyms.none)

    def __len__(self) -> int:
        """Return the number of taxa."""
        return len(self.tree)

    @classmethod
    def of(cls, records: Records, names: NameTable) -> Forest:
        """Return the taxonomy of a source, in order of its identifiers, whatever the order of its records.

        Raises:
            SourceError: A record has a parent that does not exist, or is its own ancestor.
        """
        taxa = records.taxa.take(_order(records.taxa["uid"]))
        uid = taxa["uid"].combine_chunks()
        return cls(
            prefix=records.prefix,
            names=names,
            uid=uid,
            tree=_tree(records.prefix, uid, taxa["parent"]),
            name=names.intern(taxa["name"]),
            authorship=names.intern(taxa["authorship"]),
            rank=levels_of(taxa["rank"]),
            code=codes_of(taxa["code"]),
            flags=taxa["flags"].to_numpy().astype(np.uint32),
            sources=taxa["sources"].combine_chunks(),
            synonyms=_synonyms(uid, records.names, names, "uid"),
        )

    @classmethod
    def of_tables(cls, tables: ReferenceTables, names: NameTable, prefix: str = "tol") -> Forest:
        """Return a finished reference taxonomy, its names with all their types."""
        taxa = tables.taxa.take(pc.sort_indices(tables.taxa["tol_id"]))
        uid = taxa["tol_id"].combine_chunks()
        others = tables.names.filter(pc.not_equal(tables.names["type"], "accepted"))
        return cls(
            prefix=prefix,
            names=names,
            uid=uid.cast(pa.string()),
            tree=_tree(prefix, uid, taxa["parent"]),
            name=names.intern(taxa["name"]),
            authorship=names.intern(taxa["authorship"]),
            rank=levels_of(taxa["rank"]),
            code=codes_of(taxa["code"]),
            flags=taxa["flags"].to_numpy().astype(np.uint32),
            sources=taxa["sources"].combine_chunks(),
            synonyms=_synonyms(uid, others, names, "tol_id"),
        )

    @cached_property
    def is_placed(self) -> NDArray[np.bool_]:
        """Whether the place of a taxon below its parent is known, and it is no tombstone."""
        return is_placed(self.flags)

    @cached_property
    def is_informal(self) -> NDArray[np.bool_]:
        """Whether the name of a taxon is one that other sources cannot have."""
        return np.asarray((self.flags & np.uint32(Flag.INFORMAL)) != 0)

    @cached_property
    def is_container(self) -> NDArray[np.bool_]:
        """Whether a taxon is an empty container."""
        return np.asarray(((self.flags & np.uint32(Flag.WAS_CONTAINER)) != 0) & self.tree.is_tip)

    @cached_property
    def named(self) -> tuple[Column, Column]:
        """All names, and the row of the taxon of each: names of taxa first, then synonyms; no informal ones."""
        rows = np.concatenate([np.arange(len(self), dtype=np.int32), self.synonyms.row])
        keep = ~self.is_informal[rows]
        return np.concatenate([self.name, self.synonyms.name])[keep], rows[keep]

    @cached_property
    def by_name(self) -> Groups:
        """The rows of the taxa that have a name, by the number of the name."""
        name, rows = self.named
        return Groups.of(name, rows, len(self.names))

    def knows(self, count: int) -> NDArray[np.bool_]:
        """Return for the first ``count`` names of the table whether a taxon has it."""
        known = np.zeros(count, dtype=bool)
        known[self.named[0]] = True
        return known


def _order(uid: pa.ChunkedArray) -> pa.Array:
    """Return the order of identifiers: that of numbers if they are numbers, else short ones first."""
    try:
        numbers = uid.cast(pa.int64())
    except pa.ArrowInvalid:
        numbers = None
    if numbers is not None and uid.equals(numbers.cast(pa.string())):
        return pc.sort_indices(numbers)
    keys = pa.table({"length": pc.binary_length(uid), "uid": uid})
    return pc.sort_indices(keys, sort_keys=[("length", "ascending"), ("uid", "ascending")])


def _tree(prefix: str, uid: pa.Array, parents: pa.ChunkedArray) -> Tree:
    """Return the tree of taxa and the identifiers of their parents."""
    found = pc.index_in(parents, value_set=uid)
    lost = pc.and_(parents.is_valid(), found.is_null())
    if pc.any(lost).as_py():
        child, parent = uid.filter(lost.combine_chunks())[0], parents.filter(lost)[0]
        raise SourceError(
            prefix, f"record {child} has the parent {parent}, which does not exist", "Normalise it"
        )
    tree = Tree(np.array(found.fill_null(NONE).to_numpy(), dtype=np.int32))
    if len(tree) and tree.depth.min() < 0:
        child = uid[int(np.argmin(tree.depth))]
        raise SourceError(prefix, f"record {child} is its own ancestor", "Normalise the source first")
    return tree


def _synonyms(uid: pa.Array, others: pa.Table, names: NameTable, key: str) -> Synonyms:
    """Return further names, in order of their taxon, their text and their type."""
    rows = pc.index_in(others[key], value_set=uid)
    columns = pa.table(
        [rows, others["name"], others["authorship"], others["type"]], ["row", "name", "by", "type"]
    )
    columns = columns.filter(rows.is_valid())
    columns = columns.sort_by([(name, "ascending") for name in columns.column_names])
    return Synonyms(
        row=columns["row"].to_numpy().astype(np.int32),
        name=names.intern(columns["name"]),
        authorship=names.intern(columns["by"]),
        kind=names.intern(columns["type"]),
    )
