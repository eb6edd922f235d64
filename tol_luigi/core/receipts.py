"""Receipts: records of the files that a stage has written, and of its inputs.

A receipt is written last, so files without one belong to an unfinished stage. It ends with a checksum of its
content, so a receipt with any change, even in whitespace, is invalid.
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
"""The text between the content of a receipt and its checksum."""

_END = '"\n}\n'


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size and checksum of a file.

    Attributes:
        bytes: The size in bytes.
        sha256: The SHA-256, 64 hexadecimal digits.
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
    """Return the records of files by their paths relative to a directory, with ``/`` as the separator."""
    return {path.relative_to(directory).as_posix(): record_file(path) for path in paths}


@dataclass(frozen=True)
class Receipt:
    """The outputs and inputs of a task.

    Attributes:
        task: The task in a few words, such as ``ScanPartition eol image_set_01``.
        settings: The digest of the settings that determine the dataset.
        inputs: The digests of the outputs of upstream tasks, by task.
        files: The written files, by path relative to the dataset's folder.
        more: Further results of the task, which are part of its digest.
        notes: Further information that is not part of the digest, such as the version of the program.
        checksum: The checksum of all this in the file; "" for a receipt that was not read from a file.
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
        """The SHA-256 of the outputs of the task, independent of its inputs."""
        files = {name: [record.bytes, record.sha256] for name, record in self.files.items()}
        return _digest({"files": files, "more": self.more})

    def write(self, path: Path) -> None:
        """Write the receipt atomically."""
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
    """Return the receipt in a file, or None if the file is missing, damaged or changed."""
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
    """Return the receipt in a file, cached until it changes, because the task graph needs it many times."""
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
