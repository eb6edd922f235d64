"""The rows of a listing in the order of their image ids, next to the images."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.errors import MappingError
from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.keys import image_id
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources.stored_listing import (
    STORED_SCHEMA,
    Label,
    NameKeys,
    StoredLabels,
    labelled,
    labels_of,
    labels_of_images,
    name_key,
    stored_labels,
    stored_listing,
)
from tol_luigi.sources.url_rows import LABEL_COLUMNS, url_rows
from tol_luigi.sources.url_table import TABLE, TableSection

if TYPE_CHECKING:
    from pathlib import Path

RANKS = ("Animalia", "", "Aves", "", "", "Corvus", "corax")
TEXT = st.text(max_size=2)
LABEL = st.builds(Label, st.tuples(*[TEXT] * 7), TEXT, TEXT, TEXT)
LISTED = st.dictionaries(st.integers(0, 12), st.sampled_from("abc"), max_size=12)


def stored(folder: Path, rows: pa.Table) -> None:
    """Store rows as ``ListUrls`` does."""
    name_keys, labels = labelled(rows)
    ids = pa.array([image_id("table", f"own/{key}") for key in rows["key"].to_pylist()])
    table = rows.append_column("id", ids).append_column("label", name_keys).select(STORED_SCHEMA.names)
    firsts = list({image: number for number, image in reversed(list(enumerate(ids.to_pylist())))}.values())
    pq.write_table(table.take(firsts).sort_by("id"), stored_listing(folder))
    pq.write_table(labels.sort_by("label"), stored_labels(folder))


def test_what_names_an_image_comes_back(tmp_path: Path) -> None:
    row = {"key": "k", "url": "https://a", "license": "cc0", "owner": 'A "b"', "page": "https://p"}
    named = {**dict(zip(LABEL_COLUMNS, (*RANKS, "Corvus corax", "x:1", "raven"), strict=True)), **row}
    both = {name: [cell, ""] for name, cell in named.items()}
    stored(tmp_path, url_rows({**both, "key": ["k", "other"], "url": ["https://a", "https://b"]}))
    image = image_id("table", "own/k")
    [key] = labels_of_images([("own", "k", image)], stored_listing(tmp_path))

    labels = StoredLabels(tmp_path)
    assert labels[key] == Label(RANKS, "Corvus corax", "x:1", "raven")
    for other in ("0" * 32, "f" * 32):
        with pytest.raises(MappingError, match=f"lacks the label {other}"):
            labels[other]
    [cells] = [one for one in pq.read_table(stored_listing(tmp_path)).to_pylist() if one["id"] == image]
    assert {name: cells[name] for name in row} == row


@given(st.lists(LABEL, min_size=1, max_size=6))
def test_each_row_has_the_name_key_of_its_label(labels: list[Label]) -> None:
    cells = [(*label.ranks, *label[1:]) for label in labels]
    columns = dict(zip(LABEL_COLUMNS, map(list, zip(*cells, strict=True)), strict=True))
    name_keys, known = labelled(url_rows({"key": list(map(str, range(len(labels)))), **columns}))

    assert name_keys.to_pylist() == list(map(name_key, labels))
    assert known["label"].to_pylist() == list(dict.fromkeys(name_keys.to_pylist()))
    assert list(labels_of(known)) == list(dict.fromkeys(labels))


@given(st.lists(LABEL, max_size=4))
def test_only_equal_labels_have_the_same_name_key(labels: list[Label]) -> None:
    assert len(set(map(name_key, labels))) == len(set(labels))


@given(LISTED, st.sets(st.integers(0, 12)), st.lists(st.integers(0, 12)), st.integers(1, 4))
def test_each_image_has_the_name_key_of_its_row(
    folder: Path, listed: dict[int, str], wanted: set[int], cuts: list[int], batch: int
) -> None:
    path, known = stored_listing(folder), {f"{number:02d}": key for number, key in listed.items()}
    rows = [[image, "", "", "", "", "", key] for image, key in sorted(known.items())]
    columns = list(zip(*rows, strict=True)) or [[]] * len(STORED_SCHEMA)
    pq.write_table(
        pa.table([pa.array(column, pa.string()) for column in columns], schema=STORED_SCHEMA), path
    )
    images = [f"{number:02d}" for number in sorted(wanted)]
    expected = [known.get(image) for image in images]

    assert list(labels_of_images(((image,) for image in images), path)) == [key for key in expected if key]
    bounds = sorted({0, len(images), *(cut for cut in cuts if cut < len(images))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tol_luigi.sources.stored_listing._ROWS", batch)
        keys = NameKeys(path)
        parts = [
            pa.table({IMAGE_ID: pa.array(images[a:b], pa.string())}) for a, b in itertools.pairwise(bounds)
        ]
        assert [key for part in parts for key in keys.of(part).to_pylist()] == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for all examples."""
    return tmp_path_factory.mktemp("stored")


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
        known = pa.table(
            {
                name: list(part)
                for name, part in zip(("collection", "key", IMAGE_ID), zip(*images, strict=True), strict=True)
            }
        )
        return entries, records, licenses, source.labeler.name_keys()(known).to_pylist()

    read = result(tmp_path / "none")
    stored(tmp_path, pa.concat_tables(TABLE.open(section, tmp_path).reader.listing()))  # type: ignore[attr-defined]
    table.unlink()  # the rows are stored, so the listing is not read again

    assert result(tmp_path) == read
    entries, records, licenses, keys = read
    assert len(entries) == len(records) == 3  # type: ignore[arg-type]
    assert len(licenses) == 20  # type: ignore[arg-type]
    assert sorted(map(keys.count, set(keys))) == [2, 6, 6, 7]  # type: ignore[attr-defined, call-overload]
