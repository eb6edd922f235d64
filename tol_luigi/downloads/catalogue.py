"""List every file of a full build: its address, its path, and the setting that names it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.remote import Base, RemoteFile
from tol_luigi.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tol_luigi.core.remote import SourceDownloads

__all__ = [
    "BASES",
    "GROUPS",
    "METADATA",
    "PLACES",
    "SOURCE_DOWNLOADS",
    "Remote",
    "Table",
    "places",
    "remotes",
    "sets_key",
    "tables",
]

SOURCE_DOWNLOADS: dict[str, SourceDownloads] = {
    name: plugin.downloads for name, plugin in SOURCES.items() if plugin.downloads
}
"""The downloads of each source, by source."""

METADATA = "metadata"

GROUPS = (METADATA, *SOURCE_DOWNLOADS)
"""The download groups, one task each: the small tables of all sources, then the images of each source."""

_PUBLISHED = {
    "huggingface": Base(
        "https://huggingface.co/datasets/imageomics/TreeOfLife-10M/resolve/main", "TreeOfLife-10M"
    )
}

BASES: dict[str, Base] = {
    **_PUBLISHED,
    **{key: base for downloads in SOURCE_DOWNLOADS.values() for key, base in downloads.bases.items()},
}
"""The base addresses, by key of the settings. The paths below them are the published paths."""

_CHAINS = "species_level_taxonomy_chains.csv"


def _of_metadata(name: str, section: str = "", key: str = "") -> tuple[RemoteFile, str]:
    return RemoteFile(name, "huggingface", f"{METADATA}/{name}", key), section


_TABLES: tuple[tuple[RemoteFile, str], ...] = (
    _of_metadata("catalog.csv"),
    _of_metadata("licenses.csv"),
    _of_metadata("mapping.sqlite", "published", "mapping"),
    _of_metadata(_CHAINS, "itis", "chains"),
    *(
        _of_metadata(f"naming/{name}_name_lookup.json")
        for name, plugin in SOURCES.items()
        if plugin.is_published
    ),
    *((table, name) for name, downloads in SOURCE_DOWNLOADS.items() for table in downloads.tables),
)
"""Every table, and the settings section with the key that names it."""


def _images(source: str) -> str:
    """Return the path of a source's images below the download folder: an archive, or a folder of archives."""
    archives = SOURCE_DOWNLOADS[source].archives
    return f"{source}/{archives[0].name}" if len(archives) == 1 else source


PLACES: dict[tuple[str, str], str] = {
    **{(section, table.key): f"{METADATA}/{table.name}" for table, section in _TABLES if table.key},
    ("published", "names"): f"{METADATA}/naming",
    **{
        (name, table.key): f"{METADATA}/{table.archive.partition('.')[0]}/{table.member}"
        for name, downloads in SOURCE_DOWNLOADS.items()
        for table in downloads.archived_tables
    },
    **{(name, "images"): _images(name) for name in SOURCE_DOWNLOADS},
}
"""The path of each file relative to the download folder, by section and key of the settings."""


def sets_key(source: str) -> str:
    """Return the key of ``[download]`` that selects archives of a source, or "" if it has only one."""
    return f"{source}_sets" if len(SOURCE_DOWNLOADS[source].archives) > 1 else ""


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes:
        source: Its group, one of :data:`GROUPS`.
        name: Its name in ``sources.lock``, independent of address and path.
        url: An address (``http``, ``https``, ``file``) or a path.
        path: The path of the fetched file.
        checksum: ``md5:`` or ``sha256:`` and hexadecimal digits, or "" if none is known.
    """

    source: str
    name: str
    url: str
    path: Path
    checksum: str = ""

    def to_json(self) -> dict[str, str]:
        """Return a JSON object for :meth:`from_json`."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Remote:
        """Parse the result of :meth:`to_json`."""
        return cls(**{**values, "path": Path(values["path"])})


@dataclass(frozen=True)
class Table:
    """A table in an archive that must be extracted before the build can read it.

    Attributes:
        archive: The archive.
        member: The name of the table in the archive.
        path: The path of the extracted table.
    """

    archive: Path
    member: str
    path: Path


def places(folder: Path, groups: Iterable[str], *, extract: bool) -> dict[tuple[str, str], Path]:
    """Return the paths of the fetched files for a build, by section and key.

    Args:
        folder: The download folder.
        groups: The fetched groups, from :data:`GROUPS`.
        extract: Whether image archives are extracted.
    """
    fetched = set(groups)
    chosen = {
        setting: folder / name
        for setting, name in PLACES.items()
        if (setting[0] if setting[1] == "images" else METADATA) in fetched
    }
    if extract:
        for source in fetched & set(SOURCE_DOWNLOADS):
            chosen[source, "images"] = _unpacked(folder, source) / SOURCE_DOWNLOADS[source].images_inside
    return chosen


def remotes(
    bases: Mapping[str, str],
    folder: Path,
    configured: Mapping[tuple[str, str], Path],
    sets: Mapping[str, Iterable[int]],
    checksums: Mapping[str, str],
) -> list[Remote]:
    """Return the files of all sources.

    Args:
        bases: The base addresses, by key of :data:`BASES`.
        folder: The download folder.
        configured: The paths that the settings name, by section and key. All other files go below ``folder``.
        sets: The numbers of the archives to fetch, from 1, by source, for sources with several archives.
        checksums: The expected checksums, by name.
    """

    def remote(group: str, file: RemoteFile, place: Path) -> Remote:
        name = f"{group}/{file.name}"
        return Remote(group, name, _join_url(bases[file.base], file.path), place, checksums.get(name, ""))

    found = []
    for table, section in _TABLES:
        place = configured.get((section, table.key))
        if table.name.startswith("naming/") and ("published", "names") in configured:
            place = configured["published", "names"] / table.name.removeprefix("naming/")
        found.append(remote(METADATA, table, place or folder / METADATA / table.name))
    for source, downloads in SOURCE_DOWNLOADS.items():
        images = configured.get((source, "images"), folder / PLACES[source, "images"])
        if len(downloads.archives) == 1:
            found.append(remote(source, downloads.archives[0], images))
            continue
        chosen = set(sets[source])
        for number, archive in enumerate(downloads.archives, 1):
            if number in chosen:
                found.append(remote(source, archive, images / archive.name))
    return found


def tables(folder: Path, configured: Mapping[tuple[str, str], Path]) -> list[Table]:
    """Return the tables to extract from archives."""
    found = []
    for source, downloads in SOURCE_DOWNLOADS.items():
        for table in downloads.archived_tables:
            key = source, table.key
            place = configured.get(key, folder / PLACES[key])
            found.append(Table(folder / METADATA / table.archive, table.member, place))
    return found


def _join_url(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path}"


def _unpacked(folder: Path, source: str) -> Path:
    return folder / source / "unpacked"


def unpacked(folder: Path, source: str, name: str) -> Path | None:
    """Return the folder for the contents of an image archive, or None if the file is not an image archive.

    Args:
        folder: The download folder.
        source: The group of the file, one of :data:`GROUPS`.
        name: The name of the file in ``sources.lock``.
    """
    if source not in SOURCE_DOWNLOADS:
        return None
    below = _unpacked(folder, source)
    return below / Path(name).name.partition(".")[0] if sets_key(source) else below
