"""BIOSCAN-5M and BIOSCAN-1M in one dataset: an image in both is one image, and every image ends in one state."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from bioscan5m_files import BEE, FLY, WASP, image, member, row, write_table, write_zip

from tol_luigi import settings_from
from tol_luigi.command.source_estimate import source_stats
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.keys import image_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
Rows = list[dict[str, Any]]

SHARED = [f"TOLTEST{number:05d}-22" for number in (0, 4, 9)]
"""Process ids of images of the sample of BIOSCAN-1M."""

INSECTS = [
    *(row(key, "train", BEE, index_bioscan_1M_insect="1") for key in SHARED),
    *(row(f"FLY{number:02d}-24", "pretrain", FLY) for number in range(12)),
    row("WASP1-24", "test_unseen", WASP),
    row("WASP2-24", "other_heldout", WASP),
    row("LOST1-24", "train", BEE),
    row("FAR1-24", "train", BEE, country="Costa Rica"),
]
EXTRA = row("EXTRA-24", "val", BEE)


def fill(folder: Path) -> None:
    stored = [each for each in INSECTS if each["processid"] != "LOST1-24"]
    files = {member(each): image(number) for number, each in enumerate([*stored, EXTRA])}
    (folder / "zips").mkdir()
    names = list(files)
    for number, half in enumerate((names[:8], names[8:]), start=1):
        write_zip(folder / "zips" / f"cropped_256.{number:02d}.zip", {name: files[name] for name in half})
    write_table(folder / "metadata.csv", INSECTS)


@pytest.fixture(scope="session")
def insects(once: Any) -> Path:
    """Archives and table of BIOSCAN-5M, drawn here."""
    folder: Path = once("bioscan5m-files", fill)
    return folder


@pytest.fixture
def both(bioscan_settings: Sections, insects: Path) -> Sections:
    """The two sources."""
    own = {
        "images": insects / "zips",
        "metadata": insects / "metadata.csv",
        "exclude_splits": "test_unseen, key_unseen",
        "countries": "Canada",
        "partitions": 2,
    }
    dataset = {**bioscan_settings["dataset"], "prefer": "bioscan5m"}
    return {**bioscan_settings, "bioscan5m": own, "dataset": dataset}


@pytest.fixture
def built(both: Sections, build_once: Any) -> Path:
    """Both, built once."""
    folder: Path = build_once("bioscan-5m-and-1m", both)
    return folder


def catalog(directory: Path) -> Rows:
    rows: Rows = pq.read_table(directory / "224x224" / "catalog.parquet").to_pylist()
    return [each for each in rows if each["split"] != "train_small"]


def test_every_image_ends_in_one_state_with_its_reason(built: Path, ledger: Callable[[Path], Rows]) -> None:
    rows = [each for each in ledger(built) if each["source"] == "bioscan5m"]
    found = {each["name"].rpartition("/")[2].removesuffix(".jpg"): each for each in rows}

    assert len(found) == len(rows) == len(INSECTS) + 1
    assert Counter(each["state"] for each in rows) == {
        "written": 16,
        "excluded_image": 1,
        "not_selected": 1,
        "missing": 1,
        "not_in_mapping": 1,
    }
    assert found["WASP1-24"]["reason"] == "split test_unseen of BIOSCAN-5M"
    assert found["FAR1-24"]["state"] == "not_selected"
    assert found["LOST1-24"]["state"] == "missing"
    assert found["EXTRA-24"]["state"] == "not_in_mapping"


def test_an_image_in_both_is_kept_from_the_preferred_source(
    built: Path, ledger: Callable[[Path], Rows]
) -> None:
    rows = catalog(built)
    counts = Counter(each["source"] for each in rows)
    others = [each for each in ledger(built) if each["state"] == "in_other_source"]

    assert counts == {"bioscan5m": 16, "bioscan": 18 - len(SHARED)}
    assert {each["source"] for each in others} == {"bioscan"}
    kept = {image_id("bioscan5m", key) for key in SHARED}
    assert kept <= {each["treeoflife_id"] for each in rows}
    assert {each["reason"] for each in others} == {
        f"the same image as {image} ([dataset] prefer)" for image in kept
    }


def test_names_and_licences(built: Path) -> None:
    rows = {each["bioscan5m_processid"]: each for each in catalog(built) if each["source"] == "bioscan5m"}

    assert (rows["WASP2-24"]["genus"], rows["WASP2-24"]["species"] or "") == ("Aphidius", "")
    assert (rows[SHARED[0]]["genus"], rows[SHARED[0]]["species"]) == ("Apis", "mellifera")
    assert rows["FLY00-24"]["family"] == "Cecidomyiidae"
    with (built / "224x224" / "licenses.csv").open(encoding="utf-8", newline="") as file:
        licenses = {each["treeoflife_id"]: each for each in csv.DictReader(file)}
    for each in rows.values():
        mine = licenses[each["treeoflife_id"]]
        assert (mine["license_name"], mine["copyright_owner"]) == ("cc-by-3.0", "CBG Photography Group")
        assert mine["license_link"] == "https://creativecommons.org/licenses/by/3.0/"


def test_a_plan_counts_what_the_selection_gives(both: Sections, settings_file: Callable[..., Path]) -> None:
    with settings_from(settings_file(both)) as settings:
        stats = {each.name: each for each in source_stats(settings, 20)}

    assert (stats["bioscan5m"].images, stats["bioscan5m"].is_counted) == (16, True)
    assert stats["bioscan5m"].partitions == 4


def test_a_plan_that_cannot_read_all_files_estimates_what_the_selection_gives(
    settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [row(f"FLY{number:04d}-24", "pretrain", FLY if number % 4 else BEE) for number in range(4000)]
    write_zip(tmp_path / "cropped_256.zip", {member(each): b"x" * 3000 for each in rows})
    own = {"images": "cropped_256.zip", "metadata": write_table(tmp_path / "rows.csv", rows), "taxa": "Apis"}
    sections = {"dataset": {"tag": "part"}, "bioscan5m": own}
    with settings_from(settings_file(sections)) as settings:
        [stats] = source_stats(settings, 0.002)

    assert not stats.is_counted
    assert stats.at_least < 1000
    assert stats.images == pytest.approx(1000, rel=0.5)


def test_a_preferred_source_that_does_not_exist(both: Sections, settings_file: Callable[..., Path]) -> None:
    both["dataset"]["prefer"] = "bioscan6m"
    with pytest.raises(SettingsError, match=r"\[dataset\] prefer"), settings_from(settings_file(both)):
        pass
