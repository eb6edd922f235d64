"""Rules and limits: each sample ends in one state, and the same settings always choose the same samples."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn_samples import image_id, write_catalog, write_family
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.features.expressions import parse_rules, validate_expression
from tol_luigi.features.extractor import Extractor, Options
from tol_luigi.features.selection import (
    SelectionSpec,
    Tables,
    count_matches,
    sample_columns,
    select_samples,
    selection_figures,
)
from tol_luigi.report.selection import selection_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tol_luigi.features.extractor import Columns

COUNT = 60


class Scores(Extractor):
    """Two columns; one has the name of a column of the catalog."""

    columns = (pa.field("sharp", pa.float64()), pa.field("width", pa.int32()))

    def prepare(self, sample: Any) -> None:
        """Do nothing."""

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return nothing."""
        del batch, before
        return {}


SCORES = Scores("scores", Options())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """A catalog, scores (one of which is not a number), and a table of near-duplicates."""
    folder = tmp_path_factory.mktemp("selection [1] *")
    write_catalog(folder / "catalog.parquet", COUNT)
    sharp = np.random.default_rng(2).random(COUNT)
    sharp[0] = np.nan
    family = write_family(
        folder / "scores" / "train" / "shard-000000.parquet",
        {"sharp": sharp, "width": pa.array(range(COUNT), pa.int32())},
    )
    near = {"id": [image_id(20), image_id(21)], "cluster": [0, 0], "keep": [True, False]}
    pq.write_table(pa.table(near), folder / "near.parquet")
    return Tables(folder / "catalog.parquet", [SCORES], [[family]], folder / "near.parquet")


def selected(spec: SelectionSpec, tables: Tables, output: Path, threads: int = 1) -> list[dict[str, Any]]:
    counts = select_samples(spec, tables, output, threads).states
    rows: list[dict[str, Any]] = pq.read_table(output).to_pylist()
    states = Counter(row["state"] for row in rows)
    assert counts == {state: states[state] for state in counts}
    return rows


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    most=st.integers(0, 12),
    least=st.integers(0, 12),
    threshold=st.floats(0, 1),
    order=st.sampled_from(["", "sharp", "-sharp", "width"]),
    seed=st.integers(0, 9),
)
def test_the_laws_of_a_selection(  # noqa: PLR0917 (drawn by name)
    tables: Tables, tmp_path: Path, most: int, least: int, threshold: float, order: str, seed: int
) -> None:
    rules = {"blurry": f"sharp < {threshold!r}", "second": "NOT near_keep"}
    spec = SelectionSpec("train", rules, most, least, order, seed)
    rows = selected(spec, tables, tmp_path / "selection.parquet")
    assert selected(spec, tables, tmp_path / "again.parquet", threads=3) == rows
    catalog = {row["treeoflife_id"]: row for row in pq.read_table(tables.catalog).to_pylist()}
    sharp = dict(enumerate(pq.read_table(tables.paths[0][0])["sharp"].to_pylist()))
    train = [row for row in catalog.values() if row["split"] == "train"]
    assert [row["id"] for row in rows] == [row["treeoflife_id"] for row in train]
    by_species: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of = catalog[row["id"]]
        by_species.setdefault(f"{of['genus']} {of['species']}", []).append(row)
        is_blurry = sharp[int(row["id"][:8], 16)] < threshold  # false for what is no number
        assert (row["state"] == "filtered:blurry") == is_blurry
    for ones in by_species.values():
        passing = [row for row in ones if not row["state"].startswith("filtered:")]
        chosen = [row for row in ones if row["state"] == "selected"]
        if len(passing) < least:
            assert not chosen
            assert {row["state"] for row in passing} <= {"too_few"}
        else:
            assert len(chosen) == (min(most, len(passing)) if most else len(passing))
            scores = [row["score"] for row in chosen if row["score"] is not None]
            others = [row["score"] for row in passing if row not in chosen and row["score"] is not None]
            assert not scores or not others or min(scores) >= max(others)


def test_a_seed_decides_between_equal_samples_and_the_first_rule_counts(
    tables: Tables, tmp_path: Path
) -> None:
    chosen = set()
    for seed in range(8):
        rows = selected(SelectionSpec("train", {}, 3, 0, "", seed), tables, tmp_path / "s.parquet")
        chosen.add(tuple(row["id"] for row in rows if row["state"] == "selected"))
    assert len(chosen) > 4
    spec = SelectionSpec("train", {"all": "true", "bees": "genus = 'Apis'"})
    assert {row["state"] for row in selected(spec, tables, tmp_path / "s.parquet")} == {"filtered:all"}
    assert count_matches(spec, tables, tmp_path) == {"all": 54, "bees": 24}


