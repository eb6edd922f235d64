"""The figures of the report on a build as tables, as JSON, and as a drawing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tol_luigi.core.ledger import State
from tol_luigi.core.splits import SPLITS
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.report.diversity import STATS_COLUMNS, abundance, hill_numbers
from tol_luigi.report.rows_csv import rows_csv
from tol_luigi.report.tree_drawing import drawn_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tol_luigi.report.build_figures import BuildFigures, CatalogData

__all__ = ["TABLES", "figures_of", "tables", "taxa_stats_text"]

_DRAWINGS = ("tree.png", "tree.pdf")


def _totals(figures: BuildFigures, data: CatalogData) -> Iterator[Sequence[Any]]:
    yield "split", "source", "samples"
    for split in SPLITS:
        yield from ((split, source, data.samples.get((split, source), 0)) for source in figures.sources)


def _states(figures: BuildFigures, _: CatalogData) -> Iterator[Sequence[Any]]:
    yield "state", "source", "images"
    sources = list(figures.sources)
    for state in State:
        for (name, source), count in sorted(
            figures.states.items(), key=lambda item: _place(sources, item[0][1])
        ):
            if name == state:
                yield state, source, count


def _place(sources: list[str], source: str) -> int:
    return sources.index(source) if source in sources else len(sources)


def _flags(figures: BuildFigures, data: CatalogData) -> Iterator[Sequence[Any]]:
    del figures
    yield "flag", "source", "images"
    yield from ((flag, source, count) for (flag, source), count in sorted(data.flags.items()))


def _properties(figures: BuildFigures, data: CatalogData) -> Iterator[Sequence[Any]]:
    del figures
    yield "property", "value", "images"
    for name in ("sides", "aspects", "modes", "formats"):
        yield from ((name, value, count) for value, count in getattr(data, name))


def _abundance(figures: BuildFigures, data: CatalogData) -> Iterator[Sequence[Any]]:
    del figures
    yield "place", "images"
    yield from abundance(data.species)


def _tree(figures: BuildFigures, data: CatalogData) -> Iterator[Sequence[Any]]:
    yield "rank", *RANK_LABELS, "images", "lineages", *(f"images_{source}" for source in figures.sources)
    tree, path = data.tree, [""] * len(RANK_LABELS)
    for node in range(1, len(tree.names)):
        depth = tree.depths[node]
        path[depth - 1 :] = [tree.names[node], *[""] * (len(RANK_LABELS) - depth)]
        counts = tree.images[node], tree.lineages[node], *data.by_source[node].tolist()
        yield RANK_LABELS[depth - 1], *path, *counts


_CSV: dict[str, Callable[[BuildFigures, CatalogData], Iterable[Sequence[Any]]]] = {
    "totals.csv": _totals,
    "states.csv": _states,
    "flags.csv": _flags,
    "properties.csv": _properties,
    "rank-abundance.csv": _abundance,
    "tree.csv": _tree,
}

TABLES = (*_CSV, "report.json", *_DRAWINGS)
"""The names of the files next to the page."""


def tables(figures: BuildFigures, data: CatalogData) -> dict[str, bytes]:
    """Return the content of the files next to the page, by name."""
    texts = {name: rows_csv(rows(figures, data)) for name, rows in _CSV.items()}
    texts["report.json"] = json.dumps(figures_of(figures, data), indent=1, ensure_ascii=False) + "\n"
    png, pdf = drawn_tree(data.tree)
    contents = (*(text.encode() for text in texts.values()), png, pdf)
    return dict(zip(TABLES, contents, strict=True))


def taxa_stats_text(stats: Sequence[Mapping[str, Any]]) -> str:
    """Return ``taxa_stats.csv``: the numbers of distinct lineages, overall and by source."""
    return rows_csv([STATS_COLUMNS, *(list(row.values()) for row in stats)])


def figures_of(figures: BuildFigures, data: CatalogData) -> dict[str, Any]:
    """Return all figures of the report as JSON, except the tree."""
    return {
        "samples": _nested(data.samples),
        "shards": {
            split: {"shards": len(shards), "bytes": sum(shard.size for shard in shards)}
            for split, shards in figures.shards.items()
        },
        "states": _nested({key: figures.states[key] for key in sorted(figures.states)}),
        "taxa": list(data.stats),
        "hill_numbers": [round(number, 3) for number in hill_numbers(data.species)],
        "flags": _nested({key: data.flags[key] for key in sorted(data.flags)}),
        "modes": dict(data.modes),
        "formats": dict(data.formats),
        "shorter_side": dict(data.sides),
        "aspect_ratio": dict(data.aspects),
        **{name: report for name, report in figures.reports.items() if name != "settings"},
        "settings": figures.reports["settings"],
    }


def _nested(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (one, other), count in counts.items():
        nested.setdefault(one, {})[other] = count
    return nested
