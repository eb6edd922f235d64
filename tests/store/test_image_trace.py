"""The questions asked for one image, of a small dataset."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tol_luigi.core.keys import image_id
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.eol import EOL
from tol_luigi.store.image_trace import (
    Named,
    Placement,
    find_ids,
    find_work_unit,
    has_split,
    named,
    placed,
    ranks_by_label,
    rejected,
    rows_of,
)
from tol_luigi.store.ledger import ledger_row, write_ledger
from tol_luigi.store.mapping import build_mapping

if TYPE_CHECKING:
    from pathlib import Path

THIRD = image_id("eol", "3/10")
PUBLISHED = "00000000-0000-4000-8000-000000000000"


def rows(world: Any) -> list[dict[str, Any]]:
    return list(pq.read_table(world.predicted).to_pylist())


def test_an_image_has_its_place_and_its_splits(world: Any) -> None:
    for row in rows(world):
        source = next(source for source in world.sources if source.name == row["source"])
        found = placed(world.mapping, source, row["treeoflife_id"])
        assert found is not None
        assert (found.source, found.partition, found.position) == (
            row["source"],
            row["partition"],
            row["position"],
        )
        assert (found.is_val, found.is_train_small) == (row["split"] == "val", row["is_train_small"])
    third = placed(world.mapping, EOL, THIRD)
    assert third is not None
    assert (third.key, third.partition, third.position) == ((3, 10), "a", 2)


def test_an_image_is_not_one_of_another_source(world: Any) -> None:
    assert placed(world.mapping, BIOSCAN, THIRD) is None
    assert placed(world.mapping, EOL, PUBLISHED) is None


def test_an_image_without_a_file_has_no_place_and_one_without_splits_none_of_them(
    tmp_path: Path, list_images: Any
) -> None:
    mapping = tmp_path / "mapping.sqlite"
    listed = [list_images(EOL, {"a": [(3, 10)]})]
    list(build_mapping(mapping, listed, published=None, digest="d", progress=lambda _: None))

    assert placed(mapping, EOL, THIRD) == Placement("eol", (3, 10), "a", 0, None, None)
    assert find_work_unit(mapping, THIRD) is None
    with sqlite3.connect(mapping) as database:
        database.execute("UPDATE eol SET evobio10m_id = ?", [PUBLISHED])
    assert placed(mapping, EOL, PUBLISHED) == Placement("eol", (3, 10), "", None, None, None)


def test_an_image_without_a_split_of_its_own_has_not_that_of_another(world: Any) -> None:
    with sqlite3.connect(world.mapping) as database:
        database.execute("DELETE FROM split WHERE evobio10m_id = ?", [THIRD])
    third = placed(world.mapping, EOL, THIRD)

    assert third is not None
    assert (third.is_val, third.is_train_small) == (None, None)


def test_the_share_of_an_image_is_its_split_source_and_partition(world: Any) -> None:
    for row in rows(world):
        share = find_work_unit(world.mapping, row["treeoflife_id"])
        assert share == (row["split"], row["source"], row["partition"])
    assert {row["split"] for row in rows(world)} == {"train", "val"}
    assert find_work_unit(world.mapping, PUBLISHED) is None


@pytest.mark.parametrize(
    "text",
    ["3/10", "3_10", "3_10.jpg", "some/where/3_10.jpg", "3_10_eol-full-size-copy.jpg", "x/3_10_eol-copy.jpg"],
)
@pytest.mark.parametrize("image", [THIRD, PUBLISHED], ids=["an id made here", "a published id"])
def test_an_image_of_eol_is_found_by_its_numbers(world: Any, text: str, image: str) -> None:
    with sqlite3.connect(world.mapping) as database:
        database.execute("UPDATE eol SET evobio10m_id = ? WHERE content_id = 3 AND page_id = 10", [image])
        others = database.execute("UPDATE eol SET content_id = 3 WHERE content_id = 4").rowcount
        others += database.execute(
            "UPDATE eol SET page_id = 11 WHERE content_id = 3 AND evobio10m_id != ?", [image]
        ).rowcount
    assert others == 2
    assert find_ids(world.mapping, EOL, text) == [image]


@pytest.mark.parametrize("text", ["10/3", "3", "3/10/1", "3/10.png", "a3/10", "1234567890123456789/10", ""])
def test_other_texts_are_no_image_of_eol(world: Any, text: str) -> None:
    assert find_ids(world.mapping, EOL, text) == []


@pytest.mark.parametrize("text", ["x.jpg", "1/x.jpg", "some/where/x.jpg"])
def test_an_image_with_a_file_in_its_key_is_found_by_its_name(world: Any, text: str) -> None:
    assert find_ids(world.mapping, BIOSCAN, text) == [image_id("bioscan", "1/x.jpg")]
    assert find_ids(world.mapping, BIOSCAN, f"{text}x") == []


def test_all_images_of_a_name_are_found_in_order_but_no_more_than_a_person_looks_at(
    tmp_path: Path, list_images: Any
) -> None:
    mapping = tmp_path / "mapping.sqlite"
    listed = [list_images(BIOSCAN, {"a": [(part, "x.jpg") for part in range(1, 31)]})]
    list(build_mapping(mapping, listed, published=None, digest="d", progress=lambda _: None))
    found = find_ids(mapping, BIOSCAN, "x.jpg")

    assert len(found) == 20
    assert found == sorted(found)
    assert set(found) <= {image_id("bioscan", f"{part}/x.jpg") for part in range(1, 31)}


def test_whether_a_mapping_has_an_image_in_a_split(world: Any, tmp_path: Path) -> None:
    assert has_split(world.mapping, THIRD)
    assert not has_split(world.mapping, PUBLISHED)
    (tmp_path / "other.sqlite").write_bytes(b"no database, and long enough to be one" * 99)
    assert not has_split(tmp_path / "other.sqlite", THIRD)


def test_what_an_image_shows(world: Any) -> None:
    eol = named(world.names, EOL, (3, 10), THIRD)
    fly = named(world.names, BIOSCAN, (1, "x.jpg"), image_id("bioscan", "1/x.jpg"))

    assert isinstance(eol, Named)
    assert (eol.key, eol.ranks[0], eol.ranks[-1]) == ("10", "Animalia", "coronata")
    assert (len(eol.ranks), eol.common) == (7, 'Myrtle "Yellow-Rumped", Warbler')
    assert eol.class_index == "[0, 1, 1, 1, 1, 1, 1]"
    assert fly is not None
    assert (fly.key, fly.ranks[3], fly.common) == (image_id("bioscan", "1/x.jpg"), "Diptera", "")
    assert named(world.names, EOL, (3, 30), THIRD) is None
    assert named(world.names, BIOSCAN, (3, 10), THIRD) is None


def test_rows_of_a_catalog_with_certain_values(world: Any) -> None:
    found = rows_of(world.predicted, {"partition": "a", "treeoflife_id": THIRD})

    assert [(row["treeoflife_id"], row["position"]) for row in found] == [(THIRD, 2)]
    assert rows_of(world.predicted, {"partition": "b", "treeoflife_id": THIRD}) == []


def test_rows_of_a_ledger_are_found_by_id_path_and_name(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    names = ("a/1.jpg", "1.jpg", "a/b/1.jpg", "a/11.jpg")
    write_ledger(
        path,
        [ledger_row(f"id-{number}", "eol", "a", name, "missing", "") for number, name in enumerate(names)],
    )
    asked = {
        text: [row["name"] for row in rejected(path, text)] for text in ("1.jpg", "a/1.jpg", "ID-3", "id")
    }

    assert asked == {"1.jpg": [*names[:3]], "a/1.jpg": ["a/1.jpg"], "ID-3": ["a/11.jpg"], "id": []}


def test_no_more_rows_of_a_ledger_than_a_person_looks_at(tmp_path: Path) -> None:
    write_ledger(
        tmp_path / "ledger.parquet",
        [ledger_row("", "eol", "a", "x.jpg", "missing", str(number)) for number in range(30)],
    )
    assert [row["reason"] for row in rejected(tmp_path / "ledger.parquet", "x.jpg")] == [*map(str, range(20))]


def test_only_known_ranks_have_a_label() -> None:
    assert list(ranks_by_label(["Animalia", "", "Aves", "", "", "", "coronata"]).items()) == [
        (RANK_LABELS[0], "Animalia"),
        (RANK_LABELS[2], "Aves"),
        (RANK_LABELS[6], "coronata"),
    ]
