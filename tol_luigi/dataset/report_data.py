"""Collect what the report on a build shows of its catalog, ledgers and shards."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.dataset.thumbnails import sample_images
from tol_luigi.report.build_figures import CatalogData, Group, Thumbnail
from tol_luigi.report.diversity import lineage_counts, taxa_stats
from tol_luigi.report.near_duplicates import pair_text
from tol_luigi.report.sprites import sprite_sheets
from tol_luigi.report.taxon_tree import TaxonTree, images_by_source, taxon_tree
from tol_luigi.store.catalog_figures import ASPECTS, SIDES, CatalogFigures, count_catalog, rows_at
from tol_luigi.store.exclusion_examples import excluded_examples
from tol_luigi.store.near_pairs import near_pairs
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from tol_luigi.core.layout import Layout

__all__ = ["catalog_data"]

_EXCLUDED = 6
"""The most examples of each state and source."""

_GROUPS = 24
"""The most groups of duplicates, and pairs of near-duplicates, that are shown."""

_ALIKE = 6
"""The most images of each of them."""

_SHOWN = [
    "treeoflife_id",
    "split",
    "source",
    "partition",
    *RANK_LABELS,
    "common",
    "shard",
    "position",
    "width",
    "height",
    "mode",
    "format",
    "flags",
]


def catalog_data(
    layout: Layout,
    sources: Sequence[str],
    ledgers: Sequence[Path],
    most: int,
    progress: Callable[[int], None],
    *,
    near_duplicates: Path | None = None,
) -> CatalogData:
    """Return what a report shows of a dataset.

    Args:
        layout: The paths of the dataset.
        sources: The sources, in the order of the catalogs.
        ledgers: The ledgers with all images that are in no shard.
        most: The largest number of thumbnails; 0 reads no shard.
        progress: Called with the number of rows of the catalog read so far.
        near_duplicates: The table of near-duplicates, if there is one.
    """
    alike = _alike(layout.duplicates, near_duplicates) if most else []
    figures = count_catalog(layout.catalog, progress, {image for group in alike for image in group.ids})
    names = [figures.lineages[label].to_pylist() for label in RANK_LABELS]
    ranks = list(zip(*names, strict=True))
    images = figures.lineages["images"].to_pylist()
    origins = figures.lineages["source"].to_pylist()
    counted = list(zip(ranks, origins, images, strict=True))
    tree = taxon_tree(zip(ranks, images, figures.lineages["first"].to_pylist(), strict=True))
    rows = rows_at(layout.catalog, _chosen(figures, tree, most), _SHOWN).to_pylist()
    places = {row["row"]: place for place, row in enumerate(rows)}
    return CatalogData(
        samples=figures.samples,
        stats=taxa_stats(counted, sources),
        tree=tree,
        by_source=images_by_source(tree, list(map(list(sources).index, origins)), images, len(sources)),
        commons=_commons(layout.catalog, tree),
        species=lineage_counts(counted),
        flags=figures.flags,
        modes=figures.modes.most_common(),
        formats=figures.formats.most_common(),
        sides=_classes(SIDES, figures.sides.tolist(), " px"),
        aspects=_classes(ASPECTS, figures.aspects.tolist(), ""),
        thumbnails=[_thumbnail(row, tree) for row in rows],
        sheets=list(sprite_sheets(sample_images(layout, rows))),
        groups=_groups(figures, alike, places),
        excluded=excluded_examples(ledgers, _EXCLUDED),
    )


class _Alike(NamedTuple):
    """Images that are duplicates or near-duplicates of each other.

    Attributes:
        kind: ``duplicate`` or ``near``.
        name: What the page says of them.
        ids: Their ids.
    """

    kind: str
    name: str
    ids: list[str]


def _alike(duplicates: Path, near: Path | None) -> list[_Alike]:
    """Return the first groups of duplicates, and pairs of near-duplicates."""
    groups = [_Alike("duplicate", first, ids) for first, ids in _duplicates(duplicates).items()]
    pairs = near_pairs(near, _GROUPS) if near else []
    return [*groups, *(_Alike("near", pair_text(*pair), [one["id"] for one in pair]) for pair in pairs)]


def _duplicates(path: Path) -> dict[str, list[str]]:
    """Return the ids of the first images of the first groups of duplicates, by the first image of the group."""
    found: dict[str, list[str]] = {}
    if not path.exists():
        return found
    for piece in pieces(path, ["first", "id"]):
        for row in piece.to_pylist():
            if row["first"] not in found and len(found) == _GROUPS:
                return found
            group = found.setdefault(row["first"], [])
            if len(group) < _ALIKE:
                group.append(row["id"])
    return found


def _chosen(figures: CatalogFigures, tree: TaxonTree, most: int) -> list[int]:
    """Return the numbers of the rows to show: all if they are few, else examples, then one of each taxon, highest first."""
    if not most:
        return []
    if figures.images <= most:
        return list(figures.numbers)
    examples = [number for numbers in figures.examples.values() for number in numbers]
    by_depth = sorted(range(len(tree.names)), key=lambda node: (tree.depths[node], -tree.images[node], node))
    taxa = (tree.first[node] for node in by_depth)
    every = itertools.chain(figures.wanted.values(), examples, taxa)
    return list(itertools.islice(dict.fromkeys(every), most))


def _commons(catalog: Path, tree: TaxonTree) -> dict[int, str]:
    """Return the common names of species, each as its first image has it; a name that repeats the taxon is none."""
    species = [node for node, depth in enumerate(tree.depths) if depth == len(RANK_LABELS)]
    rows = rows_at(catalog, [tree.first[node] for node in species], ["genus", "species", "common"])
    scientific = [f"{row['genus']} {row['species']}" for row in rows.to_pylist()]
    named = zip(rows["row"].to_pylist(), rows["common"].to_pylist(), scientific, strict=True)
    commons = {
        row: common for row, common, taxon in named if common and common.lower() != taxon.strip().lower()
    }
    return {node: commons[tree.first[node]] for node in species if tree.first[node] in commons}


def _thumbnail(row: dict[str, Any], tree: TaxonTree) -> Thumbnail:
    ranks = [row[label] for label in RANK_LABELS]
    taxon = Taxon.from_rendered(ranks)
    fields = {
        "id": row["treeoflife_id"],
        "common name": row["common"],
        "source": f"{row['source']} / {row['partition']}",
        "sample": f"{row['split']}, shard {row['shard']}, position {row['position']}",
        "original": f"{row['width']} \N{MULTIPLICATION SIGN} {row['height']} px, {row['mode']}, {row['format']}",
        "flags": ", ".join(row["flags"]),
    }
    known = {name: text for name, text in fields.items() if text}
    return Thumbnail(tree.find(ranks), taxon.scientific or taxon.taxonomic, known)


def _groups(figures: CatalogFigures, alike: Sequence[_Alike], places: dict[int, int]) -> list[Group]:
    """Return the groups of images that are shown together."""
    flags, splits = Counter[str](), Counter[str]()
    for (flag, _), count in figures.flags.items():
        flags[flag] += count
    for (split, _), count in figures.samples.items():
        splits[split] += count
    counts = {"flag": flags, "split": splits}
    groups = [
        Group(kind, name, counts[kind][name], _placed(numbers, places))
        for (kind, name), numbers in sorted(figures.examples.items())
    ]
    for kind, name, ids in alike:
        groups.append(Group(kind, name, len(ids), _placed(map(figures.wanted.get, ids), places)))
    return [group for group in groups if group.thumbnails]


def _placed(numbers: Collection[int | None] | map[int | None], places: dict[int, int]) -> list[int]:
    return [places[number] for number in numbers if number is not None and number in places]


def _classes(bounds: Sequence[float], counts: Sequence[int], unit: str) -> list[tuple[str, int]]:
    """Return the classes in words with their counts, without empty ones at both ends."""
    names = [f"{low:g}\N{EN DASH}{high:g}{unit}" for low, high in itertools.pairwise(bounds)]
    names.append(f"{bounds[-1]:g}{unit} and more")
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return []
    return list(zip(names, counts, strict=True))[filled[0] : filled[-1] + 1]
