"""A build whose images match no names stops before the first shard, and says why; ``tol plan`` says so before."""

from __future__ import annotations

import csv
import json
import sqlite3
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tol_luigi.report.text import counted

Sections = dict[str, dict[str, Any]]
Collection = Callable[..., Sections]

HEADER = "file,kingdom,phylum,class,order,family,genus,species,common,license,owner"
RAVEN = "Animalia,Chordata,Aves,Passeriformes,Corvidae,Corvus,corax,raven,cc0,Ana"
TASK_FAILED = 30


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Make a collection out of the names of its files and the labels; each label is of a raven unless it is a row."""

    def make(files: list[str], labels: list[str], **settings: Any) -> Sections:
        for seed, name in enumerate(files):
            path = tmp_path / "pics" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 48), (seed, 100, 200)).save(path, "JPEG")
        rows = [[label, *RAVEN.split(",")] if "," not in label else label.split(",") for label in labels]
        with (tmp_path / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER.split(","), *rows])
        return {
            "dataset": {"root": "out", "tag": "t"},
            "images": {"duplicates": "keep"},
            "folder": {"images": "pics", "labels": "labels.csv", "partitions": 1, **settings},
        }

    return make


def assert_stopped(finished: Any, folder: Path, *texts: str) -> str:
    """Return the one line of a build that has stopped before its first shard."""
    assert finished.returncode == TASK_FAILED, finished.stderr
    (message,) = finished.messages
    for text in texts:
        assert text in message
    assert not [*folder.rglob("*.tar"), *folder.rglob("plan.json")]
    return str(message)


LIKELY = {
    "a folder in front": (["a.jpg"], ["photos/a.jpg"], "folders in front of names differ", "'photos/a.jpg'"),
    "a table with a header only": (["a.jpg"], [], "because it has no rows", "'a.jpg'"),
    "a third that matches": (
        ["a.jpg", "b.jpg", "c.jpg"],
        ["a.jpg", "B.jpg", "C.jpg"],
        "upper and lower case differ",
        "it names 1 of 3 images of folder; for 1 of 3 names, there is an image",
    ),
}


@pytest.mark.parametrize("case", LIKELY)
def test_labels_that_match_too_few_files_stop_a_build_and_plan_says_so(
    *, case: str, collection: Collection, settings_file: Any, build: Any, tol: Any, tmp_path: Path
) -> None:
    files, labels, *texts = LIKELY[case]
    settings = settings_file(collection(files, labels))

    planned = tol("plan", "--json", "--config", settings, cwd=tmp_path)
    assert planned.returncode == 1
    [trouble] = json.loads(planned.stdout)["troubles"]
    assert not (tmp_path / "out").exists()
    message = assert_stopped(build(settings), tmp_path / "out", "CheckMatches: [folder] labels = ", *texts)
    assert trouble.partition("Correct")[0] == message.removeprefix("CheckMatches: ").partition("Correct")[0]


def test_what_is_too_few_is_a_setting_and_nothing_is_always_too_few(
    collection: Collection, settings_file: Any, build: Any, tol: Any, tmp_path: Path
) -> None:
    few = collection(["a.jpg", "b.jpg", "c.jpg"], ["a.jpg", "x.jpg", "y.jpg"])
    assert build(settings_file({**few, "checks": {"min_matched_percent": 33}})).returncode == 0
    report = json.loads((tmp_path / "out" / "t" / "matches-report.json").read_bytes())
    [listed, named] = report["matches"]
    assert report["images"] == 1
    assert (listed["matched_files"], listed["files"], listed["labels"]) == (1, 3, 3)
    assert (listed["unmatched_files"], listed["unmatched_labels"]) == (["b.jpg", "c.jpg"], ["x.jpg", "y.jpg"])
    assert (named["matched_files"], named["files"]) == (1, 1)

    none = collection(["a.jpg"], ["x.jpg"])
    none["dataset"]["tag"] = "none"
    settings = settings_file({**none, "checks": {"min_matched_percent": 0}})
    assert_stopped(build(settings), tmp_path / "out" / "none", "it names 0 of 3 images of folder")
    planned = json.loads(tol("plan", "--json", "--config", settings, cwd=tmp_path).stdout)
    assert "it names 0 of 3 images of folder" in planned["troubles"][0]


def test_labels_without_any_rank_stop_a_build(
    collection: Collection, settings_file: Any, build: Any, tmp_path: Path
) -> None:
    settings = settings_file(collection(["a.jpg"], ["a.jpg,,,,,,,,,,"]))
    assert_stopped(build(settings), tmp_path / "out", "[folder] labels", "it names 0 of 1 image of folder")


def test_some_labels_for_many_files_and_some_files_for_many_labels_are_enough(
    collection: Collection, settings_file: Any, tol: Any, tmp_path: Path
) -> None:
    names = [f"{number}.jpg" for number in range(9)]
    for files, labels in ((names, names[:1]), (names[:1], names)):
        settings = settings_file(collection(files, labels))
        planned = json.loads(tol("plan", "--json", "--config", settings, cwd=tmp_path).stdout)
        assert planned["troubles"] == []
        [line] = planned["matches"]
        assert f"; for 1 of {counted(len(labels), 'name')}, there is an image" in line
        for name in names:
            (tmp_path / "pics" / name).unlink(missing_ok=True)


def test_a_name_in_another_normal_form_is_used_and_the_ledger_notes_it(
    collection: Collection, settings_file: Any, build: Any, ledger: Any, tmp_path: Path
) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Ñandú.jpg") for form in ("NFC", "NFD"))
    assert build(settings_file(collection([decomposed, "b.jpg"], [composed, "b.jpg"]))).returncode == 0
    rows = {row["name"]: (row["state"], row["reason"]) for row in ledger(tmp_path / "out" / "t")}
    assert rows == {
        decomposed: ("written", f"labelled in another Unicode normal form, as {composed!r}"),
        "b.jpg": ("written", ""),
    }


def test_missing_values_are_warned_of_and_are_empty_if_the_settings_list_them(
    collection: Collection, settings_file: Any, build: Any, tol: Any, tmp_path: Path
) -> None:
    rows = [
        f"{name}.jpg,{RAVEN.partition(',Corvidae')[0]},{name},{name},alba,,," for name in ("NA", "nan", "x")
    ]
    sections = collection(["NA.jpg", "nan.jpg", "x.jpg"], rows)
    settings = settings_file(sections)
    warning = (
        "4 cells of [folder] labels read as names may mark missing values: 'NA' (2), 'nan' (2). If so, set "
        "[folder] missing_values = na,nan."
    )
    planned = tol("plan", "--json", "--config", settings, cwd=tmp_path)
    assert planned.returncode == 0
    assert warning in json.loads(planned.stdout)["notes"]
    finished = build(settings)
    assert warning in finished.stdout.splitlines()
    report = json.loads((tmp_path / "out" / "t" / "matches-report.json").read_bytes())
    assert report["likely_missing_values"] == [
        {"source": "folder", "spelling": spelling, "column": column, "cells": 1}
        for spelling in ("NA", "nan")
        for column in ("family", "genus")
    ]
    finished_plan = json.loads(tol("plan", "--json", "--config", settings, cwd=tmp_path).stdout)
    assert warning in finished_plan["notes"]
    assert "folder.missing_values" not in json.loads((tmp_path / "out" / "t" / "dataset.json").read_bytes())

    sections["folder"]["missing_values"] = "NA, nan"
    refused = build(settings_file(sections))
    assert "folder.missing_values was None, is ['NA', 'nan']" in refused.messages[0]
    sections["dataset"]["tag"] = "empty"
    finished = build(settings_file(sections))
    assert "read as names" not in finished.stdout
    with (tmp_path / "out" / "empty" / "224x224" / "catalog.csv").open(encoding="utf-8", newline="") as file:
        genera = {row["folder_file"]: row["genus"] for row in csv.DictReader(file)}
    assert genera == {"NA.jpg": "", "nan.jpg": "", "x.jpg": "X"}


def other_pages(sections: Sections, folder: Path) -> str:
    table = folder / "taxon.tab"
    table.write_text(
        "taxonID\tparentNameUsageID\ttaxonRank\tcanonicalName\teolID\na\t\tgenus\tAus\t999\n",
        encoding="utf-8",
    )
    sections["eol"]["taxon_tab"] = table
    del sections["eol"]["scraped_page_ids"]
    return f"[eol] taxon_tab = {table}: it names 0 of 151 images of eol"


def other_metadata(sections: Sections, folder: Path) -> str:
    given = sections["bioscan"]["metadata"]
    rows = json.loads(Path(given).read_text(encoding="utf-8"))
    table = folder / "metadata.json"
    table.write_text(
        json.dumps([{**row, "image_file": row["image_file"].replace(".jpg", ".png")} for row in rows]),
        encoding="utf-8",
    )
    sections["bioscan"]["metadata"] = table
    return f"[bioscan] metadata = {table}: it names 0 of 18 images of bioscan"


def other_mapping(sections: Sections, folder: Path) -> str:
    given = sections["published"]["mapping"]
    table = folder / "mapping.sqlite"
    table.write_bytes(Path(given).read_bytes())
    with sqlite3.connect(table) as database:
        database.execute("UPDATE bioscan SET part = part + 1000")
    database.close()
    sections["published"]["mapping"] = table
    return f"[published] mapping = {table}: it names 0 of 18 images of bioscan"


@pytest.mark.parametrize("spoil", [other_pages, other_metadata, other_mapping])
def test_tables_that_name_none_of_the_images_stop_a_build_of_any_source(
    *,
    spoil: Callable[[Sections, Path], str],
    sample_settings: Sections,
    settings_file: Any,
    build: Any,
    tol: Any,
    tmp_path: Path,
) -> None:
    kept = {"dataset", "bioscan" if spoil is not other_pages else "eol"}
    if spoil is other_mapping:
        kept.add("published")
    sections = {name: section for name, section in sample_settings.items() if name in kept}
    what = spoil(sections, tmp_path)
    settings = settings_file(sections)
    planned = tol("plan", "--json", "--config", settings, cwd=tmp_path)
    assert planned.returncode == 1
    [trouble] = json.loads(planned.stdout)["troubles"]
    assert what in trouble
    message = assert_stopped(build(settings), tmp_path / "out", what, "images without a name: '")
    if spoil is other_metadata:
        assert "the likely cause: endings differ (without that, 18 more would match" in message


def test_a_finished_dataset_tells_what_matched(sample_build: Path, tol: Any) -> None:
    planned = tol("plan", "--json", "--config", sample_build.parents[1] / "settings.cfg", cwd=sample_build)
    lines = json.loads(planned.stdout)["matches"]
    assert [line.partition(";")[0] for line in lines if line.startswith("[published] mapping")] == [
        "[published] mapping names 151 of 151 images of eol",
        "[published] mapping names 18 of 18 images of bioscan",
        "[published] mapping names 114 of 114 images of inat21",
    ]
