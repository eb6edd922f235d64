"""What a query finds is what a plain reading of catalog and ledgers finds, page by page, each image once."""

from __future__ import annotations

import itertools
import shutil
import tarfile
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from browsed_images import OWNER
from drawn_samples import write_family
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.browse.conditions import matching_rows
from tol_luigi.browse.image_ids import SortedIds, as_words, id_range, spelt
from tol_luigi.browse.index import open_index
from tol_luigi.browse.opened import BrowsedDataset
from tol_luigi.browse.query import Query
from tol_luigi.core.errors import DamagedError, DatasetError, SettingsError, ShardError
from tol_luigi.core.layout import Layout
from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Rows = list[dict[str, Any]]

TEXTS = ["", "corvus", "Corvus  corax", "QUERCUS", "aves", "<img", "\x1b[31mred", "no such name", "e"]
TAXA = [
    {},
    {"kingdom": "Animalia"},
    {"kingdom": "Animalia", "phylum": "Chordata"},
    {"kingdom": "Plantae", "order": ""},
    {"genus": "Corvus"},
    {"kingdom": "<b>"},
]
CONDITIONS = {
    "": lambda _: True,
    "width >= 60": lambda row: row.get("width", 0) >= 60,
    "species = 'corax' OR list_contains(flags, 'upscaled')": (
        lambda row: row.get("width") is not None and (row["species"] == "corax" or "upscaled" in row["flags"])
    ),
}

fields = st.fixed_dictionaries(
    {
        "q": st.sampled_from(TEXTS),
        "split": st.sampled_from(["", "train", "val", "train_small", "test"]),
        "source": st.sampled_from(["", "folder", "other"]),
        "state": st.sampled_from(["", "any", "written", "unreadable", "duplicate", "missing"]),
        "where": st.sampled_from(list(CONDITIONS)),
        "only": st.sampled_from(["", "1"]),
    }
)


def in_files(dataset: BrowsedDataset) -> Rows:
    """Read catalog and ledgers in their order."""
    layout = dataset.layout
    catalog: Rows = pq.read_table(layout.catalog).to_pylist()
    rows = [{**row, "id": row["treeoflife_id"], "state": "written"} for row in catalog]
    predicted = {row["treeoflife_id"]: row for row in pq.read_table(layout.predicted).to_pylist()}
    unnamed = dict.fromkeys([*RANK_LABELS, "common"], "")
    for split, path in [
        *(("", path) for path in (layout.mapping_ledger, layout.names_ledger)),
        *((path.parts[-3], path) for path in sorted(layout.shards.glob("records/[tv]*/*/*.ledger.parquet"))),
    ]:
        for row in pq.read_table(path).to_pylist() if split != "train_small" else []:
            if row["state"] != "written":
                names = {name: predicted.get(row["id"], unnamed)[name] for name in unnamed}
                rows.append(
                    {**names, "id": row["id"], "split": split, "source": row["source"], "state": row["state"]}
                )
    return rows


@pytest.fixture(scope="session")
def listed(first: BrowsedDataset) -> Rows:
    return in_files(first)


@pytest.fixture(scope="session")
def written_in_second(second: BrowsedDataset) -> set[str]:
    return {row["id"] for row in in_files(second) if row["state"] == "written"}


def is_found(row: dict[str, Any], asked: dict[str, str], taxon: dict[str, str], others: set[str]) -> bool:
    names = [" ".join(row[rank] or "" for rank in RANK_LABELS), row["common"] or ""]
    state = asked["state"] or "written"
    return (
        any(" ".join(asked["q"].lower().split()) in name.lower() for name in names)
        and (row["split"] == asked["split"] if asked["split"] else row["split"] != "train_small")
        and asked["source"] in {"", row["source"]}
        and state in {"any", row["state"]}
        and all((row[rank] or "") == name for rank, name in taxon.items())
        and CONDITIONS[asked["where"]](row)
        and not (asked["only"] and (row["state"] != "written" or row["id"] in others))
    )


