from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.receipts import FileRecord, Receipt, read_receipt, record_file, record_files

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"a/b.txt": FileRecord(3, "0" * 64)}
RECEIPT = Receipt("Stage x", "settings", {"Before": "1"}, FILES, {"samples": 3}, {"version": "1"})


def test_a_receipt_is_read_as_it_was_written(tmp_path: Path) -> None:
    RECEIPT.write(tmp_path / "receipt.json")
    read = read_receipt(tmp_path / "receipt.json")

    assert read
    assert (read.task, read.settings, read.inputs, read.files, read.more, read.notes) == (
        "Stage x", "settings", {"Before": "1"}, FILES, {"samples": 3}, {"version": "1"}
    )  # fmt: skip
    assert read.digest == RECEIPT.digest
    assert len(read.checksum) == 64


@pytest.mark.parametrize(
    ("other", "is_the_same"),
    [
        pytest.param(
            Receipt("Other", "other", {}, FILES, {"samples": 3}), True, id="made from something else"
        ),
        pytest.param(Receipt("Stage x", "settings", {}, FILES, {"samples": 4}), False, id="more"),
        pytest.param(Receipt("Stage x", "settings", {}, {}, {"samples": 3}), False, id="files"),
        pytest.param(
            Receipt("Stage x", "settings", {}, {"a/b.txt": FileRecord(3, "1" * 64)}, {"samples": 3}),
            False,
            id="content of a file",
        ),
        pytest.param(
            Receipt("Stage x", "settings", {}, {"a/b.txt": FileRecord(30, "0" * 64)}, {"samples": 3}),
            False,
            id="length of a file",
        ),
        pytest.param(
            Receipt("Stage x", "settings", {}, {"a/c.txt": FileRecord(3, "0" * 64)}, {"samples": 3}),
            False,
            id="name of a file",
        ),
    ],
)
def test_the_digest_is_of_what_was_made(other: Receipt, is_the_same: bool) -> None:
    assert (other.digest == RECEIPT.digest) is is_the_same


def test_any_change_of_a_receipt_makes_it_none(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    RECEIPT.write(path)
    content = path.read_bytes()
    for place in range(len(content)):
        for other in (bytes([content[place] ^ 1]), b"", b" " + content[place : place + 1]):
            path.write_bytes(content[:place] + other + content[place + 1 :])
            assert read_receipt(path) is None, content[max(0, place - 9) : place + 9]
    for other in (content + b"\n", content.replace(b"\n", b"\r\n")):
        path.write_bytes(other)
        assert read_receipt(path) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'"x"', b'{"checksum": 1}', b"\xff", b"{"])
def test_what_is_no_receipt_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "receipt.json").write_bytes(content)
    assert read_receipt(tmp_path / "receipt.json") is None
    assert read_receipt(tmp_path / "absent.json") is None


def test_keys_of_a_receipt_are_for_programs_too(tmp_path: Path) -> None:
    RECEIPT.write(tmp_path / "receipt.json")
    assert json.loads((tmp_path / "receipt.json").read_bytes())["samples"] == 3


def test_files_are_recorded_by_size_and_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_bytes(b"abc")
    record = record_file(tmp_path / "a" / "b.txt")

    assert record == FileRecord(3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert record_files(tmp_path, [tmp_path / "a" / "b.txt"]) == {"a/b.txt": record}
    assert record.has_size(tmp_path / "a" / "b.txt")
    assert not record.has_size(tmp_path / "absent")
