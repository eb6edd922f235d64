"""Newick trees of names: for small taxonomies and for tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.core.errors import SourceError
from tol_luigi.taxonomy.flags import TOMBSTONES
from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.records import TAXA, Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["read_newick", "write_newick"]

_TOKEN = re.compile(r"\s*(?:([(),;])|'((?:[^']|'')*)'|([^(),;:'\[\]\s][^(),;:'\[\]]*)|:[^(),;]*|\[[^\]]*\])")


def read_newick(text: str, prefix: str = "newick") -> Records:
    """Return the taxa of a tree, numbered from 1 in the order in which their names appear.

    In names, ``_`` stands for a space, and ``Rank=Name`` contains the rank. Lengths and comments are ignored.

    Raises:
        SourceError: The text is not a tree.
    """
    rows: list[tuple[str, str, list[str]]] = []
    open_groups: list[list[str]] = [[]]
    closed: list[str] = []
    for kind, label in _tokens(text, prefix):
        if kind == "(":
            open_groups.append([])
        elif kind == ")":
            if len(open_groups) == 1:
                raise _error(prefix, "it closes more brackets than it opens")
            closed = open_groups.pop()
        elif kind == "name":
            rows.append((str(len(rows) + 1), label, closed))
            open_groups[-1].append(rows[-1][0])
            closed = []
    if len(open_groups) > 1 or closed:
        raise _error(prefix, "a bracket is not closed, or a group has no name")
    parent = {child: uid for uid, _, children in rows for child in children}
    return Records(prefix, pa.Table.from_pylist([_taxon(row, parent) for row in rows], schema=TAXA))


def _tokens(text: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a tree: ``(``, ``)``, ``,``, ``;`` and ``name`` with the name."""
    position = 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if not found:
            raise _error(prefix, f"{text[position : position + 20]!r} is not expected")
        position = found.end()
        sign, quoted, plain = found.groups()
        if sign:
            yield sign, ""
        elif quoted is not None:
            yield "name", quoted.replace("''", "'")
        elif plain:
            yield "name", plain.strip().replace("_", " ")


def _error(prefix: str, what: str) -> SourceError:
    return SourceError(prefix, f"this is not a Newick tree of names: {what}", "Correct the tree")


def _taxon(row: tuple[str, str, list[str]], parent: dict[str, str]) -> dict[str, object]:
    uid, label, _ = row
    rank, equals, name = label.partition("=")
    known = rank_of(rank) if equals else ""
    empty = {"authorship": "", "code": "", "flags": 0, "sources": ""}
    return {"uid": uid, "parent": parent.get(uid), "name": name if known else label, "rank": known, **empty}


def write_newick(
    parent: Sequence[int],
    names: Sequence[str],
    flags: Iterable[int] | None = None,
    *,
    tombstones: bool = False,
) -> str:
    """Return a tree; siblings with fewer names below them come first, then those that are first in the alphabet.

    Args:
        parent: The row of the parent of every taxon, -1 for a root.
        names: The name of every taxon.
        flags: The flags of every taxon; without them there are no tombstones.
        tombstones: Whether to write tombstones.
    """
    hidden = (
        [bool(value & TOMBSTONES) and not tombstones for value in flags] if flags else [False] * len(parent)
    )
    children: dict[int, list[int]] = {}
    for row, above in enumerate(parent):
        if not hidden[row]:
            children.setdefault(above, []).append(row)

    def text(row: int) -> str:
        below = sorted(map(text, children.get(row, ())), key=lambda each: (each.count(","), each))
        label = names[row].replace(" ", "_")
        return f"({','.join(below)}){label}" if below else label

    return ";".join(sorted(map(text, children.get(-1, ())))) + ";"
