"""The files that can be fetched for a source: its tables and archives, and their locations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ArchivedTable", "Base", "RemoteFile", "SourceDownloads"]


@dataclass(frozen=True)
class Base:
    """A location of files.

    Attributes:
        address: A URL or a folder.
        description: The content of the location.
    """

    address: str
    description: str


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    Attributes:
        name: Its name in the folder of the downloads.
        base: The key of its base in ``[download]``.
        path: Its path relative to the base.
        key: The key of the source's section for the fetched file, or "".
        checksum: ``md5:`` or ``sha256:`` and hexadecimal digits, or "".
    """

    name: str
    base: str
    path: str
    key: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class ArchivedTable:
    """A table in a fetched archive, which must be extracted for a build.

    Attributes:
        archive: The name of the archive, one of the tables of the source.
        member: The name of the table, in the archive and extracted.
        key: The key of the source's section for the table.
    """

    archive: str
    member: str
    key: str


@dataclass(frozen=True, kw_only=True)
class SourceDownloads:
    """The files that can be fetched for a source.

    Attributes:
        bases: The locations of files by their keys in ``[download]``, except those that another source
            defines.
        tables: The tables, which are fetched together with the tables of all sources.
        archived_tables: The tables that are extracted from fetched archives.
        archives: The archives of images. If there are several, the key ``<source>_sets`` of ``[download]``
            selects some of them, by their numbers from 1.
        images_inside: The folder within an unpacked archive that contains the images.
        count: The number of files in the archives, if it is published.
        slurm_time: The time limit of a Slurm job that fetches the archives.
        slurm_cores: The cores of that job.
    """

    archives: tuple[RemoteFile, ...]
    bases: Mapping[str, Base]
    tables: tuple[RemoteFile, ...] = ()
    archived_tables: tuple[ArchivedTable, ...] = ()
    images_inside: str = ""
    count: int | None = None
    slurm_time: str = "12:00:00"
    slurm_cores: int = 2
