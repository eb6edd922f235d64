from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tol_luigi.sources import SOURCES
from tol_luigi.sources.bioscan import Bioscan
from tol_luigi.sources.eol import Eol
from tol_luigi.store.catalogs import catalog_schema, write_catalog
from tol_luigi.store.licenses import license_link, write_licenses

if TYPE_CHECKING:
    from pathlib import Path

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


def write(folder: Path, sources: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    schema = catalog_schema(SOURCES, sources)
    catalog = folder / "catalog.parquet"
    write_catalog(
        folder / "catalog.csv", catalog, schema, [pa.Table.from_pylist(rows, schema=schema)], lambda _: None
    )
    write_licenses(folder / "licenses.csv", catalog, sources)
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
    sources = {"eol": Eol(tmp_path, media_manifests=manifests), "bioscan": Bioscan(tmp_path, None, 1)}
    rows = [image(2), image(1, "val"), image(3), image(2, "train_small"), image(9, source="bioscan")]

    assert write(tmp_path, sources, rows) == [
        HEADER,
        f"id-2,2,10,md5-2,https://m/2,https://f/2,cc-0-1.0,not provided,{CC}/publicdomain/zero/1.0/,not provided",
        f'id-1,1,10,md5-1,https://m/1,https://f/1,cc-by-sa-2.5,"Doe, Jane",{CC}/licenses/by-sa/2.5/,not provided',
        "id-3,3,10,md5-3,,,,not provided,,not provided",
    ]


def test_owners_are_quoted_where_they_must_be(tmp_path: Path, manifests: Path) -> None:
    write(tmp_path, {"eol": Eol(tmp_path, media_manifests=manifests)}, [image(1)])
    with (tmp_path / "licenses.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)

    assert row["copyright_owner"] == "Doe, Jane"


def test_sources_that_tell_nothing_give_the_header_only(tmp_path: Path) -> None:
    assert write(tmp_path, {"eol": Eol(tmp_path)}, [image(1)]) == [HEADER]


def test_nothing_else_is_left_behind(tmp_path: Path, manifests: Path) -> None:
    write(tmp_path, {"eol": Eol(tmp_path, media_manifests=manifests)}, [image(1)])

    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "catalog.csv", "catalog.parquet", "licenses.csv", "manifests"
    ]  # fmt: skip
