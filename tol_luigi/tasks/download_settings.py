"""The settings of downloads, which can be read before any file that a build needs exists."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.downloads import catalogue
from tol_luigi.downloads.lockfile import LOCK_NAME, is_fetched, read_lock
from tol_luigi.report.text import counted
from tol_luigi.sources import archives
from tol_luigi.tasks.settings_files import (
    absolute_place,
    find_origins,
    read_sections,
    validate_known,
    where_set,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.downloads.catalogue import Remote, Table
    from tol_luigi.tasks.run_sections import DownloadSection, SlurmSection
    from tol_luigi.tasks.settings_files import Origins

__all__ = ["Downloads", "downloads", "use_downloads", "wanted_downloads"]


@dataclass(frozen=True)
class Downloads:
    """The files to fetch, by the settings; none of them need exist.

    Attributes:
        settings: The section ``[download]``.
        slurm: The settings of jobs.
        folder: The folder for everything that no other setting places.
        configured: The places that other settings name, by section and key.
        remotes: The files of the sources to fetch.
        tables: The tables to extract from them.
    """

    settings: DownloadSection
    slurm: SlurmSection
    folder: Path
    configured: dict[tuple[str, str], Path]
    remotes: list[Remote]
    tables: list[Table]

    @property
    def lock(self) -> Path:
        """Return the path of the record of fetched files."""
        return self.folder / LOCK_NAME

    @property
    def places(self) -> dict[tuple[str, str], Path]:
        """Return where a build finds the fetched files, by section and key."""
        section = self.settings
        places = catalogue.places(self.folder, section.sources, extract=section.extract)
        return {**places, **self.configured}

    @property
    def folders(self) -> list[tuple[str, Path, Path]]:
        """Return source, archive and folder of everything to unpack."""
        if not self.settings.extract:
            return []
        pairs = [(one, catalogue.unpacked(self.folder, one.source, one.name)) for one in self.remotes]
        return [(one.source, one.path, folder) for one, folder in pairs if folder]

    def of(self, source: str) -> list[Remote]:
        """Return the files of one source."""
        return [remote for remote in self.remotes if remote.source == source]

    def missing(self) -> list[str]:
        """Return the names of everything still to be fetched, extracted or unpacked."""
        entries = read_lock(self.lock)
        names = [remote.name for remote in self.remotes if not is_fetched(remote, entries)]
        extracted = [table.path for table in self.tables] + [folder for _, _, folder in self.folders]
        names += [str(path) for path in extracted if not path.exists()]
        return names


@functools.cache
def wanted_downloads() -> Downloads | None:
    """Return the download settings of this process, read and checked once; None if no folder is named.

    Raises:
        SettingsError: A setting is wrong; unlike in :func:`settings`, files need not exist yet.
    """
    origins = find_origins()
    validate_known(origins)
    return _downloads(read_sections(origins, must_exist=False), origins)


def downloads() -> Downloads:
    """Return the download settings of this process.

    Raises:
        SettingsError: A setting is wrong, or no folder is named.
    """
    found = wanted_downloads()
    if found is None:
        where = where_set("download", "folder", find_origins(), "")
        raise SettingsError(where, "empty", "Set it to a folder for the sources: they need 2.2 TB")
    return found


def _downloads(parsed: Mapping[str, Any], origins: Origins) -> Downloads | None:
    """Return the files to fetch, if a folder for them is named."""
    section = parsed["download"]
    if section.folder is None:
        return None
    places = {
        (section, key): place
        for section, key in catalogue.PLACES
        if (place := getattr(parsed[section], key)) is not None
    }
    for source in catalogue.SOURCE_DOWNLOADS:
        place = None if catalogue.sets_key(source) else places.get((source, "images"))
        if source in section.sources and place and not archives.strip_ending(place.name):
            where = where_set(source, "images", origins, str(place))
            remedy = f"Name an archive, or remove {source} from [download] sources"
            raise SettingsError(where, "an archive is fetched, and this is not the name of one", remedy)
    bases = {key: _base(section.base(key), key, origins) for key in catalogue.BASES}
    sets = {
        source: section.sets(source) for source in catalogue.SOURCE_DOWNLOADS if catalogue.sets_key(source)
    }
    remotes = catalogue.remotes(bases, section.folder, places, sets, dict(section.checksums))
    chosen = [remote for remote in remotes if remote.source in section.sources]
    tables = catalogue.tables(section.folder, places) if catalogue.METADATA in section.sources else []
    return Downloads(section, parsed["slurm"], section.folder, places, chosen, tables)


def _base(text: str, key: str, origins: Origins) -> str:
    """Return a base with an absolute path; a URL is one already."""
    return text if "://" in text else str(absolute_place(Path(text).expanduser(), "download", key, origins))


def use_downloads(parsed: dict[str, Any], origins: Origins) -> None:
    """Fill in empty settings whose files have been fetched.

    Raises:
        SettingsError: Some files have not been fetched.
    """
    found = _downloads(parsed, origins)
    if found is None:
        return
    if missing := found.missing():
        where = where_set("download", "folder", origins, str(found.folder))
        what = f"{counted(len(missing), 'file')} not fetched yet, such as {missing[0]}"
        raise SettingsError(where, what, "Run DownloadSources first, or fetch fewer [download] sources")
    for (section, key), place in found.places.items():
        parsed[section] = replace(parsed[section], **{key: place})
