"""A union built by hand: the columns that an alignment and a merge would give."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from tol_luigi.taxonomy import products, union
from tol_luigi.taxonomy.flags import Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["KINGDOMS", "LIFE", "Taxon", "Union", "named_rows", "trees"]

KINGDOMS = {"Metazoa": "Animalia", "Viridiplantae": "Plantae", "Archaeplastida": "Plantae", "Fungi": "Fungi"}


class Taxon(NamedTuple):
    """A taxon: its first identifier, that of its parent, and the rest."""

    origin: str
    parent: str
    name: str
    rank: str = ""
    flags: int = 0
    others: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


LIFE = (
    Taxon("sep:1", "", "life"),
    Taxon("sep:2", "sep:1", "Metazoa", "kingdom"),
    Taxon("a:3", "sep:2", "Mollusca", "phylum"),
    Taxon("a:4", "a:3", "Ficidae", "family"),
    Taxon("a:5", "a:4", "Ficus", "genus"),
    Taxon("a:6", "a:5", "Ficus variegata", "species", others=("b:60",)),
    Taxon("sep:7", "sep:1", "Archaeplastida"),
    Taxon("a:8", "sep:7", "Tracheophyta", "phylum"),
    Taxon("a:9", "a:8", "Rosales", "order"),
    Taxon("a:10", "a:9", "Ficus", "genus", synonyms=("Sycomorus",)),
    Taxon("a:11", "a:10", "Ficus variegata", "species", synonyms=("Ficus garciae",)),
    Taxon("b:12", "a:10", "Sycomorus", "genus", int(Flag.MERGED)),
    Taxon("b:13", "a:4", "Ficopsis", "genus", int(Flag.EXTINCT)),
)


@dataclass(frozen=True)
class Union:
    """The columns of a union, with the names that :class:`tol_luigi.taxonomy.union.Union` has."""

    taxa: Sequence[Taxon]
    dropped: Sequence[tuple[str, str, str]] = ()
    """Further records: identifier, name and fate."""
    given_up: Sequence[tuple[str, str, str]] = ()
    vernacular_names: Sequence[tuple[str, str, str, bool]] = ()
    """Identifier of the taxon, name, language, and whether it is preferred."""

    def __len__(self) -> int:
        return len(self.taxa)

    def _row(self, origin: str) -> int:
        return [taxon.origin for taxon in self.taxa].index(origin)

    @property
    def parent(self) -> NDArray[np.int32]:
        rows = {taxon.origin: row for row, taxon in enumerate(self.taxa)}
        return np.array([rows.get(taxon.parent, -1) for taxon in self.taxa], np.int32)

    @property
    def name(self) -> pa.Array:
        return pa.array([taxon.name for taxon in self.taxa], pa.string())

    @property
    def rank(self) -> pa.Array:
        return pa.array([taxon.rank for taxon in self.taxa], pa.string())

    @property
    def flags(self) -> NDArray[np.uint32]:
        return np.array([taxon.flags for taxon in self.taxa], np.uint32)

    @property
    def code(self) -> pa.Array:
        return pa.array([""] * len(self.taxa), pa.string())

    @property
    def authorship(self) -> pa.Array:
        return pa.array([""] * len(self.taxa), pa.string())

    @property
    def sources(self) -> pa.Array:
        return pa.array([[taxon.origin, *taxon.others] for taxon in self.taxa], pa.list_(pa.string()))

    @property
    def synonyms(self) -> pa.Table:
        rows = [
            {"taxon": row, "name": name, "authorship": "", "type": "synonym", "source": "a"}
            for row, taxon in enumerate(self.taxa)
            for name in taxon.synonyms
        ]
        return pa.Table.from_pylist(rows, union.SYNONYMS)

    @property
    def xref(self) -> pa.Table:
        fates = {int(Flag.MERGED): "absorbed", int(Flag.INCONSISTENT): "inconsistent"}
        rows = [
            _record(identifier, taxon.name, row, "aligned" if place else fates.get(taxon.flags, "new"))
            for row, taxon in enumerate(self.taxa)
            for place, identifier in enumerate((taxon.origin, *taxon.others))
        ]
        rows += [_record(identifier, name, None, fate) for identifier, name, fate in self.dropped]
        return pa.Table.from_pylist(rows, union.XREF)

    @property
    def conflicts(self) -> pa.Table:
        return products.CONFLICTS.empty_table()

    @property
    def vernaculars(self) -> pa.Table:
        rows = [
            {
                "taxon": self._row(origin),
                "name": name,
                "language": language,
                "source": origin.partition(":")[0],
                "rank": "species",
                "is_preferred": is_preferred,
            }
            for origin, name, language, is_preferred in self.vernacular_names
        ]
        return pa.Table.from_pylist(rows, union.VERNACULARS)

    @property
    def forwards(self) -> pa.Table:
        schema = pa.schema([(name, pa.string()) for name in ("source", "source_id", "replacement")])
        columns = zip(*self.given_up, strict=True) if self.given_up else [[], [], []]
        return pa.table([pa.array(list(column), pa.string()) for column in columns], schema=schema)


def _record(identifier: str, name: str, taxon: int | None, fate: str) -> dict[str, Any]:
    source, _, source_id = identifier.partition(":")
    return {
        "source": source,
        "source_id": source_id,
        "name": name,
        "rank": "",
        "taxon": taxon,
        "fate": fate,
        "reason": "ambiguous tip" if fate == "dropped" else "none",
        "score": None,
        "witness": "",
    }


def named_rows(table: pa.Table, *names: str) -> set[tuple[Any, ...]]:
    """Return some columns of a table as a set of rows."""
    return set(zip(*(table[name].to_pylist() for name in names), strict=True))


@st.composite
def trees(draw: st.DrawFn, most: int = 12) -> tuple[Taxon, ...]:
    """Draw the taxa of a union: each record is part of one taxon, and names may repeat."""
    names = st.sampled_from(["Aus", "Bus", "Cus", "Aus bus", "Aus ba", "Dus"])
    ranks = st.sampled_from(["", "kingdom", "class", "family", "genus", "species"])
    records = draw(st.permutations([f"{prefix}:{number}" for prefix in "abc" for number in range(most)]))
    size = draw(st.integers(1, most))
    cuts = sorted(draw(st.sets(st.integers(1, len(records) - 1), min_size=size, max_size=size)))
    taxa: list[Taxon] = []
    for start, end in zip([0, *cuts], cuts, strict=False):
        parent = draw(st.sampled_from([taxon.origin for taxon in taxa])) if taxa else ""
        origin, *others = records[start:end]
        taxa.append(Taxon(origin, parent, draw(names), draw(ranks), others=tuple(others)))
    counted = Counter(key for taxon in taxa for key in (taxon.origin, *taxon.others))
    assert max(counted.values()) == 1
    return tuple(taxa)