@pytest.mark.parametrize("rule", ["sharp < 1.0", "sharp >= 0.0", "NOT sharp < 0.5", "isnan(sharp)"])
def test_no_rule_drops_what_is_not_a_number(tables: Tables, tmp_path: Path, rule: str) -> None:
    rows = selected(SelectionSpec("train", {"rule": rule}), tables, tmp_path / "s.parquet")
    assert rows[0]["state"] == "selected"


def test_the_report_has_the_sums(tables: Tables, tmp_path: Path) -> None:
    spec = SelectionSpec("train", {"second": "NOT near_keep"}, 5, 0, "scores_width", 0)
    figures = selection_figures(spec, select_samples(spec, tables, tmp_path / "s.parquet"), 5)
    assert figures["samples"] == 54
    assert figures["selected"] + figures["surplus"] + figures["filtered"]["second"] == 54
    text = selection_text(figures, {"second": 1})
    assert "dropped by second" in text
    assert "true for 1\n" in text
    assert "of 5 taxa\n" in text


def test_an_expression_that_fails_for_a_sample_is_an_error(tables: Tables, tmp_path: Path) -> None:
    spec = SelectionSpec("train", {"odd": "CAST(genus AS INTEGER) > 1"})
    with pytest.raises(DatasetError, match=r"\[filter\] rules .*fails for a sample .*Apis"):
        select_samples(spec, tables, tmp_path / "s.parquet")
    assert list(tmp_path.iterdir()) == []


COLUMNS = sample_columns(
    pa.schema([("genus", pa.dictionary(pa.int32(), pa.string())), ("width", pa.int32())]), [SCORES], near=True
)


def test_columns_have_the_name_of_their_extractor_if_others_have_theirs() -> None:
    assert COLUMNS.names == [
        *("genus", "width", "sharp", "scores_width", "scores_status", "near_cluster", "near_keep")
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "sharp < 0.5 AND genus LIKE 'A%'",
        "SHARP < 1 -- a comment",
        "samples.sharp < 1",
        "scores_status <> 'ok' OR near_keep",
        "width BETWEEN 1 AND 9 OR genus IN ('Apis')",
        "CASE WHEN sharp IS NULL THEN true ELSE false END",
    ],
)
def test_a_condition_on_columns_is_a_rule(expression: str) -> None:
    validate_expression("[filter] rules: r", expression, COLUMNS, "BOOLEAN")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("sharpness < 1", "there is no column sharpness. Valid are genus, width, sharp, scores_width"),
        ("random() < 0.5", "random does not always return the same value"),
        ("current_date > date '2020-01-01'", "there is no column current_date"),
        ("sharp < (SELECT 1)", "cannot contain a query"),
        ("(SELECT content FROM read_text('/etc/passwd')) = ''", "cannot contain a query"),
        ("1) FROM samples; DROP TABLE samples; SELECT (1", "Only SELECT"),
        ("true), (false", "not a single expression"),
        ("sharp <", "syntax error"),
        ("count(*) > 1", "aggregates"),
        ("row_number() OVER () > 1", "cannot contain a window function"),
        ("sharp > ?", "cannot contain a parameter"),
        ("genus", "its value is VARCHAR, not BOOLEAN"),
        ("sharp", "its value is DOUBLE, not BOOLEAN"),
        ("nothing(sharp)", "nothing"),
    ],
)
def test_what_is_no_rule_is_one_line(expression: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        validate_expression("[filter] rules: r", expression, COLUMNS, "BOOLEAN")
    assert str(caught.value).startswith(f"[filter] rules: r = {expression}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_order_is_a_number() -> None:
    validate_expression("[select] order_by", "sharp * log(width)", COLUMNS, "DOUBLE")
    validate_expression("[select] order_by", "near_keep", COLUMNS, "DOUBLE")
    with pytest.raises(SettingsError, match="its value is VARCHAR, not a number"):
        validate_expression("[select] order_by", "genus", COLUMNS, "DOUBLE")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["blurry sharp < 1"], "'blurry sharp < 1' is not of the form"),
        (["Blurry = sharp < 1"], "is not of the form"),
        (["a\x1b[31m = sharp < 1"], "is not of the form"),
        (["a == 1"], "is not of the form"),
        (["a = x", "a = y"], "a is the name of two rules"),
    ],
)
def test_a_rule_has_a_name_of_its_own(lines: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_rules(lines)
    assert parse_rules(["a = x = 1", "b_2=y"]) == {"a": "x = 1", "b_2": "y"}