@settings(max_examples=25)
@given(fields, st.sampled_from(TAXA), st.integers(1, 80))
def test_pages_show_each_image_that_is_asked_for_once_and_in_order(  # noqa: PLR0917 (pytest names them)
    first: BrowsedDataset,
    second: BrowsedDataset,
    listed: Rows,
    written_in_second: set[str],
    asked: dict[str, str],
    taxon: dict[str, str],
    size: int,
) -> None:
    query = Query.of({**asked, **taxon})
    expected = [number for number, row in enumerate(listed) if is_found(row, asked, taxon, written_in_second)]
    total, rows = first.page(query, 0, size, second)
    pages = [rows, *(first.page(query, start, size, second)[1] for start in range(size, total, size))]
    shown = list(itertools.chain(*pages))

    assert total == len(expected)
    assert [record["row"] for record in shown] == expected
    assert [record["id"] for record in shown] == [listed[number]["id"] for number in expected]
    counts = first.search(second).counts(query)
    assert sum(dict(counts["taxa"]).values()) == (total if counts["rank"] else 0)
    for part in ("split", "source", "state"):
        ignored = {**asked, part: "any" if part == "state" else ""}
        if part == "split":
            alike = [
                row
                for row in listed
                if is_found(row, {**ignored, "split": row["split"]}, taxon, written_in_second)
            ]
        else:
            alike = [row for row in listed if is_found(row, ignored, taxon, written_in_second)]
        assert dict(counts[part]) == Counter(row[part] for row in alike)


def test_an_image_is_found_by_its_id_and_by_its_beginning(first: BrowsedDataset, listed: Rows) -> None:
    for row in listed:
        for text in (row["id"].upper(), row["id"][:9], row["id"][:6]):
            query = Query.of({"q": text, "state": "any", "split": row["split"]})
            assert row["id"] in [record["id"] for record in first.page(query, 0, 10)[1]]
    assert id_range("bee") is None
    assert id_range("facade-ss") is None
    assert id_range("") is None


@pytest.mark.parametrize(
    ("file", "states"),
    [
        ("it's <b>2.jpg", {"written"}),
        ("photos/it's <b>2.jpg", {"written"}),
        ("it's <b>7.jpg", {"unreadable"}),
        ("b>8.", {"duplicate"}),
        ("it's <b>999.jpg", set()),
    ],
)
def test_an_image_is_found_by_its_file(file: str, states: set[str], first: BrowsedDataset) -> None:
    _, rows = first.page(Query.of({"q": file, "state": "any"}), 0, 10)
    assert {row["state"] for row in rows} == states
    for row in rows:
        assert first.life(row["row"])["trace"]["member"] in {
            file,
            file.removeprefix("photos/"),
            "it's <b>8.jpg",
        }


def test_the_licence_of_an_image_is_that_of_its_table(first: BrowsedDataset) -> None:
    _, rows = first.page(Query.of({}), 0, 100)
    licenses = [first.license(row["row"]) for row in (rows[0], rows[-1])]
    assert [(each["name"], each["owner"]) for each in licenses if each] == [("cc-by-4.0", OWNER)] * 2


def test_images_of_the_other_dataset_are_marked(first: BrowsedDataset, second: BrowsedDataset) -> None:
    states = {row["id"]: row["state"] for row in in_files(second)}
    _, rows = first.page(Query.of({"state": "any"}), 0, 200, second)
    assert {row["id"]: row["other"] for row in rows} == {row["id"]: states.get(row["id"], "") for row in rows}
    assert {row["other"] for row in rows} == {"written", "", "unreadable", "duplicate"}


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("width >", "syntax error"),
        ("breadth > 1", "there is no column breadth"),
        ("width", "its value is INTEGER"),
        ("width > (SELECT 1)", "a query in it"),
        ("1); DROP TABLE samples; --", "parser error|syntax error|not a single expression"),
        ("random() > 0.5", "does not always return the same value"),
        ("1 / (width - width) > 0 AND CAST(common AS INTEGER) > 0", "Could not convert"),
    ],
)
def test_a_condition_that_cannot_be_computed_is_one_line(
    condition: str, what: str, first: BrowsedDataset
) -> None:
    with pytest.raises((SettingsError, DatasetError), match=f"(?i){what}") as error:
        matching_rows(first.layout, condition)
    assert "\n" not in str(error.value)


