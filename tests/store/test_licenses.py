from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import TableError
from tol_luigi.core.source import License, license_tables
from tol_luigi.sources import SOURCES
from tol_luigi.sources.bioscan import BIOSCAN, BioscanSection
from tol_luigi.sources.eol import EOL, EolSection
from tol_luigi.sources.folder import FOLDER, FolderSection
from tol_luigi.sources.inat21 import INAT21, INat21Section
from tol_luigi.store import licenses
from tol_luigi.store.catalogs import catalog_schema, write_catalog
from tol_luigi.store.licenses import license_link, write_licenses

if TYPE_CHECKING:
    from tol_luigi.core.source import Source

HEADER = (
    "treeoflife_id,eol_content_id,eol_page_id,md5,medium_source_url,eol_full_size_copy_url,"
    "license_name,copyright_owner,license_link,title"
)
CC = "https://creativecommons.org"


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("cc-by-2.0", f"{CC}/licenses/by/2.0/"),
        ("cc-by-sa-2.5", f"{CC}/licenses/by-sa/2.5/"),
        ("cc-by-nc-4.0", f"{CC}/licenses/by-nc/4.0/"),
        ("cc-by-nd-3.0", f"{CC}/licenses/by-nd/3.0/"),
        ("cc-by-nc-sa-3.0", f"{CC}/licenses/by-nc-sa/3.0/"),
        ("cc-by-nc-nd-4.0", f"{CC}/licenses/by-nc-nd/4.0/"),
        ("cc-0-1.0", f"{CC}/publicdomain/zero/1.0/"),
        ("cc-publicdomain", f"{CC}/publicdomain/mark/1.0/"),
        ("No known copyright restrictions", ""),
        ("cc-by-sa-2.5-extra", ""),
        ("cc-sa-1.0", ""),
        ("", ""),
    ],
)
def test_license_link(name: str, link: str) -> None:
    assert license_link(name) == link


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    head = (
        "EOL content ID,EOL page ID,Medium Source URL,EOL Full-Size Copy URL,License Name,Copyright Owner\n"
    )
    (folder / "media_manifest_1.csv").write_text(
        f'{head}1,10,https://m/1,https://f/1,cc-by-sa-2.5,"Doe, Jane"\n'
    )
    (folder / "media_manifest_2.csv").write_text("2,10,https://m/2,https://f/2,cc-0-1.0,\n1,10,x,x,x,x\n")
    return folder


def eol_of(manifests: Path | None = None) -> Source:
    """EOL with these media manifests."""
    return EOL.open(EolSection(media_manifests=manifests), Path())


def write(folder: Path, sources: dict[str, Any], rows: list[dict[str, Any]], **more: int) -> list[str]:
    schema = catalog_schema(SOURCES, sources)
    catalog = folder / "catalog.parquet"
    write_catalog(
        folder / "catalog.csv", catalog, schema, [pa.Table.from_pylist(rows, schema=schema)], lambda _: None
    )
    write_licenses(folder / "licenses.csv", catalog, sources, **more)
    return (folder / "licenses.csv").read_text(encoding="utf-8").splitlines()


def image(content: int, split: str = "train", source: str = "eol") -> dict[str, Any]:
    return {
        "split": split,
        "treeoflife_id": f"id-{content}",
        "eol_content_id": content,
        "eol_page_id": 10,
        "source": source,
        "md5": f"md5-{content}",
    }


def test_a_line_for_every_image(tmp_path: Path, manifests: Path) -> None:
    sources = {"eol": eol_of(manifests), "bioscan": BIOSCAN.open(BioscanSection(), tmp_path)}
    rows = [image(2), image(1, "val"), image(3), image(2, "train_small"), image(9, source="bioscan")]

    assert write(tmp_path, sources, rows) == [
        HEADER,
        f"id-2,2,10,md5-2,https://m/2,https://f/2,cc-0-1.0,not provided,{CC}/publicdomain/zero/1.0/,not provided",
        f'id-1,1,10,md5-1,https://m/1,https://f/1,cc-by-sa-2.5,"Doe, Jane",{CC}/licenses/by-sa/2.5/,not provided',
        "id-3,3,10,md5-3,,,,not provided,,not provided",
        "id-9,9,10,md5-9,,,,not provided,,not provided",
    ]


def test_owners_are_quoted_where_they_must_be(tmp_path: Path, manifests: Path) -> None:
    write(tmp_path, {"eol": eol_of(manifests)}, [image(1)])
    with (tmp_path / "licenses.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)

    assert row["copyright_owner"] == "Doe, Jane"


def test_images_of_sources_that_tell_nothing_have_a_line_too(tmp_path: Path) -> None:
    assert write(tmp_path, {"eol": eol_of()}, [image(1)]) == [
        HEADER,
        "id-1,1,10,md5-1,,,,not provided,,not provided",
    ]


def test_nothing_else_is_left_behind(tmp_path: Path, manifests: Path) -> None:
    write(tmp_path, {"eol": eol_of(manifests)}, [image(1)])

    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "catalog.csv", "catalog.parquet", "licenses.csv", "manifests"
    ]  # fmt: skip


