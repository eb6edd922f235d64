"""What differs between two releases, worked out from their catalogs."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core.errors import DatasetError, TolError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.difference import CHANGES, compare, difference_figures
from tol_luigi.dataset.release import open_release
from tol_luigi.report.difference import difference_text, setting_notes
from tol_luigi.report.difference_page import difference_page

LABELS = (*RANK_LABELS, "common")

Catalog = dict[str, dict[str, Any]]
"""What a catalog says of each image: its ``split``, ``small``, ``source``, ``labels`` and ``sha256``."""

images = st.fixed_dictionaries(
    {
        "split": st.sampled_from(["train", "val"]),
        "small": st.booleans(),
        "source": st.just("pond"),
        "labels": st.tuples(*(st.sampled_from(["", "a", "b"]) for _ in LABELS)),
        "sha256": st.sampled_from(["0", "1"]),
    }
)
catalogs = st.dictionaries(st.sampled_from([f"image-{number}" for number in range(12)]), images)


def table(catalog: Catalog) -> pa.Table:
    rows = [
        {"treeoflife_id": image, **dict(zip(LABELS, row["labels"], strict=True)), **row, "split": split}
        for image, row in catalog.items()
        for split in [row["split"], *(["train_small"] if row["small"] else [])]
    ]
    names = ("treeoflife_id", "split", *LABELS, "source", "sha256")
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    return pa.table(columns)


def figures(before: Catalog, now: Catalog, **options: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, "before.parquet"), Path(folder, "now.parquet")]
        for path, catalog in zip(paths, (before, now), strict=True):
            pq.write_table(table(catalog), path)
        first, second = map(open_release, paths)
        found = difference_figures(first, second, compare(first, second, examples=3, **options))
    for when in ("before", "now"):
        del found[when]["path"]
    return found


def mirrored(found: dict[str, Any]) -> dict[str, Any]:
    """Return what the figures must be with the releases exchanged."""
    other = {"added": "removed", "removed": "added", "filled": "emptied", "emptied": "filled"}

    def exchanged(counts: dict[str, Any]) -> dict[str, Any]:
        return {what: counts[other.get(what, what)] for what in counts}

    def way(moved: str) -> str:
        if moved.startswith(("into ", "out of ")):
            return (
                moved.replace("into ", "out of ")
                if moved.startswith("into")
                else moved.replace("out of ", "into ")
            )
        return " to ".join(reversed(moved.split(" to ")))

    def swapped(example: dict[str, Any]) -> dict[str, Any]:
        return {**example, "before": example["now"], "now": example["before"]}

    return {
        "before": found["now"],
        "now": found["before"],
        "images": exchanged(found["images"]),
        "sources": {source: exchanged(counts) for source, counts in found["sources"].items()},
        "moved": {way(moved): images for moved, images in found["moved"].items()},
        "relabelled": {rank: exchanged(kinds) for rank, kinds in found["relabelled"].items()},
        "examples": {
            what: list(map(swapped, found["examples"][other.get(what, what)])) for what in found["examples"]
        },
        "image_settings": {},
    }


@settings(max_examples=20, deadline=None)
@given(catalogs, catalogs)
def test_the_counts_are_those_of_the_two_catalogs_and_add_up(before: Catalog, now: Catalog) -> None:
    found = figures(before, now)
    both = before.keys() & now.keys()
    counts = found["images"]

    assert counts["added"] == len(now.keys() - before.keys())
    assert counts["removed"] == len(before.keys() - now.keys())
    assert len(before) - counts["removed"] + counts["added"] == len(now) == found["now"]["images"]
    for change, keys in {
        "moved": ("split", "small"),
        "relabelled": ("labels",),
        "other file": ("sha256",),
    }.items():
        assert counts[change] == sum(any(before[one][key] != now[one][key] for key in keys) for one in both)
    ranks = Counter(
        next(
            rank
            for rank, old, new in zip(LABELS, before[one]["labels"], now[one]["labels"], strict=True)
            if old != new
        )
        for one in both
        if before[one]["labels"] != now[one]["labels"]
    )
    assert {rank: sum(kinds.values()) for rank, kinds in found["relabelled"].items()} == ranks
    assert found["moved"].get("train to val", 0) == sum(
        (before[one]["split"], now[one]["split"]) == ("train", "val") for one in both
    )
    assert [example["id"] for example in found["examples"]["added"]] == sorted(now.keys() - before.keys())[:3]


@settings(max_examples=10, deadline=None)
@given(catalogs, catalogs)
def test_exchanged_releases_give_the_mirror_image(before: Catalog, now: Catalog) -> None:
    back = figures(now, before)
    del back["names"]  # among equally frequent ones, the first by name are shown

    assert back == mirrored(figures(before, now))


@settings(max_examples=10, deadline=None)
@given(catalogs, catalogs)
def test_how_many_rows_are_compared_at_a_time_changes_nothing(before: Catalog, now: Catalog) -> None:
    assert figures(before, now, rows_at_once=3) == figures(before, now)


@settings(max_examples=10, deadline=None)
@given(catalogs)
def test_a_release_does_not_differ_from_itself(catalog: Catalog) -> None:
    found = figures(catalog, catalog)

    assert {count for count in found["images"].values() if count is not None} == {0}
    assert not any([*found["moved"], *found["relabelled"], *found["names"], *found["examples"]["added"]])


def test_a_csv_file_gives_the_same_but_what_it_does_not_have(demonstration: Path) -> None:
    release, parquet = open_release(demonstration / "224x224"), open_release(demonstration)
    csv = open_release(demonstration / "224x224" / "catalog.csv")
    found = difference_figures(csv, parquet, compare(csv, parquet, examples=3))

    assert found["images"] == {**dict.fromkeys(CHANGES, 0), "other file": None, "other pixels": None}
    assert found["before"]["images"] == found["now"]["images"] == 112
    assert not compare(release, parquet, examples=3).differs
    assert "Files are not compared" in difference_text(found)


def test_images_named_by_another_method_are_relabelled(own_build: Path, reference_build: Path) -> None:
    before, now = open_release(own_build), open_release(reference_build)
    found = difference_figures(before, now, compare(before, now, examples=5, pixels=True))
    rows = [
        {
            row["treeoflife_id"]: [row[label] or "" for label in LABELS]
            for row in pq.read_table(one.catalog).to_pylist()
        }
        for one in (before, now)
    ]
    both = rows[0].keys() & rows[1].keys()

    assert found["images"]["relabelled"] == sum(rows[0][image] != rows[1][image] for image in both) > 0
    assert found["images"]["other pixels"] == found["images"]["other file"] == 0
    assert sum(name["images"] for name in found["names"]) <= found["images"]["relabelled"]
    assert f"        now {found['names'][0]['now']}\n" in difference_text(found)


def test_other_pixels_are_found_in_the_shards(copied: Path, demonstration: Path) -> None:
    shard = copied / "224x224" / "val" / "shard-000000.tar"
    content = shard.read_bytes()
    start = content.index(b"\xff\xd9")  # the end of the first image
    shard.unlink()
    shard.write_bytes(content[: start - 3] + bytes([content[start - 3] ^ 1]) + content[start - 2 :])
    found = compare(open_release(demonstration), open_release(copied), examples=3, pixels=True)

    assert found.count("other pixels") == 1
    assert found.count("other file") == 0


def test_hostile_names_are_text_on_the_terminal_and_on_the_page() -> None:
    name = "<script>alert(1)</script>\x1b[31m'\"&{{ 1 }}"
    row = {"split": "train", "small": False, "source": name, "sha256": "0"}
    found = figures(
        {"a": {**row, "labels": ("x",) * 8}, name: {**row, "labels": (name,) * 8}},
        {"a": {**row, "labels": (name,) * 8}},
    )
    found["before"]["path"] = found["now"]["path"] = name
    page, text = difference_page(found), difference_text(found)

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in page
    assert not any(letter in page + text for letter in "\x1b")
    assert "\\x1b[31m" in text
    assert "http" not in page.replace("http-equiv", "")


def test_a_setting_that_is_not_set_is_said_to_be_so() -> None:
    changed = {"images.profiles": [None, ["wide", "small"]], "images.upright": [False, None]}
    found = {**figures({}, {}), "image_settings": changed}
    (note,) = [note for note in setting_notes(found) if "settings of images" in note]
    assert note.endswith("images.profiles was not set, is wide, small; images.upright was false, is not set")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("a,b\n1,2\n", "lacks columns (treeoflife_id, split, kingdom", id="another table"),
        pytest.param("", "it cannot be read", id="an empty file"),
        pytest.param(None, "there is no such folder or file", id="nothing"),
    ],
)
def test_what_is_no_catalog_is_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "catalog.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TolError, match=re.escape(message)):
        _ = open_release(path).columns


def test_catalogs_without_rows_differ_in_nothing_and_have_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text(",".join(["treeoflife_id", "split", *LABELS]) + "\n")
    release = open_release(path)
    text = difference_text(difference_figures(release, release, compare(release, release, examples=3)))

    assert "0 images, 0 samples (of no split)" in text
    assert "relabelled    0" in text
    with pytest.raises(DatasetError, match="it has no shards, so its pixels cannot be compared"):
        compare(release, release, examples=3, pixels=True)


def test_an_id_that_is_missing_stops_the_comparison(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    pcsv.write_csv(
        table({"": {"split": "val", "small": False, "source": "", "labels": ("",) * 8, "sha256": ""}}), path
    )
    release = open_release(path)
    with pytest.raises(DatasetError, match="a row has no treeoflife_id"):
        compare(release, release, examples=3)


def test_the_command_compares_a_tag_with_a_folder(demonstration: Path, copied: Path, tmp_path: Path) -> None:
    catalog = copied / "224x224" / "catalog.parquet"
    rows = pq.read_table(catalog)
    catalog.unlink()
    pq.write_table(rows[1:], catalog)
    page = tmp_path / "page.html"
    given = ["diff", "dev", copied / "224x224", "--exit-code", "--page", page]
    finished = subprocess.run(
        [sys.executable, "-m", "tol_luigi", *map(str, given)],
        cwd=demonstration.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (1, "")
    assert "Removed, for example:" in finished.stdout
    assert page.read_text().startswith("<!DOCTYPE html>")
