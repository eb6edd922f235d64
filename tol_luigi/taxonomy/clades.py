"""Parts of sources: a clade may have another priority than the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import SourceError
from tol_luigi.taxonomy.divisions import most_rootward
from tol_luigi.taxonomy.forest import Forest
from tol_luigi.taxonomy.name_table import NameTable
from tol_luigi.taxonomy.removed_records import kept_ids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.records import Records

__all__ = ["only_clades", "without_clades"]


def only_clades(records: Records, clades: Iterable[str]) -> Records:
    """Return the taxa at or below some taxa, given by their names. These taxa become roots.

    Of several taxa with a name, the one nearest to the root that is no genus is meant.

    Raises:
        SourceError: No taxon has a name, or two are equally near to the root.
    """
    uid, inside = _inside(records, clades)
    return _restricted(records, uid.filter(pa.array(inside)), others=False)


def without_clades(records: Records, clades: Iterable[str]) -> Records:
    """Return the taxa that are not at or below some taxa, given by their names.

    With :func:`only_clades`, each taxon, synonym and repair of the source is in one of both.

    Raises:
        SourceError: No taxon has a name, or two are equally near to the root.
    """
    uid, inside = _inside(records, clades)
    return _restricted(records, uid.filter(pa.array(inside)), others=True)


def _inside(records: Records, clades: Iterable[str]) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return all identifiers, and which taxa are at or below the named ones."""
    names = NameTable()
    forest = Forest.of(records, names)
    tree, inside = forest.tree, np.zeros(len(forest), dtype=bool)
    for clade in clades:
        number = int(names.find(pa.array([clade]))[0])
        row = most_rootward(forest, number) if number >= 0 else None
        if row is None:
            problem = f"no taxon, or more than one, is the clade {clade!r}"
            raise SourceError(records.prefix, problem, "Name another clade in the settings")
        inside |= (tree.pre >= tree.pre[row]) & (tree.pre < tree.pre[row] + tree.size[row])
    return forest.uid, inside


def _restricted(records: Records, clade: pa.Array, *, others: bool) -> Records:
    """Return the parts of the tables that are on the taxa of a clade, or on all others."""

    def chosen(table: pa.Table, keys: str | pa.Array) -> pa.Table:
        inside = pc.is_in(table[keys] if isinstance(keys, str) else keys, value_set=clade)
        return table.filter(pc.invert(inside) if others else inside)

    taxa = chosen(records.taxa, "uid")
    parent = pc.if_else(pc.is_in(taxa["parent"], value_set=taxa["uid"]), taxa["parent"], None)
    place = taxa.column_names.index("parent")
    return replace(
        records,
        taxa=taxa.set_column(place, taxa.schema.field(place), parent),
        names=chosen(records.names, "uid"),
        vernaculars=chosen(records.vernaculars, "uid"),
        forwards=chosen(records.forwards, "replacement"),
        repairs=chosen(records.repairs, kept_ids(records.repairs)),
    )
