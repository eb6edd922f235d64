"""The inputs of ``cases/`` in the reference material whose labels or names go wrong: each ends as the page there requires."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forked import Ended, Forks

COMPLETE, TASK_FAILED, WRONG_SETTINGS = 0, 30, 40
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
RAVEN = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Corvus", "corax", "raven")

PIXELS = {"pixels"}
"""What is about pixels is tested in ``tests/core/test_image_pixels.py``."""


class Build(NamedTuple):
    """A case, built: how that ended, and its folder."""

    ended: Ended
    case: Path

    @property
    def dataset(self) -> Path:
        return self.case / "out" / "t"

    @property
    def message(self) -> str:
        [message] = self.ended.messages
        return message

    def catalog(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.dataset / "224x224/catalog.parquet").to_pylist()
        return rows

    def licenses(self) -> list[dict[str, str]]:
        with (self.dataset / "224x224/licenses.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def cases(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, shared / "cases" / "make_cases.py", folder], check=True)
    return folder


@pytest.fixture
def built(cases: Path, forks: Forks, tmp_path: Path) -> Callable[..., Build]:
    """Build a copy of a case, with further keys of ``[folder]``."""

    def build(name: str, **further: str) -> Build:
        case = tmp_path / name
        shutil.copytree(cases / name, case, dirs_exist_ok=True)
        with (case / "my.cfg").open("a", encoding="utf-8") as settings:
            settings.writelines(f"{key} = {value}\n" for key, value in further.items())
        return Build(forks.build(case / "my.cfg", "BuildCatalog"), case)

    return build


WRONG_TABLES = {
    "open-quote": "line 2 opens a quote that is not closed at the end of its cell. Fix the table.",
    "one-cell-too-many": "line 2 has too many cells (12; the header has 11). Fix the table.",
    "latin-1": "line 2 is not UTF-8 (byte 0xE9, perhaps of Windows-1252 or Latin-1). "
    "Save it as UTF-8, or set [folder] encoding = cp1252.",
    "utf-16": "line 1 is UTF-16, not UTF-8. Save it as UTF-8, or set [folder] encoding = utf-16.",
}

MISMATCHES = {
    "no-ending": ("a", "a.jpg", "endings"),
    "prefix-folder": ("photos/a.jpg", "a.jpg", "folders in front of names"),
    "other-case": ("A.JPG", "a.jpg", "upper and lower case"),
    "backslash": ("sub\\a.jpg", "sub/a.jpg", "separators (backslash and /)"),
    "trailing-space": ("a.jpg ", "a.jpg", "blanks around names"),
}
"""By case: the name in the labels, the file, and how they differ."""

READ = {
    "semicolons": {},
    "tabs": {},
    "latin-1": {"encoding": "cp1252"},
    "utf-16": {"encoding": "utf-16"},
}
"""By case: what the settings must say about its table."""

OTHERS = {"header-only", "nfd", "missing-values"}


def test_every_case_of_labels_has_its_test(cases: Path) -> None:
    tested = {*WRONG_TABLES, *MISMATCHES, *READ, *OTHERS}
    assert {case.name for case in cases.iterdir()} - PIXELS == tested


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_a_wrong_table_is_refused_with_its_line(name: str, built: Callable[..., Build]) -> None:
    build = built(name)

    assert build.ended.code == WRONG_SETTINGS, build.ended.output
    assert build.message == f"[folder] labels = {build.case / 'labels.csv'}: {WRONG_TABLES[name]}"
    assert "Traceback" not in build.ended.output
    assert not (build.case / "out").exists()


@pytest.mark.parametrize("name", MISMATCHES)
def test_labels_that_match_no_file_stop_the_build_with_the_cause(
    name: str, built: Callable[..., Build]
) -> None:
    label, file, difference = MISMATCHES[name]
    build = built(name)

    assert build.ended.code == TASK_FAILED, build.ended.output
    assert build.message == (
        f"CheckMatches: [folder] labels = {build.case / 'labels.csv'}: it names 0 of 1 image of folder; for 0 of "
        f"1 name, there is an image (images without a name: {file!r}; names without an image: {label!r}); the "
        f"likely cause: {difference} differ (without that, 1 more would match, such as {file!r} and {label!r}). "
        "Correct the names or the setting."
    )
    assert not list(build.dataset.glob("224x224/*/*.tar"))


def test_labels_without_rows_stop_the_build(built: Callable[..., Build]) -> None:
    build = built("header-only")

    assert build.ended.code == TASK_FAILED, build.ended.output
    assert build.message == (
        f"CheckMatches: [folder] labels = {build.case / 'labels.csv'}: it names 0 of 1 image of folder, because it "
        "has no rows (images without a name: 'a.jpg'). Correct the names or the setting."
    )
    assert not list(build.dataset.glob("224x224/*/*.tar"))


@pytest.mark.parametrize("name", READ)
def test_other_delimiters_and_encodings_are_read(name: str, built: Callable[..., Build]) -> None:
    build = built(name, **READ[name])

    assert build.ended.code == COMPLETE, build.ended.output
    [row] = build.catalog()
    assert tuple(row[column] for column in (*RANKS, "common")) == RAVEN
    [license_row] = build.licenses()
    assert license_row["copyright_owner"] == ("José" if name == "latin-1" else "A")


def test_a_name_in_another_unicode_normal_form_is_matched_and_noted(
    built: Callable[..., Build], ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    build = built("nfd")

    assert build.ended.code == COMPLETE, build.ended.output
    composed = "Ñandú.jpg"
    rows = ledger(build.dataset)
    assert {row["name"]: (row["state"], row["reason"]) for row in rows} == {
        unicodedata.normalize("NFD", composed): (
            "written",
            f"labelled in another Unicode normal form, as {composed!r}",
        ),
        "b.jpg": ("written", ""),
    }


def test_spellings_of_missing_values_are_reported_with_the_setting_that_names_them(
    built: Callable[..., Build],
) -> None:
    build = built("missing-values")

    assert build.ended.code == COMPLETE, build.ended.output
    setting = "na,n/a,none,nan,null,-,?"
    warning = (
        "16 cells of [folder] labels read as names may mark missing values: 'NA' (2), 'N/A' (2), 'None' (2), "
        f"'nan' (2), 'NULL' (2), 'null' (2), '-' (2), '?' (2). If so, set [folder] missing_values = {setting}."
    )
    assert warning in build.ended.output
    assert {"Na", "None", "Nan", "Null"} <= {row["genus"] for row in build.catalog()}

    shutil.rmtree(build.case)
    build = built("missing-values", missing_values=setting)
    assert build.ended.code == COMPLETE, build.ended.output
    assert "may mark missing values" not in build.ended.output
    assert {(row["order"], row["family"], row["genus"]) for row in build.catalog()} == {
        ("Passeriformes", "", "")
    }