HOSTILE = st.text(st.sampled_from(list("\"',\n;é ")), max_size=3)
KEYS = st.tuples(st.integers(1, 12), st.integers(1, 2))
TOLD = st.lists(
    st.builds(
        License,
        KEYS.map(lambda key: "/".join(map(str, key))),
        HOSTILE,
        st.just("https://f"),
        st.sampled_from(["cc-by-2.0", "cc-0-1.0", "all mine", ""]),
        HOSTILE,
    ),
    max_size=30,
)
IMAGES = st.lists(st.tuples(KEYS, st.sampled_from(["train", "val", "train_small"])), max_size=20)


@settings(deadline=None)
@given(TOLD, IMAGES, st.integers(1, 7), st.sampled_from([1, 3, 1000]), st.sampled_from([2, 1000]))
def test_lines_are_those_of_a_look_up_image_by_image(
    told: list[License], images: list[tuple[tuple[int, int], str]], stretch: int, batch: int, part: int
) -> None:
    rows = [
        {**image(content, split), "eol_page_id": page, "treeoflife_id": f"id-{number}"}
        for number, ((content, page), split) in enumerate(images)
    ]
    first: dict[str, License] = {}
    for one in told:
        first.setdefault(one.key, one)
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEADER.split(","))
    for row in rows:
        if row["split"] != "train_small":
            found = first.get(f"{row['eol_content_id']}/{row['eol_page_id']}", License("", "", "", "", ""))
            ids = row["treeoflife_id"], row["eol_content_id"], row["eol_page_id"], row["md5"]
            owner = found.owner or "not provided"
            rights = found.name, owner, license_link(found.name), "not provided"
            lines.writerow([*ids, found.medium_url, found.full_size_url, *rights])
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(licenses, "_BATCH", batch)
        patch.setattr(licenses, "_PART", part)
        patch.setattr(licenses, "_HELD", part)
        folder = Path(name)
        write(
            folder, {"eol": replace(eol_of(), licenses=lambda: license_tables(told))}, rows, stretch=stretch
        )
        assert (folder / "licenses.csv").read_bytes().decode() == text.getvalue()


def test_keys_with_the_same_hash_are_told_apart(
    tmp_path: Path, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {"eol": eol_of(manifests)}
    rows = [image(2), image(1, "val"), image(3)]
    expected = write(tmp_path, sources, rows)
    monkeypatch.setattr(licenses, "hash_rows", lambda rows: np.full(len(rows), 7, np.uint64))

    assert write(tmp_path, sources, rows) == expected
    assert expected[2].startswith("id-1,1,10,md5-1,https://m/1")


def test_sources_stand_in_the_order_of_the_catalog_each_with_its_own_keys(
    tmp_path: Path, manifests: Path
) -> None:
    table = tmp_path / "labels.csv"
    ranks = "kingdom,phylum,class,order,family,genus,species"
    table.write_text(f"file,{ranks},license,owner\n1/10,Animalia,,,,,,,mine,Me\n")
    sources = {
        "eol": eol_of(manifests),
        "folder": FOLDER.open(FolderSection(labels=table), tmp_path),
    }
    mine = {
        "treeoflife_id": "mine",
        "source": "folder",
        "folder_name": "own",
        "folder_file": "1/10",
        "md5": "m",
    }
    rows = [image(2), {"split": "train", **mine}, image(1, "val"), {"split": "val", **mine}]
    lines = [line.split(",") for line in write(tmp_path, sources, rows)[1:]]

    assert [line[0] for line in lines] == ["id-2", "mine", "id-1", "mine"]
    assert [line[6:8] for line in lines if line[0] == "mine"] == [["mine", "Me"]] * 2
    assert [line[1:4] for line in lines if line[0] == "mine"] == [["", "", "m"]] * 2


def test_a_source_may_spell_its_keys_as_it_likes(tmp_path: Path) -> None:
    told = [License("00007_Apis/x.jpg", "https://m", "", "cc-0-1.0", "Ann")]
    source = replace(INAT21.open(INat21Section(), tmp_path), licenses=lambda: license_tables(told))
    key = {"inat21_filename": "x.jpg", "inat21_cls_name": "Apis", "inat21_cls_num": 7}
    row = {"split": "train", "treeoflife_id": "id", "source": "inat21", "md5": "m", **key}
    (_, line) = write(tmp_path, {"inat21": source}, [row])

    assert line == f"id,,,m,https://m,,cc-0-1.0,Ann,{CC}/publicdomain/zero/1.0/,not provided"


def test_a_manifest_that_cannot_be_read_is_named_and_leaves_nothing_behind(
    tmp_path: Path, manifests: Path
) -> None:
    (manifests / "media_manifest_3.csv").write_text("3,10,x\n")
    with pytest.raises(
        TableError, match=r"media_manifest_3\.csv: line 1 has too few cells \(3; a media manifest has 6\)"
    ):
        write(tmp_path, {"eol": eol_of(manifests)}, [image(1)])

    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "catalog.csv",
        "catalog.parquet",
        "manifests",
    ]
