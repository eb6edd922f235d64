"""Tables of images by URL: which rows they have, and what is said of wrong ones."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from tol_luigi.core.errors import TableError
from tol_luigi.sources.url_reader import box_of
from tol_luigi.sources.url_rows import URL_ROWS, Box
from tol_luigi.sources.url_table import TableSection, UrlTable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "url-sources.md"


def read(path: Path, **keys: Any) -> list[dict[str, Any]]:
    tables = list(UrlTable(TableSection(images=path, **keys))())
    assert all(table.schema.equals(URL_ROWS) for table in tables)
    return [row for table in tables for row in table.to_pylist()]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("has_boxes", [True, False], ids=["with boxes", "labels only"])
def test_coco_json_becomes_a_table_by_the_script_of_the_page(
    *, has_boxes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    script = page.partition("<!-- file: coco.py -->\n```python\n")[2].partition("```")[0]
    (tmp_path / "coco.py").write_text(script, encoding="utf-8")
    annotations: list[dict[str, Any]] = [
        {"id": "a1", "image_id": "i1", "category_id": 1, "bbox": [10.4, 20, 30.6, 40]},
        {"id": "a2", "image_id": "i1", "category_id": 1, "bbox": [50, 60, 7, 8]},
        {"id": "a3", "image_id": "i2", "category_id": 2},
        {"id": "a4", "image_id": "i3", "category_id": 0},
    ]
    if not has_boxes:
        for annotation in annotations:
            annotation.pop("bbox", None)
    coco = {
        "images": [{"id": f"i{number}", "file_name": f"site/{number}.jpg"} for number in (1, 2, 3)],
        "categories": [
            {"id": 0, "name": "empty"},
            {"id": 1, "name": "Puma concolor"},
            {"id": 2, "name": "Mazama"},
        ],
        "annotations": annotations,
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("coco.py")

    rows = read(tmp_path / "coco.csv")
    boxes = [Box(10, 20, 31, 40), Box(50, 60, 7, 8), None] if has_boxes else [None] * 3
    assert [(row["key"], row["url"], row["name"], box_of(row)) for row in rows] == [
        ("a1", "https://example.org/site/1.jpg", "Puma concolor", boxes[0]),
        ("a2", "https://example.org/site/1.jpg", "Puma concolor", boxes[1]),
        ("a3", "https://example.org/site/2.jpg", "Mazama", boxes[2]),
    ]


def test_cells_with_quotes_and_tabs_and_the_names_of_columns_of_ones_own(tmp_path: Path) -> None:
    table = write(
        tmp_path / "t.tsv",
        "image_url\tuuid\tspecies\towner\tlicense",
        'https://x.org/1\tk1\tCorvus corax\tAnn "A" Lee\tNA',
        'https://x.org/2\t\tCorvus corax\t"a\ttab"\tCC0',
    )
    first, second = read(table, columns=("url=image_url", "key=uuid"), missing_values=("NA",))

    assert (first["key"], first["species"], first["license"]) == ("k1", "Corvus corax", "")
    assert first["owner"] == 'Ann "A" Lee'
    assert (second["key"], second["owner"]) == ("https://x.org/2", "a tab")


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (("key,name", "k,Puma"), "lacks the column url"),
        (("url,key", "https://x.org/1,k"), "lacks a column that names what the images show"),
        (("url,name,x,y,width,height", "https://x.org/1,Puma,1,2,,"), "line 2 has the box 1, 2, , , which are not four numbers"),
        (("url,name,x,y,width,height", "https://x.org/1,Puma,1,2,0,9"), "which has no pixel"),
        (("url,name,x,y,width,height", "https://x.org/1,Puma,1,2,3e9,9"), "which is larger than any image"),
        (("url,name,x,y,width,height", "https://x.org/1,Puma,1,2,inf,9"), "which are not four numbers"),
        (("url,name,key", "https://x.org/1,Puma,a\x1bb"), "has the key 'a\\x1bb', which cannot name an image"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, lines: tuple[str, ...], what: str) -> None:
    with pytest.raises(TableError) as caught:
        read(write(tmp_path / "t.csv", *lines))
    assert what in str(caught.value)
