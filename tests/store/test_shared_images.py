from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tol_luigi.sources.bioscan import BIOSCAN, BioscanSection
from tol_luigi.sources.bioscan5m import BIOSCAN5M, Bioscan5mSection
from tol_luigi.store.catalogs import predicted_schema
from tol_luigi.store.shared_images import mark_shared_images

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {"bioscan": BIOSCAN, "bioscan5m": BIOSCAN5M}
ORDERS = [("bioscan", "bioscan5m"), ("bioscan5m", "bioscan")]
TABLE = "image_file\tprocessid\na.jpg\tA\nb.jpg\tB\nc.jpg\tC\nd.jpg\t\n"


def table(source: str, excluded: dict[str, str], keys: list[Any]) -> pa.Table:
    """Return a table of a predicted catalog, of images with these keys."""
    names = [column.catalog for column in SOURCES[source].columns]
    rows = [
        {
            **dict(zip(names, key, strict=True)),
            "treeoflife_id": f"{source}-{key[-1][0].upper()}",
            "split": "train",
            "source": source,
            "partition": "part1",
            "excluded": excluded.get(f"{source}-{key[-1][0].upper()}", ""),
            "exclusion": "",
        }
        for key in keys
    ]
    return pa.Table.from_pylist(rows, schema=predicted_schema(SOURCES, list(SOURCES)))


def marked(tmp_path: Path, order: Any, excluded: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return state and reason of each image; three are in both sources."""
    (tmp_path / "metadata.tsv").write_text(TABLE)
    sources = [
        BIOSCAN.open(BioscanSection(images=tmp_path, metadata=tmp_path / "metadata.tsv"), tmp_path),
        BIOSCAN5M.open(Bioscan5mSection(images=tmp_path, metadata=tmp_path / "metadata.tsv"), tmp_path),
    ]
    tables = [
        table("bioscan", excluded, [(1, name) for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")]),
        table("bioscan5m", excluded, [(key,) for key in "ABCX"]),
    ]
    made = mark_shared_images(tables, tables[0].schema, tmp_path / "out", sources, order)
    rows = pa.concat_tables(list(made)).to_pylist()
    assert list(tmp_path.glob(".*")) == []
    return {row["treeoflife_id"]: (row["excluded"], row["exclusion"]) for row in rows}


@pytest.mark.parametrize("order", ORDERS)
def test_a_shared_image_is_kept_from_the_first_source(tmp_path: Path, order: Any) -> None:
    first, second = order
    found = marked(tmp_path, order, {})

    shared = {f"{second}-{key}" for key in "ABC"}
    assert {image for image, (state, _) in found.items() if state} == shared
    reason = f"the same image as {first}-A ([dataset] prefer)"
    assert found[f"{second}-A"] == ("in_other_source", reason)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("source", SOURCES)
def test_no_source_has_an_image_that_one_of_them_excludes(tmp_path: Path, order: Any, source: str) -> None:
    found = marked(tmp_path, order, {f"{source}-B": "excluded_image"})

    other = next(name for name in SOURCES if name != source)
    assert found[f"{source}-B"][0] == "excluded_image"
    assert found[f"{other}-B"] == ("in_other_source", f"the same image as {source}-B ([dataset] prefer)")
