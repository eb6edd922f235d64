"""The formats of exports."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tol_luigi.core.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.export_folder import ExportFolder
    from tol_luigi.core.receipts import Receipt
    from tol_luigi.dataset.exports.samples import ShardToExport

__all__ = ["FORMATS", "ExportFormat", "Written", "export_format", "optional_module"]

FORMATS = {
    "parquet": "parquet:ParquetFormat",
    "mds": "mds:MdsFormat",
    "lance": "lance_files:LanceFormat",
    "folder": "image_folder:ImageFolderFormat",
}
"""The class of each format, as ``<module>:<name>``; a module is imported only if its format is written."""


class Written(NamedTuple):
    """What was written for a shard.

    Attributes:
        files: The names of the files, relative to the folder of the export.
        more: Further results, for :meth:`ExportFormat.finish`.
    """

    files: Sequence[str]
    more: Mapping[str, Any] = {}


class ExportFormat(ABC):
    """A format. Shards are converted one by one, by several threads; a finished one is not converted again.

    Args:
        folder: The folder of the export.
        fields: The fields of samples besides the image.
    """

    name: ClassVar[str]
    """The name of the format."""

    patterns: ClassVar[str] = ""
    """The files of a split as the card of the folder names them, with ``{split}``; "" if the folder has no card."""

    def __init__(self, folder: ExportFolder, fields: Sequence[str]) -> None:
        self.folder, self.fields = folder, fields

    @abstractmethod
    def write(self, shard: ShardToExport) -> Written:
        """Write what becomes of a shard; files of an interrupted attempt are replaced."""

    def identity(self, shard: ShardToExport) -> dict[str, Any]:
        """Return what determines the files of a shard besides its content."""
        return {"format": self.name, "fields": list(self.fields), "split": shard.split, "shard": shard.stem}

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the files of a receipt are there, by their sizes."""
        root = self.folder.folder
        return all(record.has_size(root / name) for name, record in receipt.files.items())

    def finish(self, split: str, receipts: Sequence[Receipt]) -> None:  # noqa: B027 (most formats need nothing)
        """Write what a split needs once all its shards are converted."""

    @abstractmethod
    def data_folders(self, splits: Iterable[str]) -> list[Path]:
        """Return the folders that have nothing but files of the export."""


def export_format(name: str) -> type[ExportFormat]:
    """Return the class of a format.

    Raises:
        DatasetError: The library that writes it is not installed.
    """
    module, _, found = FORMATS[name].partition(":")
    result: type[ExportFormat] = getattr(importlib.import_module(f"{__package__}.{module}"), found)
    return result


def optional_module(name: str, extra: str) -> Any:  # noqa: ANN401 (a module)
    """Import a library that only one format needs.

    Args:
        name: The name of the module.
        extra: The extra of this package that installs it.

    Raises:
        DatasetError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = f"Install it (pip install 'tol_luigi[{extra}]')"
        raise DatasetError(name, "the package is not installed", remedy) from error
