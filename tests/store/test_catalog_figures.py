"""Figures on a catalog, counted row group by row group."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store import catalog_figures
from tol_luigi.store.catalog_figures import ASPECTS, SIDES, count_catalog, rows_at
from tol_luigi.store.exclusion_examples import excluded_examples
from tol_luigi.store.ledger import ledger_row, write_ledger

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]

TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("treeoflife_id", pa.string()),
        *((name, TEXT) for name in ("split", "source", *RANK_LABELS, "mode", "format")),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("flags", pa.list_(pa.string())),
    ]
)

image = st.fixed_dictionaries(
    {
        "split": st.sampled_from(["train", "val", "train_small"]),
        "source": st.sampled_from(["eol", "inat21"]),
        "mode": st.sampled_from(["RGB", "L"]),
        "format": st.just("JPEG"),
        "width": st.integers(1, 5000),
        "height": st.integers(1, 5000),
        "flags": st.lists(st.sampled_from(["grey", "upscaled"]), unique=True),
        **{rank: st.sampled_from(["", "a", "b"]) for rank in RANK_LABELS},
    }
)


def write(path: Path, rows: list[Row], group: int) -> Path:
    numbered = [{"treeoflife_id": f"id-{number}", **row} for number, row in enumerate(rows)]
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for start in range(0, len(rows), group):
            writer.write_table(pa.Table.from_pylist(numbered[start : start + group], SCHEMA))
    return path


@pytest.mark.parametrize("merged_rows", [0, 1 << 21], ids=["merged after each group", "merged at the end"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(image, max_size=25), group=st.integers(1, 9))
def test_figures_are_those_of_all_rows_wherever_row_groups_end(
    merged_rows: int, rows: list[Row], group: int, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_figures, "_MERGED_ROWS", merged_rows)
        figures = count_catalog(write(tmp_path / "catalog.parquet", rows, group), ids=["id-0", "id-9"])
    images = [(number, row) for number, row in enumerate(rows) if row["split"] != "train_small"]

    assert figures.samples == Counter((row["split"], row["source"]) for row in rows)
    assert figures.images == len(images)
    assert figures.flags == Counter((flag, row["source"]) for _, row in images for flag in row["flags"])
    assert figures.modes == Counter(row["mode"] for _, row in images)
    shorter = [min(row["width"], row["height"]) for _, row in images]
    assert figures.sides.tolist() == [
        sum(low <= side < high for side in shorter)
        for low, high in zip(SIDES, [*SIDES[1:], 1e9], strict=True)
    ]
    assert figures.aspects.sum() == len(images)
    assert len(figures.aspects) == len(ASPECTS)

    lineages: dict[tuple[str, ...], list[int]] = {}
    for number, row in images:
        lineages.setdefault((*(row[rank] for rank in RANK_LABELS), row["source"]), []).append(number)
    counted = figures.lineages.to_pylist()
    assert [(*(row[rank] for rank in RANK_LABELS), row["source"]) for row in counted] == sorted(lineages)
    assert [(row["images"], row["first"]) for row in counted] == [
        (len(numbers), numbers[0]) for _, numbers in sorted(lineages.items())
    ]
    assert figures.wanted == {f"id-{number}": number for number, _ in images if number in {0, 9}}
    for (kind, name), examples in figures.examples.items():
        kept = [
            number for number, row in images if name in (row["flags"] if kind == "flag" else [row["split"]])
        ]
        assert set(examples) <= set(kept)
        assert len(examples) >= min(len(kept), 12)


@given(numbers=st.lists(st.integers(0, 19)), group=st.integers(1, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_found_by_their_numbers(numbers: list[int], group: int, tmp_path: Path) -> None:
    rows = [{"source": "eol", "split": "val"} for _ in range(20)]
    catalog = write(tmp_path / "catalog.parquet", rows, group)

    found = rows_at(catalog, numbers, ["treeoflife_id", "source"]).to_pylist()

    assert found == [
        {"treeoflife_id": f"id-{number}", "source": "eol", "row": number} for number in sorted(set(numbers))
    ]


def test_a_few_examples_of_each_state_and_source_are_shown_in_the_order_of_the_states(tmp_path: Path) -> None:
    def row(number: int, source: str, state: str) -> Row:
        return ledger_row(f"id-{number}", source, "part", f"{number}.jpg", state, "why")

    states = ["written", "unreadable", "unreadable", "unreadable", "no_taxon"]
    write_ledger(tmp_path / "one", [row(number, "eol", state) for number, state in enumerate(states)])
    write_ledger(tmp_path / "two", [row(9, "inat21", "unreadable"), row(10, "eol", "unreadable")])
    write_ledger(tmp_path / "three", [row(11, "eol", "written")])
    found = excluded_examples([tmp_path / name for name in ("one", "two", "three")], 2)

    assert [(one["state"], one["id"]) for one in found] == [
        ("no_taxon", "id-4"),
        ("unreadable", "id-1"),
        ("unreadable", "id-2"),
        ("unreadable", "id-9"),
    ]
