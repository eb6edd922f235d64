"""Figures on the samples of a catalog, counted in one pass over its row groups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

__all__ = ["ASPECTS", "SIDES", "CatalogFigures", "count_catalog", "rows_at"]

SIDES = (0, 64, 128, 224, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""Lower bounds of the classes of the shorter side of an original, in pixels."""

ASPECTS = (1.0, 1.1, 1.25, 1.4, 1.6, 2.0, 3.0)
"""Lower bounds of the classes of the ratio of the longer to the shorter side."""

_EXAMPLES = 12
"""The most examples of each flag, and of each split, from a source."""

_MERGED_ROWS = 1 << 21
"""How many rows of unmerged counts of lineages are held in memory."""

_COLUMNS = ["split", "source", *RANK_LABELS, "width", "height", "mode", "format", "flags"]
_LINEAGE = [*RANK_LABELS, "source"]


@dataclass
class CatalogFigures:
    """Counts of the samples of a catalog. Those of train_small count only in ``samples``, because they repeat others.

    Attributes:
        samples: Samples by (split, source).
        lineages: One row for each distinct lineage of a source, in the order of the ranks: the seven ranks, ``source``,
            ``images``, and ``first``, the number of its first row in the catalog.
        flags: Images by (flag, source).
        modes: Images by mode.
        formats: Images by format.
        sides: Images by class of the shorter side; see :data:`SIDES`.
        aspects: Images by class of the aspect ratio; see :data:`ASPECTS`.
        examples: The numbers of rows that are examples of a flag or a split, by (kind, name): the first of each source.
        wanted: The numbers of the rows of images that were asked for, by id.
    """

    samples: Counter[tuple[str, str]] = field(default_factory=Counter)
    lineages: pa.Table = field(default_factory=lambda: pa.table({}))
    flags: Counter[tuple[str, str]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    sides: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(len(SIDES), np.int64))
    aspects: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(len(ASPECTS), np.int64))
    examples: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)

    @property
    def numbers(self) -> range:
        """The numbers of the rows of all images, each once; train_small is last in a catalog."""
        return range(self.images)

    @property
    def images(self) -> int:
        """The number of images, each once."""
        return sum(count for (split, _), count in self.samples.items() if split != "train_small")


def count_catalog(
    catalog: Path, progress: Callable[[int], None] = lambda _: None, ids: Collection[str] = ()
) -> CatalogFigures:
    """Count the samples of a catalog.

    The memory is that of the distinct lineages and of one row group.

    Args:
        catalog: The path of the catalog as Parquet.
        progress: Called with the number of rows so far.
        ids: The ids of images whose rows are wanted.
    """
    figures, lineages, start = CatalogFigures(), _Lineages(), 0
    wanted = pa.array(sorted(ids), pa.string())
    columns = [*_COLUMNS, *(["treeoflife_id"] if len(wanted) else [])]
    per_source: Counter[tuple[str, str, str]] = Counter()
    for piece in pieces(catalog, columns, progress):
        rows = piece.append_column("row", pa.array(np.arange(start, start + len(piece)))).unify_dictionaries()
        start += len(piece)
        for one in rows.group_by(["split", "source"]).aggregate([([], "count_all")]).to_pylist():
            figures.samples[one["split"], one["source"]] += one["count_all"]
        images = rows.filter(pc.not_equal(rows["split"], "train_small")).combine_chunks()
        if len(images):
            lineages.add(images)
            _count_properties(images, figures)
            _add_examples(images, figures, per_source)
            if len(wanted):
                found = images.filter(pc.is_in(images["treeoflife_id"], value_set=wanted))
                figures.wanted.update(
                    zip(found["treeoflife_id"].to_pylist(), found["row"].to_pylist(), strict=True)
                )
    figures.lineages = lineages.table()
    return figures


