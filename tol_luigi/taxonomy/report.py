"""Report what the build of a reference taxonomy has found, as figures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.build_checks import (
    EXAMPLES,
    genera_in_families,
    known_gaps,
    names_in_kingdoms,
    rank_inversions,
    rank_repeats,
    records_in_other_kingdoms,
    without_tombstones,
)
from tol_luigi.taxonomy.deprecations import parent_rows
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, SUPPRESSED, Flag
from tol_luigi.taxonomy.preorder import depths
from tol_luigi.taxonomy.products import Fate
from tol_luigi.taxonomy.reasons import Reason
from tol_luigi.taxonomy.source_ranks import SourceRanks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.products import ReferenceTables
    from tol_luigi.taxonomy.records import Records

__all__ = ["build_figures"]


def build_figures(
    tables: ReferenceTables, sources: Sequence[Records], separation: Records, kingdoms: Mapping[str, str]
) -> dict[str, Any]:
    """Return the figures on a build, as JSON.

    Args:
        tables: The release.
        sources: The sources in order of priority.
        separation: The separation list.
        kingdoms: The kingdom that each name stands for.
    """
    taxa = without_tombstones(tables.taxa)
    own = tables.taxa["tol_id"].combine_chunks()
    ranks = [SourceRanks.of(each, tables.xref, "tol_id", own, kingdoms) for each in sources]
    return {
        "taxa": _taxa(tables),
        "fates": _by_source(tables.xref, "fate", [str(fate) for fate in Fate]),
        "reasons": _by_source(tables.xref, "reason", [str(reason) for reason in Reason]),
        "repairs": _repairs(sources),
        "separation": _separation(tables, separation),
        "fill_rates": _fill_rates(taxa),
        "filled_ranks": tables.about.get("filled_ranks", {}),
        "gaps": known_gaps(tables.taxa, ranks),
        "checks": {
            "names in several kingdoms": names_in_kingdoms(taxa),
            "genera in several families of one kingdom": genera_in_families(taxa),
            "records in another kingdom than their taxon": records_in_other_kingdoms(tables.taxa, ranks),
            "taxa in a taxon of the same rank": rank_repeats(tables.taxa),
            "taxa in a taxon of a lower rank": rank_inversions(tables.taxa),
        },
        "homonyms": _homonyms(taxa),
        "conflicts": _conflicts(tables.conflicts),
        "ids": tables.about.get("ids", {}),
    }


def _taxa(tables: ReferenceTables) -> dict[str, int]:
    """Return the numbers of taxa of several kinds."""
    parent, ranks = parent_rows(tables.taxa), tables.taxa["rank"]
    all_taxa, taxa = len(parent), without_tombstones(tables.taxa)
    own_flags = taxa["flags"].to_numpy()
    is_tip = np.ones(all_taxa, np.bool_)
    is_tip[parent[parent >= 0]] = False
    is_hidden = (own_flags & int(SUPPRESSED) != 0) & (own_flags & int(Flag.FORCED_VISIBLE) == 0)
    return {
        "all": all_taxa,
        "tombstones": all_taxa - len(taxa),
        "tips": int(is_tip.sum()) - all_taxa + len(taxa),
        "species": pc.sum(pc.equal(taxa["rank"], "species")).as_py() or 0,
        "without a rank": pc.sum(pc.equal(ranks, "")).as_py() or 0,
        "hidden": int(is_hidden.sum()),
        "extinct": _flagged(own_flags, Flag.EXTINCT | Flag.EXTINCT_INHERITED),
        "of uncertain place": _flagged(own_flags, INCERTAE_SEDIS),
        "infraspecific": _flagged(own_flags, Flag.INFRASPECIFIC),
        "barren": _flagged(own_flags, Flag.BARREN),
        "largest depth": int(depths(parent).max(initial=0)),
        "synonyms": len(tables.names) - all_taxa,
        "vernacular names": len(tables.vernaculars),
    }


def _flagged(flags: NDArray[np.uint32], which: Flag) -> int:
    return int((flags & np.uint32(which) != 0).sum())


def _by_source(xref: pa.Table, column: str, order: list[str]) -> dict[str, dict[str, int]]:
    """Return the number of records by source and by a value, in a given order."""
    counts = xref.select(["source", column]).group_by(["source", column]).aggregate([([], "count_all")])
    found = {(row["source"], row[column]): row["count_all"] for row in counts.to_pylist()}
    sources = pc.unique(xref["source"]).to_pylist()
    return {
        source: {value: found[source, value] for value in order if (source, value) in found}
        for source in sources
    }


def _repairs(sources: Sequence[Records]) -> dict[str, dict[str, int]]:
    """Return the number of repairs by source and kind."""
    counts: dict[str, Counter[str]] = {}
    for source in sources:
        counts.setdefault(source.prefix, Counter()).update(source.repairs["repair"].to_pylist())
    return {prefix: dict(sorted(kinds.items())) for prefix, kinds in counts.items()}


def _separation(tables: ReferenceTables, separation: Records) -> dict[str, list[str]]:
    """Return the sources in which each taxon of the separation list was found."""
    rows = tables.xref.filter(pc.equal(tables.xref["reason"], str(Reason.DIVISION_NAME)))
    places = pc.index_in(rows["tol_id"], value_set=tables.taxa["tol_id"].combine_chunks())
    names = tables.taxa["name"].take(places).to_pylist()
    found: dict[str, list[str]] = {name: [] for name in separation.taxa["name"].to_pylist()}
    for name, source in dict.fromkeys(zip(names, rows["source"].to_pylist(), strict=True)):
        found.setdefault(name, []).append(source)
    return found


def _fill_rates(taxa: pa.Table) -> dict[str, float]:
    """Return the part of the species, and of the taxa below them, that has each of the seven ranks."""
    species = taxa.filter(pc.not_equal(taxa["species"], ""))
    if not len(species):
        return {}
    return {
        label: round(pc.sum(pc.not_equal(species[label], "")).as_py() / len(species), 4)
        for label in RANK_LABELS
    }


def _homonyms(taxa: pa.Table) -> dict[str, Any]:
    """Return the number of names that several taxa have, by rank, with the unique names of the first."""
    counts = taxa.group_by(["name"]).aggregate([([], "count_all")])
    names = counts.filter(pc.greater(counts["count_all"], 1))["name"].combine_chunks()
    rows = taxa.filter(pc.is_in(taxa["name"], value_set=names)).select(["name", "rank", "unique_name"])
    ranks = rows.group_by(["name", "rank"]).aggregate([])["rank"]
    first = names.take(pc.sort_indices(names)).slice(0, EXAMPLES)
    examples = rows.filter(pc.is_in(rows["name"], value_set=first))["unique_name"].to_pylist()
    return {
        "names": len(names),
        "taxa": len(rows),
        "ranks": dict(sorted(Counter(rank or "no rank" for rank in ranks.to_pylist()).items())),
        "examples": sorted(examples)[:EXAMPLES],
    }


def _conflicts(conflicts: pa.Table) -> dict[str, Any]:
    """Return the number of conflicts by source, and the first of them."""
    examples = [
        f"{row['source']} {row['parent']}: {row['alice']} is in {row['alice_parent']}, {row['bob']} in {row['bob_parent']}"
        for row in conflicts.slice(0, EXAMPLES).to_pylist()
    ]
    return {"sources": dict(sorted(Counter(conflicts["source"].to_pylist()).items())), "examples": examples}
