"""Checks of a finished reference taxonomy: what should not occur, with examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.deprecations import parent_rows
from tol_luigi.taxonomy.flags import TOMBSTONES
from tol_luigi.taxonomy.preorder import levels
from tol_luigi.taxonomy.projection import KINGDOM, project
from tol_luigi.taxonomy.ranks import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.source_ranks import SourceRanks

__all__ = [
    "EXAMPLES",
    "genera_in_families",
    "known_gaps",
    "names_in_kingdoms",
    "rank_inversions",
    "rank_repeats",
    "records_in_other_kingdoms",
    "without_tombstones",
]

EXAMPLES = 10
"""The most examples of anything."""

_FAMILY, _GENUS = "family", "genus"


def without_tombstones(taxa: pa.Table) -> pa.Table:
    """Return the taxa that are no tombstones."""
    return taxa.filter(pc.equal(pc.bit_wise_and(taxa["flags"], pa.scalar(int(TOMBSTONES), pa.uint32())), 0))


def names_in_kingdoms(taxa: pa.Table) -> dict[str, Any]:
    """Count the names that taxa of several kingdoms have; each of these taxa must stay by itself."""
    named = taxa.filter(pc.not_equal(taxa[KINGDOM], ""))
    count, found = _several(named, ["name"], KINGDOM)
    return {"count": count, "examples": [f"{key['name']}: {', '.join(values)}" for key, values in found]}


def genera_in_families(taxa: pa.Table) -> dict[str, Any]:
    """Count the genera of one name that are in several families of one kingdom."""
    genera = taxa.filter(pc.and_(pc.equal(taxa["rank"], _GENUS), pc.not_equal(taxa[_FAMILY], "")))
    count, found = _several(genera, [KINGDOM, "name"], _FAMILY)
    examples = [
        f"{key['name']} ({key[KINGDOM] or 'no kingdom'}): {', '.join(values)}" for key, values in found
    ]
    return {"count": count, "examples": examples}


def rank_repeats(taxa: pa.Table) -> dict[str, Any]:
    """Count the taxa below another taxon of the same of the seven ranks, such as a class in a class."""
    projection = project(parent_rows(taxa), taxa["rank"].combine_chunks(), taxa["flags"].to_numpy())
    pairs = zip(projection.repeats[:EXAMPLES].tolist(), projection.repeated[:EXAMPLES].tolist(), strict=True)
    names, ranks = taxa["name"], taxa["rank"]
    return {
        "count": len(projection.repeats),
        "examples": [f"{ranks[row]} {names[row]} in {ranks[above]} {names[above]}" for row, above in pairs],
    }


def rank_inversions(taxa: pa.Table) -> dict[str, Any]:
    """Count the taxa whose rank is above the rank of an ancestor, such as a family in a genus."""
    parent = parent_rows(taxa)
    level = _levels(taxa["rank"])
    nearest = np.full(len(taxa), -1, np.int64)
    for rows in levels(parent)[1:]:
        above = parent[rows]
        nearest[rows] = np.where(level[above] > 0, above, nearest[above])
    inverted = np.flatnonzero((nearest >= 0) & (level > 0) & (level < level[nearest]))
    names, ranks = taxa["name"], taxa["rank"]
    return {
        "count": len(inverted),
        "examples": [
            f"{ranks[row]} {names[row]} in {ranks[int(nearest[row])]} {names[int(nearest[row])]}"
            for row in inverted[:EXAMPLES].tolist()
        ],
    }


def known_gaps(taxa: pa.Table, sources: Sequence[SourceRanks]) -> dict[str, dict[str, Any]]:
    """Count the gaps above the lowest rank of taxa by rank, and those for which a source has a name.

    Args:
        taxa: The taxa of the release.
        sources: The ranks of the sources; their taxa are rows of ``taxa``.
    """
    is_empty = np.array([pc.equal(taxa[label], "").to_numpy() for label in RANK_LABELS])
    has_lower = ~np.logical_and.accumulate(is_empty[::-1])[::-1]
    has_lower &= (taxa["flags"].to_numpy() & np.uint32(TOMBSTONES)) == 0
    result = {}
    for rank, label in enumerate(RANK_LABELS[:-1]):
        is_gap = is_empty[rank] & has_lower[rank + 1]
        is_known = np.zeros(len(taxa), np.bool_)
        examples: list[str] = []
        for source in sources:
            nearest = source.nearest[label]
            rows = np.flatnonzero((source.taxon >= 0) & (nearest >= 0))
            rows = rows[is_gap[source.taxon[rows]] & ~is_known[source.taxon[rows]]]
            is_known[source.taxon[rows]] = True
            first = rows[source.sorted_by_taxon(rows)][: EXAMPLES - len(examples)]
            examples += [_gap(taxa, source, row, label) for row in first.tolist()]
        result[label] = {"gaps": int(is_gap.sum()), "known": int(is_known.sum()), "examples": examples}
    return result


def records_in_other_kingdoms(taxa: pa.Table, sources: Sequence[SourceRanks]) -> dict[str, Any]:
    """Count the records that are in another kingdom in their source than their taxon: homonyms that were joined.

    Args:
        taxa: The taxa of the release.
        sources: The ranks of the sources; their taxa are rows of ``taxa``.
    """
    count = 0
    examples: list[str] = []
    known = taxa[KINGDOM].combine_chunks()
    for source in sources:
        rows = np.flatnonzero(source.taxon >= 0)
        theirs, _ = source.names_at(rows, KINGDOM)
        ours = known.take(pa.array(source.taxon[rows]))
        differs = pc.and_(
            pc.not_equal(ours, theirs), pc.and_(pc.not_equal(ours, ""), pc.not_equal(theirs, ""))
        )
        found = rows[differs.to_numpy(zero_copy_only=False)]
        count += len(found)
        first = found[source.sorted_by_taxon(found)][: EXAMPLES - len(examples)]
        for row in first.tolist():
            place = int(source.taxon[row])
            kingdom = source.names_at(np.array([row]), KINGDOM)[0][0]
            record = f"{source.prefix}:{source.uid[row]} {source.names[row]}"
            examples.append(f"{record} of {kingdom} is {taxa['name'][place]} of {known[place]}")
    return {"count": count, "examples": examples}


def _gap(taxa: pa.Table, source: SourceRanks, row: int, label: str) -> str:
    name = taxa["name"][int(source.taxon[row])]
    return f"{name}: {source.names[int(source.nearest[label][row])]} ({source.prefix})"


def _levels(ranks: pa.ChunkedArray) -> NDArray[np.int64]:
    encoded = ranks.combine_chunks().dictionary_encode()
    values = np.array([LEVELS.get(rank, 0) for rank in encoded.dictionary.to_pylist()] or [0], np.int64)
    found: NDArray[np.int64] = values[encoded.indices.to_numpy(zero_copy_only=False)]
    return found


def _several(
    table: pa.Table, keys: list[str], value: str
) -> tuple[int, list[tuple[dict[str, str], list[str]]]]:
    """Return the number of keys that have several values, and the first of these keys with their values."""
    pairs = table.select([*keys, value]).group_by([*keys, value]).aggregate([])
    counts = pairs.group_by(keys).aggregate([([], "count_all")])
    several = counts.filter(pc.greater(counts["count_all"], 1)).select(keys)
    first = several.sort_by([(key, "ascending") for key in keys]).slice(0, EXAMPLES)
    values = pairs.filter(pc.is_in(pairs[keys[-1]], value_set=first[keys[-1]].combine_chunks())).to_pylist()
    return len(several), [
        (key, sorted(row[value] for row in values if {name: row[name] for name in keys} == key))
        for key in first.to_pylist()
    ]
