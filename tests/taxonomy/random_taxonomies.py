"""Random taxonomies for laws: few names, so that homonyms and contradictions abound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pyarrow as pa

from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.records import NAMES, TAXA, VERNACULARS, Records

if TYPE_CHECKING:
    from collections.abc import Callable

_LETTERS = "ABCDEFGH"
_HIGH = [f"{letter}idae" for letter in _LETTERS]
_LOW = [f"{letter}us" for letter in _LETTERS] + [
    "Aus bus",
    "Aus cus",
    "Aus ca",
    "Bus bus",
    "Bus ba",
    "Bus sp. 1",
]
_FLAGS = [0, 0, 0, 0, Flag.INCERTAE_SEDIS, Flag.UNPLACED, Flag.HIDDEN, Flag.EXTINCT, Flag.WAS_CONTAINER]
_RANKS = ["", "", "order", "family", "genus", "species"]
_AUTHORSHIPS = ["", "", "L.", "Linnaeus, 1758", "Mill., 1900"]
_CODES = ["", "", "zoological", "botanical"]

SEPARATION = Records(
    "separation",
    pa.Table.from_pylist(
        [
            {
                "uid": uid,
                "parent": parent,
                "name": name,
                "authorship": "",
                "rank": "",
                "code": "",
                "flags": 0,
                "sources": "",
            }
            for uid, parent, name in [
                ("1", None, "life"),
                ("2", "1", "Aidae"),
                ("3", "1", "Bidae"),
                ("4", "2", "Cidae"),
            ]
        ],
        TAXA,
    ),
    pa.Table.from_pylist([{"uid": "3", "name": "Didae", "authorship": "", "type": "synonym"}], NAMES),
)


@st.composite
def taxonomies(draw: Callable[..., object], prefix: str = "a", most: int = 14) -> Records:
    """Return a taxonomy without cycles, whose tips may have any name."""
    count = draw(st.integers(1, most))
    # a parent has a smaller number than its children, so that there are no cycles
    parents = [None] + [draw(st.none() | st.integers(0, row - 1)) for row in range(1, count)]
    inner = {parent for parent in parents if parent is not None}
    numbers = draw(st.permutations(range(1, count + 1)))
    taxa = []
    for row, parent in enumerate(parents):
        name = draw(st.sampled_from([*_HIGH, "life"] if row in inner else _LOW + _HIGH))
        flags = Flag.INFORMAL if " sp. " in name else draw(st.sampled_from(_FLAGS))
        if row in inner:  # tombstones have no children
            flags &= ~Flag.WAS_CONTAINER
        taxa.append(
            {
                "uid": str(numbers[row]),
                "parent": None if parent is None else str(numbers[parent]),
                "name": name,
                "authorship": draw(st.sampled_from(_AUTHORSHIPS)),
                "rank": draw(st.sampled_from(_RANKS)),
                "code": draw(st.sampled_from(_CODES)),
                "flags": int(flags),
                "sources": draw(st.sampled_from(["", "", "", f"x:{row}", f"y:{row},z:{row}"])),
            }
        )
    uids = st.sampled_from([row["uid"] for row in taxa])
    names = draw(st.lists(st.tuples(uids, st.sampled_from(_LOW + _HIGH)), max_size=4, unique=True))
    synonyms = [{"uid": uid, "name": name, "authorship": "", "type": "synonym"} for uid, name in names]
    called = draw(st.lists(st.tuples(uids, st.sampled_from(["ox", "elk"])), max_size=2, unique=True))
    vernaculars = [{"uid": uid, "name": name, "language": "en", "is_preferred": True} for uid, name in called]
    return Records(
        prefix,
        pa.Table.from_pylist(taxa, TAXA),
        pa.Table.from_pylist(synonyms, NAMES),
        pa.Table.from_pylist(vernaculars, VERNACULARS),
    )


def sources(count: int = 3) -> st.SearchStrategy[list[Records]]:
    """Return several taxonomies with prefixes of their own."""
    return st.tuples(*(taxonomies(prefix) for prefix in "abcdef"[:count])).map(list)
