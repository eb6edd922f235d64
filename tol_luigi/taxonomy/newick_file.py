"""Export of a reference taxonomy as Newick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.files import committed
from tol_luigi.taxonomy.deprecations import parent_rows
from tol_luigi.taxonomy.flags import TOMBSTONES
from tol_luigi.taxonomy.preorder import Preorder
from tol_luigi.taxonomy.text_columns import one_line, utf8_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["newick_texts", "write_newick_file"]

_PLAIN = "^[A-Za-z0-9.-]+( [A-Za-z0-9.-]+)*$"
"""Names that need no quotes."""


def write_newick_file(path: Path, taxa: pa.Table) -> None:
    """Write taxa as Newick, atomically; see :func:`newick_texts`."""
    with committed(path) as scratch, scratch.open("wb") as file:
        file.writelines(utf8_chunks(newick_texts(taxa)))


def newick_texts(taxa: pa.Table) -> pa.Array:
    """Return taxa as Newick, one line per root, as texts to join; children are in the order of the table.

    A label is the name with the id, as in ``Apis_mellifera_tol7``. A name with other characters than letters of the
    Latin alphabet, digits, dots and hyphens is in quotes, and spaces are kept there. Tombstones are left out.

    Args:
        taxa: The table of taxa; the parent of a taxon is no tombstone.
    """
    taxa = taxa.filter(pc.equal(pc.bit_wise_and(taxa["flags"], pa.scalar(int(TOMBSTONES), pa.uint32())), 0))
    if not len(taxa):
        return pa.array([], pa.string())
    parent = parent_rows(taxa)
    order = Preorder.of(parent, np.arange(len(taxa)))
    after = np.argsort(order.position + order.size - order.depth)  # postorder
    opening = _opening(order)[after]
    openings = pa.array(["(" * count for count in range(int(opening.max()) + 1)]).take(pa.array(opening))
    labels = _labels(taxa).take(pa.array(after))
    closings = pa.array([",", ";\n", ""]).take(pa.array(_ending(order)[after]))
    is_tip = pa.array(order.size[after] == 1)
    before = pc.if_else(is_tip, openings, ")")
    return pc.binary_join_element_wise(before, labels, closings, "")


def _opening(order: Preorder) -> NDArray[np.int64]:
    """Return the number of groups that start with each tip, 0 for groups."""
    is_tip = order.size[order.rows] == 1
    places = np.flatnonzero(is_tip)
    opening = np.zeros(len(order.rows), np.int64)
    opening[order.rows[places]] = np.diff(places, prepend=-1) - 1
    return opening


def _ending(order: Preorder) -> NDArray[np.int64]:
    """Return the sign after each row: 0 is a comma, 1 the end of a tree, 2 nothing, after the last of a group."""
    end = order.position + order.size
    is_root = order.parent < 0
    is_last = ~is_root & (end == end[order.parent])
    return np.where(is_root, 1, np.where(is_last, 2, 0))


def _labels(taxa: pa.Table) -> pa.Array:
    names, ids = taxa["name"].combine_chunks(), taxa["tol_id"].cast(pa.string()).combine_chunks()
    plain = pc.binary_join_element_wise(pc.replace_substring(names, " ", "_"), "_tol", ids, "")
    escaped = one_line(pc.replace_substring(names, "'", "''"))
    quoted = pc.binary_join_element_wise("'", escaped, "_tol", ids, "'", "")
    return pc.if_else(pc.match_substring_regex(names, _PLAIN), plain, quoted)
