"""The settings of a run: read from where Luigi reads them, checked as a whole, before any task runs."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tol_luigi import demonstration
from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.files import read_json
from tol_luigi.core.images import ImageSpec, encoder
from tol_luigi.core.layout import Layout
from tol_luigi.core.receipts import read_receipt
from tol_luigi.core.registry import FAULTS
from tol_luigi.core.setting_kinds import Place
from tol_luigi.sources import SOURCES, benchmarks
from tol_luigi.store.server import Server, schema_name
from tol_luigi.tasks import sections
from tol_luigi.tasks.download_settings import use_downloads
from tol_luigi.tasks.older import Older, older_at
from tol_luigi.tasks.setting_names import with_setting
from tol_luigi.tasks.settings_files import find_origins, read_sections, refuse_unknown, where_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tol_luigi.core.plugin import SourcePlugin
    from tol_luigi.core.sections import Section, Setting, SourceSection
    from tol_luigi.core.source import Source
    from tol_luigi.tasks.run_sections import ClusterSection, DownloadSection, SlurmSection
    from tol_luigi.tasks.settings_files import Origins

__all__ = ["DATASET_FORMAT", "Settings", "name_setting", "settings"]

DATASET_FORMAT = 1
"""Raised by one whenever a release writes other bytes from the same inputs and settings."""


@dataclass(frozen=True)
class Settings:
    """All settings of a run, checked, with absolute paths.

    Attributes:
        source_sections: The sections of all sources, used or not, by their names.
        directory: The dataset's folder, ``<root>/<tag>``.
        used: The names of the sources to build from, in the order of the catalogs.
        is_demonstration: Whether no source was configured, so that the drawn ones are used.
        older: The dataset that pictures are copied from, or None.
        taken: The names of the sources whose listings are taken from it, too, as no images are named.
    """

    dataset: sections.DatasetSection
    itis: sections.ItisSection
    resolved: sections.ResolvedSection
    rare_species: sections.RareSpeciesSection
    leak_guard: sections.LeakGuardSection
    names: sections.NamesSection
    published: sections.PublishedSection
    images: sections.ImagesSection
    shards: sections.ShardsSection
    checks: sections.ChecksSection
    cluster: ClusterSection
    slurm: SlurmSection
    download: DownloadSection
    source_sections: Mapping[str, SourceSection]
    directory: Path
    used: tuple[str, ...]
    is_demonstration: bool
    older: Older | None
    taken: tuple[str, ...]

    @functools.cached_property
    def image_spec(self) -> ImageSpec:
        """How pictures are made."""
        given = self.images
        return ImageSpec(
            width=given.width,
            height=given.height,
            resize=given.resize,
            jpeg_quality=given.jpeg_quality,
            truncated=given.truncated,
            exif=given.exif,
            max_pixels=given.max_pixels,
            max_memory_mib=given.max_memory_mib,
            transparency=given.transparency,
            high_bit_depth=given.high_bit_depth,
            hashed=self.leak_guard.images is not None and self.leak_guard.distance >= 0,
        )

    @property
    def needs_originals(self) -> list[str]:
        """Name the settings for which the files of images have to be read, whatever an older dataset has of them."""
        needed = {
            "leak_guard.images": self.leak_guard.images is not None,
            "images.duplicates": self.images.duplicates == "drop",
        }
        return [key for key, is_needed in needed.items() if is_needed]

    @property
    def keeps_out(self) -> bool:
        """Whether any benchmark is to be kept out, by a list of its images or by its pictures."""
        return any([self.rare_species.seen, self.rare_species.unseen, self.leak_guard.images])

    @functools.cached_property
    def determining(self) -> dict[str, Any]:
        """Everything here that determines a byte of the dataset, as stored in ``dataset.json``.

        Of an input file its length counts, not its place: a source may move. Of the pictures of a benchmark it
        is their number and their length.
        """
        content: dict[str, Any] = {
            "format": DATASET_FORMAT,
            "encoder": encoder(self.image_spec),
            "sources": list(self.used),
        }
        for section in sections.SECTIONS:
            name = section.section
            for key, given in section.settings().items():
                value = getattr(self.section(name), key)
                if self._determines(name, key) and (given.is_recorded or value != given.default):
                    content[f"{name}.{key}"] = self._fingerprint(given, value)
        if self.leak_guard.images:
            content["leak_guard.images"] = benchmarks.fingerprint(self.leak_guard.images)
        if self.older:
            content |= {f"{name}.images": self.older.record[f"{name}.images"] for name in self.taken}
        for name in self.used:
            content[f"partitions of {name}"] = list(self.partitions(name))
        return content

    def _determines(self, section: str, key: str) -> bool:
        """Return whether a key can change a byte: of a source that is not used, only its tables of common names can."""
        if section in SOURCES and section not in self.used:
            return key in SOURCES[section].common_name_tables
        if section == "leak_guard" and not self.leak_guard.images:
            return False
        return type(self.section(section)).settings()[key].determines

    def _fingerprint(self, given: Setting, value: Any) -> Any:  # noqa: ANN401 (JSON is any)
        if not isinstance(given.kind, Place) or value is None:
            return list(value) if isinstance(value, tuple) else value  # as JSON has it
        if self.is_demonstration:
            return "drawn"
        return f"{value.stat().st_size} bytes" if value.is_file() else "given"

    @functools.cached_property
    def sources(self) -> dict[str, Source]:
        """The sources to build from, by name, in the order of the catalogs."""
        return {name: self._source(name) for name in self.used}

    def _source(self, name: str) -> Source:
        given = self.source_sections[name]
        images = self.older.layout.directory if self.older and name in self.taken else given.images
        if images is None:  # a source is used if its images are named
            raise SettingsError(f"[{name}] images", "empty", "Name the images")
        return SOURCES[name].open(given, images, self.layout.index(name))

    def section(self, name: str) -> Section:
        """Return a section by its name."""
        found: Section = self.source_sections[name] if name in SOURCES else getattr(self, name)
        return found

    def places(self, *keys: tuple[str, str]) -> dict[str, Path]:
        """Return the files and folders that keys, as (section, key), name, by what messages call them; if they count here."""
        found = {
            f"[{section}] {key}": getattr(self.section(section), key)
            for section, key in keys
            if self._determines(section, key)
        }
        return {name: place for name, place in found.items() if place is not None}

    def source_tables(self, keys: Callable[[SourcePlugin[Any]], Iterable[str]]) -> dict[str, Path]:
        """Return the tables that some keys of all sources name; see :meth:`places`."""
        return self.places(*((plugin.name, key) for plugin in SOURCES.values() for key in keys(plugin)))

    def partitions(self, source: str) -> tuple[str, ...]:
        """Name the partitions of a source, also of one that is still to be drawn."""
        return self._places[source][0]

    def listings(self, source: str) -> tuple[str, ...]:
        """Name the listings of a source, also of one that is still to be drawn."""
        return self._places[source][1]

    def listing_of(self, source: str, partition: str) -> str:
        """Name the listing that the files of a partition are in."""
        listings = self.listings(source)
        return partition if partition in listings else listings[0]

    @functools.cached_property
    def _places(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Look into each source once, however many tasks ask: a folder may have thousands of entries."""
        if self.is_demonstration:
            return {
                name: (demonstration.PARTITIONS[name], demonstration.LISTINGS[name]) for name in self.used
            }
        places = {
            name: (self.older.partitions(name), self.older.listings(name))
            for name in self.taken
            if self.older
        }
        for name in self.used:
            if name not in self.taken:
                reader = self.sources[name].reader
                places[name] = reader.partitions(), reader.listings()
        return places

    @functools.cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits of what determines the dataset."""
        text = json.dumps(self.determining, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @functools.cached_property
    def server(self) -> Server | None:
        """The PostgreSQL server that mapping and names are read from, if there is one."""
        url = self.dataset.database
        return Server(url, schema_name(self.directory)) if url else None

    def name_setting(self, error: TolError) -> TolError:
        """Return an error with the section and key of the setting that names its server, file or folder, if one does."""
        if error.where == self.dataset.database:  # which is shown without a password, as it may have none
            return type(error)(f"[dataset] database = {error.where}", error.what, error.remedy)
        if self.is_demonstration:
            return error
        places = {
            f"[{section.section}] {key}": place
            for section in sections.SECTIONS
            for key, given in section.settings().items()
            if isinstance(given.kind, Place) and given.kind.kind != "new"
            if (place := getattr(self.section(section.section), key)) is not None
        }
        return with_setting(error, places, self.directory)

    @property
    def mapping(self) -> Path | Server:
        """Where the mapping is read from."""
        return self.server or self.layout.mapping

    @property
    def layout(self) -> Layout:
        """The paths of the dataset."""
        return Layout.of(self.directory, self.images.width, self.images.height)


@functools.cache
def settings() -> Settings:
    """Give the settings of this process, read and checked once.

    Raises:
        SettingsError: Something is wrong; the message names file, section, key, value and what is allowed.
    """
    if FAULTS:
        raise FAULTS[0]
    origins = find_origins()
    refuse_unknown(origins)
    made = read_sections(origins)
    use_downloads(made, origins)
    given = made["dataset"]
    directory = given.root / given.tag
    older = older_at(given.reuse, where_set("dataset", "reuse", origins, str(given.reuse)))
    taken = _taken(made, older, origins)
    used = tuple(name for name in SOURCES if name in given.sources and (made[name].images or name in taken))
    is_demonstration = not used
    if is_demonstration:
        used = _use_demonstration(made, directory)
    else:
        _require_tables(made, used, origins)
    settled = Settings(
        **{name: section for name, section in made.items() if name not in SOURCES},
        source_sections={name: made[name] for name in SOURCES},
        directory=directory,
        used=used,
        is_demonstration=is_demonstration,
        older=older,
        taken=taken,
    )
    try:
        _refuse_undriven(settled, origins)
        _refuse_unlike(settled, origins)
        return _consistent(settled, origins)
    except TolError as error:
        raise settled.name_setting(error) from error


def name_setting(error: TolError) -> TolError:
    """Return an error with the section and key that can fix it, if the settings have been read and name its file."""
    return settings().name_setting(error) if settings.cache_info().currsize else error


def _taken(made: Mapping[str, Any], older: Older | None, origins: Origins) -> tuple[str, ...]:
    """Name the sources that are taken as an older dataset has them."""
    if older is None:
        return ()
    without = [name for name in SOURCES if name in made["dataset"].sources and not made[name].images]
    taken = tuple(name for name in without if older.has(name))
    for name in taken:
        if SOURCES[name].listing_tables:
            what = f"empty, and what is listed of {name} depends on its labels"
            remedy = f"Set [{name}] images, or leave {name} out of [dataset] sources"
            raise SettingsError(where_set(name, "images", origins, ""), what, remedy)
    return taken


def _refuse_undriven(made: Settings, origins: Origins) -> None:
    """Refuse a server where there is no program to speak to it."""
    if made.server and importlib.util.find_spec("psycopg") is None:
        where = where_set("dataset", "database", origins, made.server.url)
        remedy = "Install it: pip install 'tol_luigi[postgresql]'"
        raise SettingsError(where, "the package psycopg is not installed", remedy)


def _refuse_unlike(made: Settings, origins: Origins) -> None:
    """Refuse settings that cannot be met out of an older dataset, where nothing else is there to meet them."""
    if made.older is None:
        return
    before, now = made.older.record, made.determining
    for name in made.taken:
        keys = [*made.older.differences(now), "checks.unreadable_archive", f"{name}.partitions"]
        changes = [_difference(key, before.get(key), now.get(key)) for key in keys]
        lines = [change for key, change in zip(keys, changes, strict=True) if before.get(key) != now.get(key)]
        lines += [f"{key} = {now[key]} needs the images themselves" for key in made.needs_originals]
        if lines:
            what = f"empty, and {made.older.layout.directory} cannot stand in: {'; '.join(lines)}"
            raise SettingsError(
                where_set(name, "images", origins, ""), what, "Name the images, or go back to those settings"
            )


def _use_demonstration(made: dict[str, Any], directory: Path) -> tuple[str, ...]:
    """Point the settings at the drawn sources, which need not be drawn yet."""
    for name, values in demonstration.settings(directory / demonstration.FOLDER).items():
        known = made[name].settings()
        made[name] = replace(
            made[name], **{key: known[key].kind.parse(value) for key, value in values.items()}
        )
    return tuple(name for name in SOURCES if name in demonstration.PARTITIONS)


def _require_tables(made: Mapping[str, Any], used: Iterable[str], origins: Origins) -> None:
    for name in used:
        key = SOURCES[name].required_table
        named_elsewhere = made["published"].names is not None and SOURCES[name].is_published
        if key and getattr(made[name], key) is None and not named_elsewhere:
            where = where_set(name, key, origins, "")
            raise SettingsError(
                where, f"empty, and the images of {name} have no names without it", f"Set [{name}] {key}"
            )


def _consistent(made: Settings, origins: Origins) -> Settings:
    """Refuse to go on with a dataset that was begun with other settings."""
    now = made.determining  # whatever is there, since this also looks into every source
    begun = read_receipt(made.layout.stage_receipt("StoreSettings"))
    if begun and begun.settings == made.digest:
        return made  # and StoreSettings mends the record, if that is damaged
    where = f"{made.layout.record}: {where_set('dataset', 'tag', origins, made.dataset.tag)}"
    try:
        before = read_json(made.layout.record)
    except FileNotFoundError:
        if begun is None:
            return made
        what = "it is missing, and the dataset was begun with other settings"
        raise SettingsError(
            where, what, "Choose another tag, go back to those settings, or delete the dataset"
        ) from None
    except (OSError, ValueError) as error:
        what = f"it cannot be read ({' '.join(str(error).split())}), and whether these are the settings of the dataset is not known"
        raise SettingsError(where, what, "Put it back, choose another tag, or delete the dataset") from error
    if differences := _differences(before, now):
        what = f"this dataset was begun with other settings: {'; '.join(differences)}"
        raise SettingsError(
            where, what, "Choose another tag, go back to those settings, or delete the dataset"
        )
    return made


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    keys = [*before, *(key for key in now if key not in before)]
    return [
        _difference(key, before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)
    ]


def _difference(key: str, before: Any, now: Any) -> str:  # noqa: ANN401 (JSON is any)
    if not isinstance(before, list) or not isinstance(now, list):
        return f"{key} was {before}, is {now}"
    lost = ", ".join(sorted(set(before) - set(now))) or "none"
    new = ", ".join(sorted(set(now) - set(before))) or "none"
    return f"{key}: gone {lost}, new {new}"
