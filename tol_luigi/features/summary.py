"""What the features of a dataset are like: states, ranges and histograms; and one view that joins them all."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from tol_luigi.features.column_names import joined_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.features.extractor import Extractor, Family

__all__ = ["features_figures", "tables_in", "views_text"]

_BINS = 20
_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
_MOST_VALUES = 20
"""The most values of a text column that are counted one by one."""

_LONGEST_VALUE = 40
"""The most characters of a value that is counted: longer ones, such as hashes, are no classes."""


def tables_in(
    folder: Path, extractors: Sequence[Extractor | Family]
) -> Iterator[tuple[Extractor | Family, list[Path]]]:
    """Yield extractors, and other families, of a dataset with their tables.

    Args:
        folder: The folder of the families.
        extractors: The extractors, and other families.
    """
    for extractor in extractors:
        yield extractor, sorted((folder / extractor.folder).glob("*/*.parquet"))


def features_figures(
    families: Iterable[tuple[Extractor | Family, Sequence[Path]]],
) -> dict[str, Any]:
    """Return the figures on features.

    Args:
        families: Extractors, and other families, with their tables.

    Returns:
        By name of an extractor: the number of rows, the number of rows in each state, and for each column that is a
        number, a truth value or a text with few values, what it contains.
    """
    return {extractor.name: _family_figures(extractor, tables) for extractor, tables in families}


def _family_figures(extractor: Extractor | Family, tables: Sequence[Path]) -> dict[str, Any]:
    rows = pads.dataset([str(table) for table in tables], format="parquet")
    states: Counter[str] = Counter()
    for batch in rows.to_batches(columns=["status"]):
        for count in batch["status"].value_counts().to_pylist():
            states[count["values"]] += count["counts"]
    columns = {
        column.name: figures
        for column in extractor.columns
        if (figures := _column_figures(rows, column)) is not None
    }
    return {"rows": rows.count_rows(), "states": dict(sorted(states.items())), "columns": columns}


def _column_figures(rows: pads.Dataset, column: pa.Field) -> dict[str, Any] | None:
    values = rows.to_table(columns=[column.name]).column(0).drop_null()
    if pa.types.is_boolean(column.type):
        return {"true": pc.sum(values.cast(pa.int64())).as_py() or 0, "known": len(values)}
    if pa.types.is_floating(column.type) or (pa.types.is_integer(column.type) and column.type != pa.uint64()):
        return _number_figures(values.cast(pa.float64()).to_numpy())
    if pa.types.is_string(column.type):
        counts = values.value_counts().to_pylist()
        if len(counts) <= _MOST_VALUES and all(len(count["values"]) <= _LONGEST_VALUE for count in counts):
            return {"values": {count["values"]: count["counts"] for count in sorted(counts, key=_by_count)}}
    return None


def _by_count(count: dict[str, Any]) -> tuple[int, str]:
    return -count["counts"], count["values"]


def _number_figures(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    values = values[np.isfinite(values)]
    if not len(values):
        return {"known": 0}
    counts, edges = np.histogram(values, bins=_BINS)
    return {
        "known": len(values),
        "mean": _rounded(values.mean()),
        "least": _rounded(values.min()),
        "greatest": _rounded(values.max()),
        "quantiles": {str(share): _rounded(np.quantile(values, share)) for share in _QUANTILES},
        "histogram": {"edges": [_rounded(edge) for edge in edges], "counts": counts.tolist()},
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


_HEADER = """\
-- The features of the samples, joined with the catalog; one row for each sample, by id.
-- In the folder of the shards: duckdb -c ".read features/views.sql" -c "SELECT * FROM features LIMIT 5"
CREATE OR REPLACE VIEW features AS
SELECT catalog.*{columns}
FROM read_parquet('catalog.parquet') AS catalog
{joins};
"""


def views_text(families: Sequence[Extractor | Family], catalog: Sequence[str]) -> str:
    """Return a script for DuckDB with a view of the catalog and the columns of all families.

    Args:
        families: The families; see :func:`.joined_columns` for the names of their columns.
        catalog: The columns of the catalog.
    """
    columns = [
        f',\n       f{number}."{column.name}" AS "{name}"'
        for number, name, column in joined_columns(families, catalog)
    ]
    joins = [
        f"LEFT JOIN read_parquet('features/{family.folder}/*/*.parquet') AS f{number} ON f{number}.key = catalog.treeoflife_id"
        for number, family in enumerate(families)
    ]
    return _HEADER.format(columns="".join(columns), joins="\n".join(joins))
