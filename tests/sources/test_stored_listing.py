"""The rows of a listing in the order of their image ids, next to the images."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.keys import image_id
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources.stored_listing import (
    rows_of_images,
    stored_columns,
    stored_listing,
    stored_rows,
)
from tol_luigi.sources.url_rows import UrlRow
from tol_luigi.sources.url_table import TABLE, TableSection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RANKS = ("Animalia", "", "Aves", "", "", "Corvus", "corax")
ROWS = st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3)), max_size=12)


def stored(path: Path, rows: Sequence[UrlRow]) -> list[str]:
    """Store rows as a listing does, and return their ids."""
    ids = [image_id("table", f"own/{row.key}") for row in rows]
    table = stored_columns(rows, ids)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    pq.write_table(table.take(pa.array(order, pa.int64())), path)
    return ids


def test_what_names_an_image_comes_back(tmp_path: Path) -> None:
    row = UrlRow("k", "https://a", RANKS, "Corvus corax", "x:1", "raven", "cc0", 'A "b"', page="https://p")
    [image] = stored(stored_listing(tmp_path), [row])

    assert list(stored_rows(stored_listing(tmp_path))) == [(image, row)]


@given(ROWS, st.sets(st.integers(0, 12)))
def test_an_image_has_the_first_row_with_its_key(rows: list[tuple[int, str]], wanted: set[int]) -> None:
    listed = [(f"{key:02d}", UrlRow(str(key), url)) for key, url in rows]
    images = [(key, f"{key:02d}") for key in sorted(wanted)]
    first: dict[str, UrlRow] = {}
    for image, row in listed:
        first.setdefault(image, row)
    found = list(rows_of_images(images, sorted(listed, key=lambda pair: pair[0])))

    assert found == [(image, first[image]) for _, image in images if image in first]


def test_names_and_licences_are_those_of_the_listing_itself(tmp_path: Path) -> None:
    table = tmp_path / "urls.csv"
    lines = [
        f"https://x/{number},k{number},Animalia,Corvus,corax{number % 3},cc-by,Ann" for number in range(20)
    ]
    lines.append("https://again,k3,Plantae,Malus,domestica,cc0,Bob")
    table.write_text("\n".join(["url,key,kingdom,genus,species,license,owner", *lines]))
    section = TableSection(images=table)
    images = sorted(
        (("own", f"k{number}", image_id("table", f"own/k{number}")) for number in range(1, 22)),
        key=lambda image: image[-1],
    )

    def result(folder: Path) -> tuple[object, ...]:
        source = TABLE.open(section, folder)
        entries = list(source.labeler.entries(images, HigherRankTable(), CommonNames()))
        records = list(source.labeler.records(images))
        licenses = {}
        for table in source.licenses():
            for one in table.to_pylist():
                licenses.setdefault(one["key"], one)
        return entries, records, licenses

    read = result(tmp_path / "none")
    rows = list(TABLE.open(section, tmp_path).reader.listing())  # type: ignore[attr-defined]
    stored(stored_listing(tmp_path), [dataclasses.replace(row) for row in rows])
    table.unlink()  # the rows are stored, so the listing is not read again

    assert result(tmp_path) == read
    assert len(read[0]) == 19  # type: ignore[arg-type]
