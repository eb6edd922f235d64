"""The separation list: the groups of life that keep homonyms apart."""

from __future__ import annotations

import enum
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TableError
from tol_luigi.taxonomy.parent_links import UidIndex, break_cycles, depths_of
from tol_luigi.taxonomy.ranks import LEVELS
from tol_luigi.taxonomy.records import NAMES, TAXA, Records

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["FOUND", "PREFIX", "Presence", "divisions_in", "separation"]

PREFIX = "separation"
"""The prefix of the identifiers of the list, which are the names in lower case, with underscores."""

_COLUMNS = 4


class Presence(enum.StrEnum):
    """Whether a source has a group of the list."""

    FOUND = "found"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"
    """Two taxa at the same depth have the name, so neither is taken."""


FOUND = pa.schema(
    [
        pa.field("group", pa.string(), nullable=False),
        pa.field("presence", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("uids", pa.list_(pa.string()), nullable=False),
    ]
)
"""One row per group of the list and name of it that a source has: the group, the name, and the taxa; one row with "" and
no taxa for a group that it lacks."""


def separation(path: Path | None = None) -> Records:
    """Return the separation list.

    Args:
        path: A file with another list; that of the package if None. See the head of ``data/separation.tsv``.

    Raises:
        TableError: A line has too many columns, an unknown rank, a repeated name, or a parent that is not above it.
    """
    file: Traversable = path or resources.files("tol_luigi.taxonomy") / "data" / "separation.tsv"
    taxa: dict[str, dict[str, object]] = {}
    names: list[dict[str, str]] = []
    seen: set[str] = set()
    for where, (name, parent, rank, others) in _rows(file):
        all_names = [name, *filter(None, others.split("|"))]
        _check(where, all_names, parent, rank, above=taxa)
        _check_unique(where, all_names, seen)
        seen.update(all_names)
        taxa[name] = {
            "uid": _uid(name),
            "parent": _uid(parent) if parent else None,
            "name": name,
            "authorship": "",
            "rank": rank,
            "code": "",
            "flags": 0,
            "sources": "",
        }
        names += [
            {"uid": _uid(name), "name": other, "authorship": "", "type": "synonym"} for other in all_names[1:]
        ]
    return Records(
        PREFIX,
        pa.Table.from_pylist(list(taxa.values()), schema=TAXA),
        pa.Table.from_pylist(names, schema=NAMES),
        about={"title": "Separation list"},
    )


def divisions_in(records: Records, groups: Records) -> pa.Table:
    """Return which groups of a separation list a normalised source has (``FOUND``).

    Of several taxa with a name of a group, the one nearest to a root is meant; genera and lower ranks are not looked at.

    Source: ``UnionTaxonomy`` of the Open Tree, which marks divisions so before each alignment.
    """
    taxa = records.taxa
    uids = taxa["uid"].combine_chunks()
    parents, _ = break_cycles(UidIndex(uids).find(taxa["parent"].combine_chunks()))
    depths = depths_of(parents)
    wanted = pa.concat_arrays([groups.taxa["name"].combine_chunks(), groups.names["name"].combine_chunks()])
    low = pa.array([rank for rank, level in LEVELS.items() if level >= LEVELS["genus"]])
    is_group = pc.and_(
        pc.is_in(taxa["name"], value_set=wanted), pc.invert(pc.is_in(taxa["rank"], value_set=low))
    )
    places: dict[str, list[int]] = {}
    for row in np.flatnonzero(is_group.to_numpy()).tolist():
        places.setdefault(taxa["name"][row].as_py(), []).append(row)
    rows = []
    for group, names in _names_of(groups).items():
        present = [(name, _nearest(places[name], depths)) for name in names if name in places]
        for name, nearest in present or [("", [])]:
            kind = (Presence.MISSING, Presence.FOUND, Presence.AMBIGUOUS)[min(len(nearest), 2)]
            found = [uids[row].as_py() for row in nearest]
            rows.append({"group": group, "presence": kind.value, "name": name, "uids": found})
    return pa.Table.from_pylist(rows, schema=FOUND)


def _nearest(rows: list[int], depths: npt.NDArray[np.int64]) -> list[int]:
    least = min(depths[row] for row in rows)
    return [row for row in rows if depths[row] == least]


def _names_of(groups: Records) -> dict[str, list[str]]:
    names = {row["uid"]: [row["name"]] for row in groups.taxa.select(["uid", "name"]).to_pylist()}
    for row in groups.names.to_pylist():
        names[row["uid"]].append(row["name"])
    return {all_names[0]: all_names for all_names in names.values()}


def _rows(file: Traversable) -> Iterator[tuple[str, list[str]]]:
    """Yield where each line is, and its columns."""
    lines = file.read_text(encoding="utf-8").splitlines()
    content = [
        (number, line) for number, line in enumerate(lines, start=1) if line and not line.startswith("#")
    ]
    for number, line in content[1:]:
        columns = line.split("\t")
        where = f"{file}, line {number}"
        if len(columns) > _COLUMNS:
            raise TableError(where, f"there are {len(columns)} columns", f"Write at most {_COLUMNS}")
        yield where, columns + [""] * (_COLUMNS - len(columns))


def _check(where: str, names: list[str], parent: str, rank: str, *, above: Container[str]) -> None:
    if parent and parent not in above:
        raise TableError(
            where, f"{parent}, the parent of {names[0]}, is not above it", "Add it, or correct it"
        )
    if rank and rank not in LEVELS:
        raise TableError(where, f"{rank} is no rank", f"Write one of {', '.join(LEVELS)}, or nothing")


def _check_unique(where: str, names: list[str], seen: set[str]) -> None:
    known = set(seen)
    for name in names:
        if name in known or not name:
            raise TableError(where, f"the name {name!r} is empty or occurs twice", "Correct or remove it")
        known.add(name)


def _uid(name: str) -> str:
    return name.lower().replace(" ", "_")
