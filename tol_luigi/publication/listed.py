"""The files of a dataset that are published, as its manifest lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.errors import DamagedError, DatasetError
from tol_luigi.core.files import read_json, sha256_file
from tol_luigi.core.receipts import FileRecord, read_receipt, record_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tol_luigi.core.layout import Layout

__all__ = ["PublishedFile", "in_groups", "listed_files", "parse_manifest", "validate_sizes"]

_NAMING = ("manifest.json", "SHA256SUMS", "croissant.json", "DATASHEET.md", "CITATION.cff")
"""The files that name others."""

_REPAIR = "Run tol verify --repair, then the same command again"


@dataclass(frozen=True)
class PublishedFile:
    """A file to publish.

    Attributes:
        name: The path relative to the dataset, with ``/`` as the separator; also relative to the destination.
        path: The local file.
        size: The size in bytes.
        sha256: The SHA-256, 64 hexadecimal digits.
    """

    name: str
    path: Path
    size: int
    sha256: str

    def damage(self) -> DamagedError:
        """Return the error that the local file is not the one in the manifest."""
        return DamagedError(self.path, "differs from the manifest, so it is not published", _REPAIR)

    def validate(self) -> None:
        """Read the local file, and raise an error if it is not the one in the manifest.

        Raises:
            DamagedError: It differs, or is missing.
        """
        try:
            found = sha256_file(self.path)
        except FileNotFoundError as error:
            raise self.damage() from error
        if found != self.sha256:
            raise self.damage()


def listed_files(layout: Layout) -> list[PublishedFile]:
    """Return all files that the manifest lists, the manifest itself, and the checksums.

    Raises:
        DatasetError: The dataset is not complete.
        DamagedError: The manifest has changed since it was written.
    """
    directory = layout.directory
    path = layout.stage_receipt("WriteManifest")
    receipt = read_receipt(path)
    if receipt is None:
        raise DatasetError(directory, "there is no complete dataset here", "Build it first: tol build")
    records = dict(receipt.files)
    manifest = layout.manifest.relative_to(directory).as_posix()
    if not layout.manifest.is_file() or record_file(layout.manifest) != records[manifest]:
        raise DamagedError(
            layout.manifest, "differs from its receipt", "Run tol build, then the same command again"
        )
    for name, record in read_json(layout.manifest)["files"].items():
        records[name] = FileRecord(record["bytes"], record["sha256"])
    records[path.relative_to(directory).as_posix()] = record_file(path)
    return [
        PublishedFile(name, directory / name, record.bytes, record.sha256)
        for name, record in sorted(records.items())
    ]


def parse_manifest(content: bytes | None) -> set[str]:
    """Return the names in the manifest of an earlier publication; none if it is missing or cannot be read."""
    try:
        return set(json.loads(content or b"{}").get("files", ()))
    except (ValueError, AttributeError, TypeError):
        return set()


def validate_sizes(files: Iterable[PublishedFile]) -> None:
    """Raise an error if a file is missing or has another size than in the manifest.

    Raises:
        DamagedError: The first such file.
    """
    for file in files:
        if not FileRecord(file.size, file.sha256).has_size(file.path):
            raise file.damage()


def in_groups(files: Sequence[PublishedFile]) -> list[list[PublishedFile]]:
    """Return files in the order in which they are sent: what others name comes first, the cards last.

    So whoever reads a card at the destination finds what it names.
    """
    groups: list[list[PublishedFile]] = [[], [], []]
    for file in files:
        base = file.name.rpartition("/")[2]
        if base == "README.md":
            groups[2].append(file)
        elif ("/" not in file.name and base in _NAMING) or file.name.startswith("receipts/"):
            groups[1].append(file)
        else:
            groups[0].append(file)
    # the card of the complete folder is the very last
    groups[2].sort(key=lambda file: -file.name.count("/"))
    return groups
