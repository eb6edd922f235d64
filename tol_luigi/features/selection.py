"""The choice of samples by their features: rules that drop some, and at most so many of each taxon."""

from __future__ import annotations

import contextlib
import glob
import importlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.errors import DatasetError
from tol_luigi.core.files import scratch_path
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.column_names import joined_columns
from tol_luigi.features.expressions import connect
from tol_luigi.features.representatives import CANDIDATES, METHODS, Comparison, write_places
from tol_luigi.store.row_groups import table_writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.features.extractor import Extractor, Family

__all__ = [
    "FILTERED",
    "SELECTED",
    "SELECTION",
    "Selected",
    "SelectionSpec",
    "Tables",
    "count_matches",
    "sample_columns",
    "select_samples",
    "selection_figures",
]

SELECTED, FILTERED, TOO_FEW, SURPLUS = "selected", "filtered:", "too_few", "surplus"
"""The states of samples: chosen; dropped by the rule whose name follows; of a taxon with too few samples; more than the
most of their taxon."""

SELECTION = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("partition", pa.string()),
        pa.field("shard", pa.int32()),
        pa.field("position", pa.int32()),
        pa.field("state", pa.string()),
        pa.field("score", pa.float64()),
    ]
)
"""The columns of a selection, which has a row for each sample of the split, in the order of the shards."""

_ROWS, _CANDIDATES_AT_ONCE = 122_880, 32_768
"""The rows that are in memory at once: of results, and of samples with their vectors."""

_NEAR = {"near_cluster": ("cluster", pa.int64()), "near_keep": ("keep", pa.bool_())}
"""The columns of the near-duplicates, by the names that expressions call them."""


@dataclass(frozen=True)
class SelectionSpec:
    """Which samples are chosen.

    Attributes:
        split: The split that they come from.
        rules: The expressions of the rules by name; a sample is dropped by the first one that is true.
        most_per_taxon: The most samples of a taxon, 0 for no limit.
        least_per_taxon: The fewest samples of a taxon, else none of it is chosen.
        order_by: The expression of a number; the samples of a taxon with the highest ones are chosen.
        seed: Decides between samples with equal numbers.
        method: How the samples of a taxon with too many are chosen: ``order_by``, or one of
            :data:`.METHODS`, which compare vectors.
    """

    split: str
    rules: Mapping[str, str] = field(default_factory=dict)
    most_per_taxon: int = 0
    least_per_taxon: int = 0
    order_by: str = ""
    seed: int = 0
    method: str = "order_by"


@dataclass(frozen=True)
class Tables:
    """The tables that a selection reads.

    Attributes:
        catalog: The catalog.
        families: The families of features.
        paths: For each family, the tables of the shards of the split.
        near_duplicates: The table of near-duplicates, None if they are not looked for.
        vectors: The file of the vectors of each shard of the split, by its number; empty if none are compared.
    """

    catalog: Path
    families: Sequence[Extractor | Family]
    paths: Sequence[Sequence[Path]]
    near_duplicates: Path | None
    vectors: Mapping[int, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Selected:
    """What has been selected.

    Attributes:
        states: The number of samples in each state.
        comparison: The figures on the comparison of vectors, None if none were compared.
    """

    states: Mapping[str, int]
    comparison: Comparison | None


def sample_columns(catalog: pa.Schema, families: Sequence[Extractor | Family], *, near: bool) -> pa.Schema:
    """Return the columns that expressions can use: those of catalog, features and near-duplicates.

    Args:
        catalog: The columns of the catalog.
        families: The families of features.
        near: Whether near-duplicates are looked for.
    """
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in catalog
    ]
    own = [pa.field(alias, column.type) for _, alias, column in joined_columns(families, catalog.names)]
    return pa.schema(
        [*plain, *own, *(pa.field(name, kind) for name, (_, kind) in _NEAR.items() if near)],
    )


