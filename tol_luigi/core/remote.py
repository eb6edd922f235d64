"""What can be fetched of a source: its tables, its archives, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ArchivedTable", "Base", "RemoteFile", "SourceDownloads"]


@dataclass(frozen=True)
class Base:
    """Where files come from.

    Attributes:
        address: An address or a folder.
        description: What is there.
    """

    address: str
    description: str


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    Attributes:
        name: Its name in the folder of the downloads.
        base: The key of its base in ``[download]``.
        path: Its path below the base.
        key: The key of the source's section that names it once it has been fetched, or "".
        checksum: ``md5:`` or ``sha256:`` and hexadecimal digits, or "".
    """

    name: str
    base: str
    path: str
    key: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class ArchivedTable:
    """A table that is stored in a fetched archive, and that a build can read only outside of it.

    Attributes:
        archive: The name of the archive, one of the tables of the source.
        member: Its name in there, and outside.
        key: The key of the source's section that names it.
    """

    archive: str
    member: str
    key: str


@dataclass(frozen=True, kw_only=True)
class SourceDownloads:
    """What can be fetched of a source.

    Attributes:
        bases: By their keys in ``[download]``, where files come from, if no other source has them.
        tables: The tables, which are fetched with those of all sources.
        archived_tables: The tables that are taken out of fetched archives.
        archives: The archives of images. If there are several, the key ``<source>_sets`` of ``[download]`` chooses some of
            them, by their numbers from 1.
        images_inside: The folder within an unpacked archive in which the build finds the images.
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
