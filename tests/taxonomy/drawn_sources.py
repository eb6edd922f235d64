"""Small sources of taxonomies, by hand or drawn at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
from hypothesis import strategies as st

from tol_luigi.taxonomy.records import FORWARDS, NAMES, TAXA, VERNACULARS, Records
from tol_luigi.taxonomy.union import Union, build_union

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KINGDOMS", "SEPARATION", "Row", "rows", "source", "united"]

KINGDOMS = {"Metazoa": "Animalia", "Animalia": "Animalia", "Viridiplantae": "Plantae", "Plantae": "Plantae"}


class Row(NamedTuple):
    """A record of a source."""

    uid: str
    parent: str
    name: str
    rank: str = ""
    synonyms: tuple[str, ...] = ()
    english: tuple[str, ...] = ()
    flags: int = 0


def source(prefix: str, *given: Row, given_up: Sequence[tuple[str, str]] = ()) -> Records:
    """Return a source with these records; ``given_up`` are ids with their replacements."""
    taxa = [
        {
            "uid": row.uid,
            "parent": row.parent or None,
            "name": row.name,
            "authorship": "",
            "rank": row.rank,
            "code": "",
            "flags": row.flags,
            "sources": "",
        }
        for row in given
    ]
    names = [
        {"uid": row.uid, "name": name, "authorship": "", "type": "synonym"}
        for row in given
        for name in row.synonyms
    ]
    vernaculars = [
        {"uid": row.uid, "name": name, "language": "en", "is_preferred": not place}
        for row in given
        for place, name in enumerate(row.english)
    ]
    forwards = [{"uid": old, "replacement": new} for old, new in given_up]
    return Records(
        prefix,
        pa.Table.from_pylist(taxa, TAXA),
        pa.Table.from_pylist(names, NAMES),
        pa.Table.from_pylist(vernaculars, VERNACULARS),
        pa.Table.from_pylist(forwards, FORWARDS),
    )


SEPARATION = source(
    "separation", Row("1", "", "life"), Row("2", "1", "Metazoa"), Row("3", "1", "Viridiplantae")
)


def united(*given: Records) -> Union:
    """Return the union of sources, the one with the highest priority first."""
    return build_union(given, SEPARATION)


@st.composite
def rows(draw: st.DrawFn, most: int = 8) -> tuple[Row, ...]:
    """Draw the records of a source with few names, so that names repeat, and rows in any order."""
    name = st.sampled_from(["Aus", "Bus", "Cus", "Aus bus", "Aus ba", "Bus bus", "Metazoa", "Viridiplantae"])
    rank = st.sampled_from(["", "kingdom", "class", "family", "genus", "species"])
    drawn: list[Row] = []
    for uid in draw(st.lists(st.integers(1, 20), min_size=1, max_size=most, unique=True)):
        parent = draw(st.sampled_from(["", *(row.uid for row in drawn)]))
        drawn.append(
            Row(str(uid), parent, draw(name), draw(rank), draw(st.sampled_from([(), ("Dus",), ("Aus",)])))
        )
    return tuple(draw(st.permutations(drawn)))