def _samples_sql(tables: Tables, split: str) -> str:
    """Return a query of all columns of the samples of a split."""
    catalog = pq.read_schema(tables.catalog)
    columns = [f'c."{name}"' for name in catalog.names]
    columns += [
        f'{_known(number, column)} AS "{alias}"'
        for number, alias, column in joined_columns(tables.families, catalog.names)
    ]
    joins = [
        f"LEFT JOIN read_parquet([{', '.join(map(_place, files))}]) f{number} ON f{number}.key = c.treeoflife_id"
        for number, files in enumerate(tables.paths)
    ]
    if tables.near_duplicates is not None:
        # A sample without near-duplicates is the one to keep.
        columns += ["n.cluster AS near_cluster", "coalesce(n.keep, true) AS near_keep"]
        joins.append(f"LEFT JOIN read_parquet({_place(tables.near_duplicates)}) n ON n.id = c.treeoflife_id")
    rows = f"(SELECT * FROM read_parquet({_place(tables.catalog)}) WHERE split = {_text(split)}) c"  # noqa: S608
    return " ".join(["SELECT", ", ".join(columns), "FROM", rows, *joins])


def _known(number: int, column: pa.Field) -> str:
    """Return a column in SQL; what is not a number is null."""
    name = f'f{number}."{column.name}"'
    return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END" if pa.types.is_floating(column.type) else name


def _text(value: object) -> str:
    """Return a text in SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def _place(path: Path) -> str:
    """Return a path in SQL; brackets and stars in it are no patterns."""
    return _text(glob.escape(str(path)))


def _is_true(expression: str) -> str:
    return f"coalesce(CAST((\n{expression}\n) AS BOOLEAN), false)"


_TAXON = ", ".join(f'"{rank}"' for rank in RANK_LABELS)


def _ruled_sql(spec: SelectionSpec, samples: str) -> str:
    """Return a query of all samples with the first rule that is true, their number, and the order of drawing them."""
    whens = "".join(f" WHEN {_is_true(rule)} THEN {_text(name)}" for name, rule in spec.rules.items())
    rule = f"CASE{whens} END" if whens else "NULL"
    number = f"CAST((\n{spec.order_by}\n) AS DOUBLE)" if spec.order_by else "NULL"
    # What is not a number would be the highest.
    score = f"CASE WHEN isnan({number}) THEN NULL ELSE {number} END" if spec.order_by else number
    return f"""
SELECT treeoflife_id AS id, source, partition, shard, position, {_TAXON},
       {rule} AS rule, CAST({score} AS DOUBLE) AS score,
       md5('{spec.seed} ' || treeoflife_id) AS drawn
FROM ({samples}) samples"""  # noqa: S608 (expressions are validated)


def _candidates_sql(spec: SelectionSpec, samples: str) -> str:
    """Return a query of the samples whose vectors are compared: taxon by taxon, by id.

    These are the samples of taxa with more than the most; of those with very many, some that are drawn.
    """
    return f"""
SELECT id, shard, position, available
FROM (
    SELECT *, count(*) OVER same AS available, row_number() OVER (same ORDER BY drawn, id) AS draw
    FROM ({_ruled_sql(spec, samples)})
    WHERE rule IS NULL
    WINDOW same AS (PARTITION BY {_TAXON}))
WHERE available > {spec.most_per_taxon} AND available >= {spec.least_per_taxon} AND draw <= {CANDIDATES}
ORDER BY {_TAXON}, id"""  # noqa: S608 (expressions are validated)


def _selection_sql(spec: SelectionSpec, samples: str, places: Path | None) -> str:
    """Return a query of the states of all samples, in the order of the shards.

    Args:
        spec: Which samples are chosen.
        samples: The query of the samples.
        places: The result of :func:`.write_places`, None if no vectors are compared.
    """
    ruled, order = _ruled_sql(spec, samples), "score DESC NULLS LAST"
    if places is not None:
        ruled = f"""
SELECT r.* REPLACE (p.score AS score), p.place AS chosen
FROM ({ruled}) r LEFT JOIN read_parquet({_place(places)}) p ON p.id = r.id"""  # noqa: S608 (as above)
        order = "chosen NULLS LAST"
    many = f"WHEN place > {spec.most_per_taxon} THEN '{SURPLUS}'" if spec.most_per_taxon else ""
    return f"""
WITH ranked AS (
    SELECT *, count(*) OVER same AS available,
           row_number() OVER (same ORDER BY {order}, drawn, id) AS place
    FROM ({ruled})
    WINDOW same AS (PARTITION BY rule IS NULL, {_TAXON}))
SELECT id, source, partition, shard, position,
       CASE WHEN rule IS NOT NULL THEN '{FILTERED}' || rule
            WHEN available < {spec.least_per_taxon} THEN '{TOO_FEW}' {many}
            ELSE '{SELECTED}' END AS state,
       score
