"""Receipts: what a stage has written, and what it was made from.

A receipt is written last, so files without one belong to a stage that has not ended. It ends with a checksum of all that
stands before it: one that has changed, be it by a blank, is no receipt.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import committed, sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["FileRecord", "Receipt", "read_receipt", "read_receipt_once", "record_file", "record_files"]

_CHECKSUM = ',\n "checksum": "'
"""What stands between the rest of a receipt and its checksum."""

_END = '"\n}\n'


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of a file.

    Attributes:
        bytes: Its size.
        sha256: 64 hexadecimal digits.
    """

    bytes: int
    sha256: str

    def has_size(self, path: Path) -> bool:
        """Return whether a file exists and has this size."""
        try:
            return path.stat().st_size == self.bytes
        except OSError:
            return False


def record_file(path: Path) -> FileRecord:
    """Return size and SHA-256 of a file."""
    return FileRecord(path.stat().st_size, sha256_file(path))


def record_files(directory: Path, paths: Iterable[Path]) -> dict[str, FileRecord]:
    """Return the records of files by their paths below a directory, with ``/`` between the parts."""
    return {path.relative_to(directory).as_posix(): record_file(path) for path in paths}


@dataclass(frozen=True)
class Receipt:
    """What a task has written, and what it was made from.

    Attributes:
        task: The task in a few words, such as ``ScanPartition eol image_set_01``.
        settings: Digest of the settings that determine the dataset.
        inputs: Digest of what each task before it has made, by that task.
        files: What it has written, by path below the dataset's folder.
        more: What else the stage records; it belongs to what the task has made.
        notes: The same, if it does not, such as the version of the program.
        checksum: Of all this, as the file has it; "" for a receipt that was not read from one.
    """

    task: str
    settings: str
    inputs: Mapping[str, str]
    files: Mapping[str, FileRecord]
    more: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    checksum: str = ""

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of what the task has made, whatever it was made from."""
        files = {name: [record.bytes, record.sha256] for name, record in self.files.items()}
        return _digest({"files": files, "more": self.more})

    def write(self, path: Path) -> None:
        """Write the receipt, whole or not at all."""
        content = {
            "task": self.task,
            "settings": self.settings,
            "inputs": dict(self.inputs),
            "files": {
                name: {"bytes": record.bytes, "sha256": record.sha256} for name, record in self.files.items()
            },
            **self.more,
            "notes": dict(self.notes),
        }
        rest = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}")
        with committed(path) as scratch:
            scratch.write_text(f"{rest}{_CHECKSUM}{_sha256(rest)}{_END}", encoding="utf-8")


def read_receipt(path: Path) -> Receipt | None:
    """Return the receipt in a file, or None if there is none, or if it is not as it was written."""
    try:
        rest, _, checksum = path.read_bytes().decode().rpartition(_CHECKSUM)
        if checksum != _sha256(rest) + _END:
            return None
        content = json.loads(f"{rest}}}")
        task, settings, inputs, files, notes = (
            content.pop(key) for key in ("task", "settings", "inputs", "files", "notes")
        )
        records = {name: FileRecord(**record) for name, record in files.items()}
        return Receipt(task, settings, inputs, records, content, notes, checksum.removesuffix(_END))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def read_receipt_once(path: Path) -> Receipt | None:
    """Read a receipt, unless it is the file that was read before: a look at a whole graph asks for each many times."""
    try:
        status = path.stat()
    except OSError:
        return None
    return _read_receipt_once(path, status.st_ino, status.st_size, status.st_mtime_ns)


@functools.lru_cache(1 << 14)
def _read_receipt_once(path: Path, *_: int) -> Receipt | None:
    return read_receipt(path)


def _digest(content: Any) -> str:  # noqa: ANN401 (JSON is any)
    return _sha256(json.dumps(content, sort_keys=True, separators=(",", ":")))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
