"""What taxa of two releases have in common: the records of sources that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.products import Fate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Keys", "forwarded", "keys_of_sources", "keys_of_taxa"]


@dataclass(frozen=True)
class Keys:
    """Identifiers of records, and the taxa that they belong to.

    Attributes:
        keys: The identifiers, such as ``ncbi:2952``; the one that tells most about a taxon comes first.
        owners: The taxon of each, as a number that is not negative.
    """

    keys: pa.Array
    owners: NDArray[np.int64]

    def images(self, others: Keys, count: int) -> NDArray[np.int64]:
        """Return for each owner the owner that its first known identifier has in others, -1 if none is known.

        Args:
            others: The other identifiers; the first owner of an identifier is used.
            count: The number of owners here.
        """
        owners, found = self.pairs(others)
        result = np.full(count, -1, np.int64)
        who, first = np.unique(owners, return_index=True)
        result[who] = found[first]
        return result

    def pairs(self, others: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the owner here and there of each identifier that is known on both sides, in the order here."""
        encoded = others.keys.dictionary_encode()
        _, first = np.unique(encoded.indices.to_numpy(zero_copy_only=False), return_index=True)
        places = pc.index_in(self.keys, value_set=encoded.dictionary)
        is_known = places.is_valid().to_numpy(zero_copy_only=False)
        known = places.drop_null().to_numpy(zero_copy_only=False)
        return self.owners[is_known], others.owners[first[known]]

    def __add__(self, others: Keys) -> Keys:
        """Return these identifiers, followed by others."""
        keys = pa.concat_arrays([self.keys, others.keys])
        return Keys(keys, np.concatenate([self.owners, others.owners]))


def keys_of_taxa(xref: pa.Table, owner: str, taxa: pa.Array, names: pa.Array, origins: pa.Array) -> Keys:
    """Return the identifiers of all records that have become part of a taxon; owners are places in ``taxa``.

    The record that a taxon originates from comes first, the others follow in the order of the table. Some taxa
    originate from no record: those of the separation list, and those that a patch has made a synonym. The last
    identifiers of such a taxon are its name with its origin, and its name.

    Args:
        xref: The table of records, with the schema ``XREF`` of the products or of a union.
        owner: The column of the taxon.
        taxa: The value in this column for each taxon.
        names: The name of each taxon.
        origins: The first of the identifiers of each taxon, "" if there is none.
    """
    kept = xref.filter(xref[owner].is_valid())
    keys = _chunk(pc.binary_join_element_wise(kept["source"], kept["source_id"], ":"))
    owners = _chunk(pc.index_in(kept[owner], value_set=taxa)).to_numpy().astype(np.int64)
    others = pa.array([str(fate) for fate in (Fate.ALIGNED, Fate.FOLDED)])
    is_origin = pc.invert(pc.is_in(kept["fate"], value_set=others)).to_numpy()
    order = np.argsort(~is_origin, kind="stable")
    has_origin = np.zeros(len(taxa), np.bool_)
    has_origin[owners[is_origin]] = True
    named = np.flatnonzero(~has_origin)
    own, origin = (column.take(pa.array(named)) for column in (names, origins))
    by_origin = Keys(pc.binary_join_element_wise("", own, origin, ":"), named)
    by_name = Keys(pc.binary_join_element_wise("", own, ":"), named)
    return Keys(keys.take(pa.array(order)), owners[order]) + by_origin + by_name


def keys_of_sources(sources: pa.Array) -> Keys:
    """Return the identifiers of taxa in lists, one list per taxon; owners are the places of the lists."""
    lengths = pc.list_value_length(sources).to_numpy(zero_copy_only=False)
    owners = np.repeat(np.arange(len(sources)), lengths)
    return Keys(pc.list_flatten(sources), owners)


def forwarded(keys: Keys, forwards: pa.Table) -> Keys:
    """Return the identifiers that sources have given up, each owned by the taxon of its replacement.

    Args:
        keys: The identifiers in use.
        forwards: Columns ``source``, ``source_id`` and ``replacement``.
    """
    if not len(forwards):
        return Keys(pa.array([], pa.string()), np.empty(0, np.int64))
    given_up = pc.binary_join_element_wise(forwards["source"], forwards["source_id"], ":").to_pylist()
    replacement = pc.binary_join_element_wise(forwards["source"], forwards["replacement"], ":").to_pylist()
    table = dict(zip(given_up, replacement, strict=True))
    ends = pa.array([_end(key, table) for key in table], pa.string())
    owners = Keys(ends, np.arange(len(table))).images(keys, len(table))
    is_known = owners >= 0
    return Keys(pa.array([*table], pa.string()).filter(pa.array(is_known)), owners[is_known])


def _end(key: str, table: dict[str, str]) -> str:
    """Return the end of a chain of replacements; the last new one if the chain is a circle."""
    seen = {key}
    while (following := table.get(key)) is not None and following not in seen:
        seen.add(following)
        key = following
    return key


def _chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