EVIL = """x"{0} FROM read_csv('/etc/passwd') --"""
"""A name of a column that ends a query and begins another one, unless it is taken for a name."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def with_tables(first: BrowsedDataset, tmp_path: Path) -> Layout:
    """The catalog of the first dataset, with scores (some are not numbers), near-duplicates and a selection."""
    layout = Layout.of(tmp_path / "it's [1] *", 32, 32)
    layout.shards.mkdir(parents=True)
    shutil.copy(first.layout.catalog, layout.catalog)
    rows = [row for row in pq.read_table(layout.catalog).to_pylist() if row["split"] != "train_small"]
    for split, shard in sorted({(row["split"], row["shard"]) for row in rows}):
        ids = [row["treeoflife_id"] for row in rows if (row["split"], row["shard"]) == (split, shard)]
        blur = [float("nan") if number == 3 else float(number) for number in range(len(ids))]
        flags = {"width": [number % 2 == 0 for number in range(len(ids))]}
        write_family(
            layout.features / "quality" / split / f"shard-{shard:06}.parquet",
            {"blur": blur, EVIL: blur, "BLUR": blur},
            ids=ids,
        )
        write_family(layout.features / "clip-b32" / split / f"shard-{shard:06}.parquet", flags, ids=ids)
    near = pa.table(
        {"id": [rows[0]["treeoflife_id"], rows[1]["treeoflife_id"]], "cluster": [5, 5], "keep": [True, False]}
    )
    pq.write_table(near, layout.near_duplicates)
    selected = {
        "id": [row["treeoflife_id"] for row in rows],
        "state": ["selected", "filtered:dark"] * 30,
        "score": [1.5] * 60,
    }
    layout.selection("best-ones").mkdir(parents=True)
    pq.write_table(
        pa.table({name: cells[: len(rows)] for name, cells in selected.items()}),
        layout.selection("best-ones") / "selection.parquet",
    )
    shutil.copy(layout.catalog, layout.selection("best-ones") / "catalog.parquet")
    return layout


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ("blur < 2 OR blur IS NULL", lambda _, place: place["blur"] in {0, 1, 3}),
        (
            "samples.blur >= 4 AND width > 50 AND clip_b32_width AND quality_status = 'ok'",
            lambda row, place: place["blur"] >= 4 and row["width"] > 50 and place["blur"] % 2 == 0,
        ),
        (f"{quoted(EVIL)} = 2", lambda _, place: place["blur"] == 2),
        ("near_cluster = 5 AND NOT near_keep", lambda _, place: place["image"] == 1),
        (
            "selection_best_ones LIKE 'filtered:%' AND selection_best_ones_score > 1",
            lambda _, place: place["image"] % 2,
        ),
    ],
)
def test_features_and_selections_are_columns_of_conditions(
    condition: str, is_met: Callable[[dict[str, Any], dict[str, int]], bool], with_tables: Layout
) -> None:
    places: dict[str, dict[str, int]] = {}
    expected = []
    in_shard: Counter[tuple[str, int]] = Counter()
    for number, row in enumerate(pq.read_table(with_tables.catalog).to_pylist()):
        if row["treeoflife_id"] not in places:  # those of train_small repeat others
            shard = row["split"], row["shard"]
            places[row["treeoflife_id"]] = {"blur": in_shard[shard], "image": len(places)}
            in_shard[shard] += 1
        if is_met(row, places[row["treeoflife_id"]]):
            expected.append(number)
    assert matching_rows(with_tables, condition).tolist() == expected
    assert expected


def test_a_damaged_table_of_features_is_one_line(with_tables: Layout) -> None:
    table = min(with_tables.features.glob("quality/val/*.parquet"))
    table.write_bytes(table.read_bytes()[:-20])
    assert len(matching_rows(with_tables, "clip_b32_width"))
    with pytest.raises(DamagedError, match=table.name) as error:
        matching_rows(with_tables, "blur > 1")
    assert "\n" not in str(error.value)
    with pytest.raises(
        SettingsError, match=r"there is no column sharp\. Valid are .*blur.*selection_best_ones"
    ):
        matching_rows(with_tables, "sharp > 1")


def test_the_image_of_a_row_is_that_of_its_shard(first: BrowsedDataset) -> None:
    held = {}
    for shard in first.layout.shards.glob("*/*.tar"):
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    content = tar.extractfile(member)
                    assert content is not None
                    held[shard.parent.name, member.name[:-4]] = content.read()
    for row in range(first.index.rows):
        record = first.index.record(row)
        if record["state"] == "written":
            assert first.pictures.image_file(record) == held[record["split"], record["id"]]
        else:
            with pytest.raises(DatasetError, match="the image has no sample"):
                first.pictures.image_file(record)


def test_a_missing_or_damaged_shard_costs_its_own_images(
    first: BrowsedDataset, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(first.dataset.path, tmp_path / "copy")
    copy = BrowsedDataset(tmp_path / "copy", cache)
    missing, damaged = copy.layout.shard("train", 0), copy.layout.shard("train", 1)
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[:600])
    faults: dict[str, list[int]] = {}
    records = [
        record for row in range(copy.index.rows) if (record := copy.index.record(row))["state"] == "written"
    ]
    for record in records:
        try:
            assert copy.pictures.image_file(record)
        except ShardError as error:
            faults.setdefault(f"{error.where}: {error.what}".partition(" sample")[0], []).append(
                record["row"]
            )
    in_shards = [
        [record["row"] for record in records if (record["split"], record["shard"]) == ("train", number)]
        for number in (0, 1)
    ]
    assert faults == {f"{missing}: it is missing": in_shards[0], f"{damaged}:": in_shards[1]}


def test_the_life_of_an_image_is_what_tol_why_knows(first: BrowsedDataset) -> None:
    for row in [0, 40, 66, *range(first.index.rows - 3, first.index.rows)]:
        life = first.life(row)
        assert life["faults"] == []
        record, trace = life["record"], life["trace"]
        assert (trace["id"], trace["state"]) == (record["id"], record["state"])
        assert trace["state"] in life["text"]
        assert ("texts" in life) == (record["state"] == "written")


def test_an_index_is_made_once_and_again_if_it_is_damaged(
    first: BrowsedDataset, tmp_path: Path, digests: Callable[..., dict[str, str]]
) -> None:
    made: list[int] = []
    open_index(first.layout, tmp_path, made.append)
    (folder,) = tmp_path.iterdir()
    expected = digests(folder)
    assert made[-1] == first.index.rows
    assert not list(folder.glob(".*"))

    open_index(first.layout, tmp_path, pytest.fail)
    (folder / "taxon.npy").write_bytes(b"")
    open_index(first.layout, tmp_path, made.append)
    assert digests(folder) == expected


words = st.lists(
    st.tuples(st.sampled_from([0, 1, 2**63]), st.sampled_from([0, 1, 2**64 - 1])), unique=True, max_size=9
)


@given(words)
def test_ids_are_found_even_if_their_first_halves_agree(numbers: list[tuple[int, int]]) -> None:
    ids = [str(uuid.UUID(int=high << 64 | low)) for high, low in numbers if high]
    known = as_words(pa.array([text.upper() for text in ids], pa.string()))
    order = known[:, 0].argsort(kind="stable")
    index = SortedIds(known, order, known[order, 0])

    assert [spelt(each) for each in known] == ids
    assert index.first_rows(known).tolist() == list(range(len(ids)))
    for high, low in numbers:
        one = as_words(pa.array([str(uuid.UUID(int=high << 64 | low))]))[0]
        assert [ids[row] for row in index.between(one, one)] == [spelt(one)] * (high > 0)
    other = as_words(pa.array([str(uuid.UUID(int=5)), "", "no id"]))
    assert index.first_rows(other).tolist() == [-1, -1, -1]
