"""What the settings say of downloads: it can be asked before anything that a build needs is there."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.downloads import catalogue
from tol_luigi.downloads.estimate import FileEstimate, estimate
from tol_luigi.downloads.jobs import Order
from tol_luigi.downloads.lockfile import LOCK_NAME, is_fetched, read_lock
from tol_luigi.sources import archives
from tol_luigi.tasks.settings_files import (
    absolute_place,
    find_origins,
    read_sections,
    refuse_unknown,
    where_set,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.downloads.catalogue import Remote, Table
    from tol_luigi.tasks.run_sections import DownloadSection, SlurmSection
    from tol_luigi.tasks.settings_files import Origins

__all__ = ["Downloads", "downloads", "use_downloads", "wanted_downloads"]

_ASKING_RETRIES = 2


@dataclass(frozen=True)
class Downloads:
    """What the settings say of the files to fetch, none of which need be there.

    Attributes:
        settings: The section.
        slurm: How jobs are submitted.
        folder: Where everything goes that no other setting places.
        given: By section and key, the places that other settings name.
        remotes: The files of the sources to fetch.
        tables: What has to be taken out of them.
    """

    settings: DownloadSection
    slurm: SlurmSection
    folder: Path
    given: dict[tuple[str, str], Path]
    remotes: list[Remote]
    tables: list[Table]

    def order(self, remotes: list[Remote]) -> Order:
        """Write down what is to be fetched, and how the settings want it."""
        given = self.settings
        return Order(
            remotes=remotes,
            lock=self.lock,
            config={
                "files": given.files,
                "connections": given.connections,
                "retries": given.retries,
                "pause": given.pause_seconds,
            },
            http={
                "connections": given.host_connections,
                "stall_seconds": given.stall_seconds,
                "token_host": given.token_host,
            },
            token_variable=given.token_variable,
        )

    def forecast(self, remotes: list[Remote]) -> list[FileEstimate]:
        """Ask the servers how much there is to fetch; one that does not answer is not waited for."""
        config = self.order(remotes).to_config()
        config.retries = min(config.retries, _ASKING_RETRIES)
        return estimate(remotes, self.lock, config)

    @property
    def lock(self) -> Path:
        """The record of what was fetched."""
        return self.folder / LOCK_NAME

    @property
    def places(self) -> dict[tuple[str, str], Path]:
        """By section and key, where a build finds what has been fetched."""
        given = self.settings
        return {**catalogue.places(self.folder, given.sources, extract=given.extract), **self.given}

    @property
    def folders(self) -> list[tuple[str, Path, Path]]:
        """List source, archive and folder of what has to be unpacked."""
        if not self.settings.extract:
            return []
        pairs = [(one, catalogue.unpacked(self.folder, one.source, one.name)) for one in self.remotes]
        return [(one.source, one.path, folder) for one, folder in pairs if folder]

    def of(self, source: str) -> list[Remote]:
        """Give the files of one source."""
        return [remote for remote in self.remotes if remote.source == source]

    def missing(self) -> list[str]:
        """Name what is still to be fetched, taken out or unpacked."""
        entries = read_lock(self.lock)
        names = [remote.name for remote in self.remotes if not is_fetched(remote, entries)]
        outside = [table.path for table in self.tables] + [folder for _, _, folder in self.folders]
        names += [str(path) for path in outside if not path.exists()]
        return names


@functools.cache
def wanted_downloads() -> Downloads | None:
    """Give what the settings of this process say of downloads, read and checked once; None where there are to be none.

    Raises:
        SettingsError: Something is wrong; as :func:`settings`, but that files need not be there yet.
    """
    origins = find_origins()
    refuse_unknown(origins)
    return _downloads(read_sections(origins, must_exist=False), origins)


def downloads() -> Downloads:
    """Give what :func:`wanted_downloads` gives.

    Raises:
        SettingsError: The same, or no folder is named.
    """
    found = wanted_downloads()
    if found is None:
        where = where_set("download", "folder", find_origins(), "")
        raise SettingsError(
            where, "empty", "Name the folder that the sources are to lie in: they need 2.2 TB"
        )
    return found


def _downloads(made: Mapping[str, Any], origins: Origins) -> Downloads | None:
    """Put together what is to be fetched, if a folder for it is named."""
    given = made["download"]
    if given.folder is None:
        return None
    places = {
        (section, key): place
        for section, key in catalogue.PLACES
        if (place := getattr(made[section], key)) is not None
    }
    for source in catalogue.SOURCE_DOWNLOADS:
        place = None if catalogue.sets_key(source) else places.get((source, "images"))
        if source in given.sources and place and not archives.unended(place.name):
            where = where_set(source, "images", origins, str(place))
            remedy = f"Name an archive, or leave {source} out of [download] sources"
            raise SettingsError(where, "an archive is fetched, and this is no archive's name", remedy)
    bases = {key: _base(given.base(key), key, origins) for key in catalogue.BASES}
    sets = {source: given.sets(source) for source in catalogue.SOURCE_DOWNLOADS if catalogue.sets_key(source)}
    remotes = catalogue.remotes(bases, given.folder, places, sets, dict(given.checksums))
    chosen = [remote for remote in remotes if remote.source in given.sources]
    tables = catalogue.tables(given.folder, places) if catalogue.METADATA in given.sources else []
    return Downloads(given, made["slurm"], given.folder, places, chosen, tables)


def _base(text: str, key: str, origins: Origins) -> str:
    """Make a path absolute; an address is one."""
    return text if "://" in text else str(absolute_place(Path(text).expanduser(), "download", key, origins))


def use_downloads(made: dict[str, Any], origins: Origins) -> None:
    """Fill in settings that are empty and whose files have been fetched.

    Raises:
        SettingsError: Not all of it has been.
    """
    found = _downloads(made, origins)
    if found is None:
        return
    if missing := found.missing():
        where = where_set("download", "folder", origins, str(found.folder))
        what = f"{len(missing)} files have not been fetched, such as {missing[0]}"
        raise SettingsError(where, what, "Run DownloadSources first, or fetch fewer [download] sources")
    for (section, key), place in found.places.items():
        made[section] = replace(made[section], **{key: place})
