"""A report is two files, and exists when its figures can be read and are about the right thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tol_luigi.tasks.reports import ReportTarget

if TYPE_CHECKING:
    from pathlib import Path


def test_both_files_are_written_and_read(tmp_path: Path) -> None:
    report = ReportTarget(tmp_path / "taxa-report.json", about="this")
    assert not report.exists()
    report.write({"about": "this", "rows": 3}, "3 rows\n")
    assert report.exists()
    assert report.read() == {"about": "this", "rows": 3}
    assert [path.name for path in report.files] == ["taxa-report.json", "taxa-report.txt"]
    assert report.text_file.read_text(encoding="utf-8") == "3 rows\n"
    report.text_file.unlink()
    assert not report.exists()


def test_a_text_alone_is_no_report(tmp_path: Path) -> None:
    report = ReportTarget(tmp_path / "taxa-report.json")
    report.write_text("too many\n")
    assert report.text_file.exists()
    assert not report.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"about": "that", "findings": []}'])
def test_what_is_damaged_or_about_something_else_is_made_again(tmp_path: Path, content: str) -> None:
    report = ReportTarget(tmp_path / "report.json", about="this", findings=[])
    report.file.write_text(content, encoding="utf-8")
    assert not report.exists()
    report.write({"about": "this", "findings": []}, "")
    assert report.exists()