class _Lineages:
    """Counts of lineages, merged whenever many have come together."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        counted = rows.select([*_LINEAGE, "row"]).group_by(_LINEAGE)
        part = counted.aggregate([([], "count_all"), ("row", "min")])
        self._parts.append(part.rename_columns([*_LINEAGE, "images", "first"]))
        if sum(map(len, self._parts)) > _MERGED_ROWS:
            self._parts = [self._merged()]

    def _merged(self) -> pa.Table:
        together = pa.concat_tables(self._parts).unify_dictionaries()
        merged = together.group_by(_LINEAGE).aggregate([("images", "sum"), ("first", "min")])
        return merged.rename_columns([*_LINEAGE, "images", "first"])

    def table(self) -> pa.Table:
        schema = pa.schema(
            [*((name, pa.string()) for name in _LINEAGE), ("images", pa.int64()), ("first", pa.int64())]
        )
        if not self._parts:
            return schema.empty_table()
        return self._merged().cast(schema).sort_by([(name, "ascending") for name in _LINEAGE])


def _count_properties(rows: pa.Table, figures: CatalogFigures) -> None:
    width, height = (rows[name].to_numpy().astype(np.float64) for name in ("width", "height"))
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    figures.sides += _binned(shorter, SIDES)
    figures.aspects += _binned(longer / np.maximum(shorter, 1), ASPECTS)
    for name, counts in (("mode", figures.modes), ("format", figures.formats)):
        for one in rows[name].value_counts().to_pylist():
            counts[one["values"]] += one["counts"]


def _binned(values: np.ndarray[Any, Any], bounds: Sequence[float]) -> np.ndarray[Any, Any]:
    """Count the values from each bound up to the next."""
    classes = np.searchsorted(np.asarray(bounds), values, side="right") - 1
    return np.bincount(classes.clip(min=0), minlength=len(bounds))


def _add_examples(rows: pa.Table, figures: CatalogFigures, per_source: Counter[tuple[str, str, str]]) -> None:
    """Count the flags, and keep the first rows of each flag and split of each source."""
    numbers = rows["row"].to_numpy()
    sources, splits = (np.asarray(rows[name].to_pylist(), object) for name in ("source", "split"))
    flags = rows["flags"].combine_chunks()
    flat, of_row = pc.list_flatten(flags), pc.list_parent_indices(flags).to_numpy()
    for flag in sorted(pc.unique(flat).to_pylist()):
        flagged = of_row[pc.equal(flat, flag).to_numpy(zero_copy_only=False)]
        names, counts = np.unique(sources[flagged].astype(str), return_counts=True)
        figures.flags.update({(flag, name): int(count) for name, count in zip(names, counts, strict=True)})
        _keep(("flag", flag), numbers[flagged], sources[flagged], figures, per_source)
    for split in ("train", "val"):
        chosen = splits == split
        _keep(("split", split), numbers[chosen], sources[chosen], figures, per_source)


def _keep(
    key: tuple[str, str],
    numbers: np.ndarray[Any, Any],
    sources: np.ndarray[Any, Any],
    figures: CatalogFigures,
    per_source: Counter[tuple[str, str, str]],
) -> None:
    for source in sorted(set(sources.tolist())):
        room = _EXAMPLES - per_source[*key, source]
        if room > 0:
            kept = numbers[sources == source][:room].tolist()
            figures.examples.setdefault(key, []).extend(kept)
            per_source[*key, source] += len(kept)


def rows_at(catalog: Path, numbers: Sequence[int], columns: list[str]) -> pa.Table:
    """Return the rows of a catalog with these numbers, in ascending order; other row groups are not read."""
    wanted, start, found = np.unique(np.asarray(numbers, np.int64)), 0, []
    with pq.ParquetFile(catalog) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            here = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, end)]
            if len(here):
                found.append(file.read_row_group(group, columns).select(columns).take(pa.array(here - start)))
            start = end
    plain = [
        pa.field(one.name, one.type.value_type if pa.types.is_dictionary(one.type) else one.type)
        for one in schema
    ]
    tables = [table.cast(pa.schema(plain)) for table in found]
    rows = pa.concat_tables([pa.schema(plain).empty_table(), *tables])
    return rows.append_column("row", pa.array(wanted))
