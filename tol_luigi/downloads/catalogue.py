"""What a full build needs: every file, where it comes from, where it goes, and which setting then names it."""

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
"""By source, what can be fetched of it."""

METADATA = "metadata"

GROUPS = (METADATA, *SOURCE_DOWNLOADS)
"""What is fetched together, as one task: the small tables of all sources, then the images of each."""

_PUBLISHED = {
    "huggingface": Base(
        "https://huggingface.co/datasets/imageomics/TreeOfLife-10M/resolve/main", "TreeOfLife-10M"
    )
}

BASES: dict[str, Base] = {
    **_PUBLISHED,
    **{key: base for downloads in SOURCE_DOWNLOADS.values() for key, base in downloads.bases.items()},
}
"""By key of the settings: where files come from. Their paths below that are the published ones."""

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
"""Every table, and the section whose key names it."""


def _images(source: str) -> str:
    """Return where the images of a source are below the folder of the downloads: one archive, or a folder of several."""
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
"""By section and key of the settings: where the file is below the folder of the downloads."""


def sets_key(source: str) -> str:
    """Return the key of ``[download]`` that chooses some archives of a source; "" if it has one only."""
    return f"{source}_sets" if len(SOURCE_DOWNLOADS[source].archives) > 1 else ""


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes:
        source: What it is fetched with, of :data:`GROUPS`.
        name: How ``sources.lock`` calls it, whatever it is fetched from and wherever it goes.
        url: An address (``http``, ``https``, ``file``) or a path.
        path: Where it goes.
        checksum: ``md5:`` or ``sha256:`` and hexadecimal digits, "" where none is given.
    """

    source: str
    name: str
    url: str
    path: Path
    checksum: str = ""

    def to_json(self) -> dict[str, str]:
        """Give what :meth:`from_json` takes."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Remote:
        """Take what :meth:`to_json` gives."""
        return cls(**{**values, "path": Path(values["path"])})


@dataclass(frozen=True)
class Table:
    """A table that lies in an archive, and that the build can read only outside of it.

    Attributes:
        archive: The archive.
        member: Its name in there.
        path: Where it goes.
    """

    archive: Path
    member: str
    path: Path


def places(folder: Path, groups: Iterable[str], *, extract: bool) -> dict[tuple[str, str], Path]:
    """Return, by section and key, where a build finds what has been fetched.

    Args:
        folder: The folder of the downloads.
        groups: Which are fetched, of :data:`GROUPS`.
        extract: Whether archives of images are unpacked.
    """
    given = set(groups)
    chosen = {
        setting: folder / name
        for setting, name in PLACES.items()
        if (setting[0] if setting[1] == "images" else METADATA) in given
    }
    if extract:
        for source in given & set(SOURCE_DOWNLOADS):
            chosen[source, "images"] = _unpacked(folder, source) / SOURCE_DOWNLOADS[source].images_inside
    return chosen


def remotes(
    bases: Mapping[str, str],
    folder: Path,
    given: Mapping[tuple[str, str], Path],
    sets: Mapping[str, Iterable[int]],
    checksums: Mapping[str, str],
) -> list[Remote]:
    """Return every file of all sources.

    Args:
        bases: By key of :data:`BASES`, where files come from.
        folder: The folder of the downloads.
        given: By section and key, the places that the settings name; all else goes below the folder.
        sets: By source, the numbers of the archives to fetch of one that has several, from 1.
        checksums: By name, what the file must have.
    """

    def remote(group: str, file: RemoteFile, place: Path) -> Remote:
        name = f"{group}/{file.name}"
        return Remote(group, name, _joined(bases[file.base], file.path), place, checksums.get(name, ""))

    found = []
    for table, section in _TABLES:
        place = given.get((section, table.key))
        if table.name.startswith("naming/") and ("published", "names") in given:
            place = given["published", "names"] / table.name.removeprefix("naming/")
        found.append(remote(METADATA, table, place or folder / METADATA / table.name))
    for source, downloads in SOURCE_DOWNLOADS.items():
        images = given.get((source, "images"), folder / PLACES[source, "images"])
        if len(downloads.archives) == 1:
            found.append(remote(source, downloads.archives[0], images))
            continue
        chosen = set(sets[source])
        for number, archive in enumerate(downloads.archives, 1):
            if number in chosen:
                found.append(remote(source, archive, images / archive.name))
    return found


def tables(folder: Path, given: Mapping[tuple[str, str], Path]) -> list[Table]:
    """Return the tables to take out of archives."""
    found = []
    for source, downloads in SOURCE_DOWNLOADS.items():
        for table in downloads.archived_tables:
            key = source, table.key
            place = given.get(key, folder / PLACES[key])
            found.append(Table(folder / METADATA / table.archive, table.member, place))
    return found


def _joined(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path}"


def _unpacked(folder: Path, source: str) -> Path:
    return folder / source / "unpacked"


def unpacked(folder: Path, source: str, name: str) -> Path | None:
    """Return the folder into which an archive of images is unpacked; None for a file that is not one.

    Args:
        folder: The folder of the downloads.
        source: What it is fetched with, of :data:`GROUPS`.
        name: How ``sources.lock`` calls it.
    """
    if source not in SOURCE_DOWNLOADS:
        return None
    below = _unpacked(folder, source)
    return below / Path(name).name.partition(".")[0] if sets_key(source) else below