FROM ranked ORDER BY shard, position"""  # noqa: S608 (as above)


def select_samples(spec: SelectionSpec, tables: Tables, output: Path, threads: int = 1) -> Selected:
    """Write the state of each sample of a split.

    Args:
        spec: Which samples are chosen; its expressions must be valid.
        tables: What is read.
        output: The file.
        threads: The threads of DuckDB. The result does not depend on it.

    Raises:
        DatasetError: An expression fails for a sample.
    """
    counts: Counter[str] = Counter()
    samples = _samples_sql(tables, spec.split)
    with (
        table_writer(output, SELECTION) as writer,  # makes the folder
        _compared(spec, tables, samples, output, threads) as (places, comparison),
    ):
        for batch in _batches(_selection_sql(spec, samples, places), output.parent, threads):
            rows = pa.Table.from_batches([batch]).cast(SELECTION)
            writer.write_table(rows)
            for count in rows["state"].value_counts().to_pylist():
                counts[count["values"]] += count["counts"]
    states = (SELECTED, *(f"{FILTERED}{name}" for name in spec.rules), TOO_FEW, SURPLUS)
    return Selected({state: counts[state] for state in states}, comparison)


@contextlib.contextmanager
def _compared(
    spec: SelectionSpec, tables: Tables, samples: str, output: Path, threads: int
) -> Iterator[tuple[Path | None, Comparison | None]]:
    """Compare the vectors of the candidates; yield a scratch file with their places, and figures."""
    if spec.method not in METHODS:
        yield None, None
        return
    places = scratch_path(output.with_name("places.parquet"))
    try:
        query = _candidates_sql(spec, samples)
        candidates = _batches(query, output.parent, threads, _CANDIDATES_AT_ONCE)
        method, most = METHODS[spec.method], spec.most_per_taxon
        yield places, write_places(candidates, tables.vectors, method, most, places)
    finally:
        places.unlink(missing_ok=True)


def _batches(query: str, folder: Path, threads: int, rows: int = _ROWS) -> Iterator[pa.RecordBatch]:
    """Yield the result of a query; what does not fit into memory is spooled to a folder."""
    duckdb, connection = importlib.import_module("duckdb"), connect()
    try:
        # The statistics of Parquet ignore what is not a number, so what they seem to imply may be wrong.
        connection.execute("SET disabled_optimizers = 'statistics_propagation'")
        connection.execute(f"SET threads = {threads}")
        connection.execute(f"SET temp_directory = {_text(folder / '.duckdb')}")
        relation = connection.sql(query)
        # fetch_arrow_reader until DuckDB 1.4
        read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
        yield from read(rows)
    except duckdb.Error as error:
        what = f"an expression fails for a sample ({str(error).partition(chr(10))[0]})"
        raise DatasetError("[filter] rules or [select] order_by", what, "Correct the expression") from error
    finally:
        connection.close()


def count_matches(spec: SelectionSpec, tables: Tables, folder: Path, threads: int = 1) -> dict[str, int]:
    """Return for each rule how many samples it is true for, whether or not a rule before it is true, too.

    Args:
        spec: The rules.
        tables: What is read.
        folder: The folder to which is spooled what does not fit into memory.
        threads: The threads of DuckDB.
    """
    if not spec.rules:
        return {}
    sums = ", ".join(
        f'count(*) FILTER (WHERE {_is_true(rule)}) AS "{name}"' for name, rule in spec.rules.items()
    )
    query = f"WITH samples AS ({_samples_sql(tables, spec.split)}) SELECT {sums} FROM samples"  # noqa: S608
    (batch,) = _batches(query, folder, threads)
    return {name: batch[name][0].as_py() for name in spec.rules}


def selection_figures(spec: SelectionSpec, selected: Selected, taxa: int) -> dict[str, Any]:
    """Return the figures on a selection.

    Args:
        spec: Which samples were chosen.
        selected: The result of :func:`select_samples`.
        taxa: The number of taxa with chosen samples.
    """
    counts, comparison = selected.states, selected.comparison
    return {
        "split": spec.split,
        "samples": sum(counts.values()),
        "selected": counts[SELECTED],
        "taxa": taxa,
        "filtered": {name: counts[f"{FILTERED}{name}"] for name in spec.rules},
        "too_few": counts[TOO_FEW],
        "surplus": counts[SURPLUS],
        **({"compared": {"method": spec.method, **asdict(comparison)}} if comparison else {}),
    }
