"""The settings of a run: read from where Luigi reads them, and validated before any task runs."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tol_luigi import demonstration
from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.layout import Layout
from tol_luigi.core.reader import listing_of
from tol_luigi.core.registry import FAULTS
from tol_luigi.core.setting_kinds import Place, size_of
from tol_luigi.core.source_names import base_of, label_of, section_of, setting_of, source_of
from tol_luigi.sources import SOURCES
from tol_luigi.store.server import Server, schema_name
from tol_luigi.tasks import name_sections, sections
from tol_luigi.tasks.chosen_sources import (
    chosen_sources,
    known_sources,
    reused_sources,
    used_sources,
    validate_required_tables,
)
from tol_luigi.tasks.download_settings import use_downloads
from tol_luigi.tasks.feature_settings import feature_folders, validate_features
from tol_luigi.tasks.fingerprints import determines, determining
from tol_luigi.tasks.label_columns import linked_sources, validate_templates
from tol_luigi.tasks.previous import PreviousDataset, previous_at
from tol_luigi.tasks.recorded_settings import validate_reuse, validate_unchanged
from tol_luigi.tasks.rights_settings import validate_rights
from tol_luigi.tasks.selection_settings import validate_selection
from tol_luigi.tasks.setting_names import with_setting
from tol_luigi.tasks.settings_files import (
    find_origins,
    read_section,
    read_sections,
    validate_known,
    where_set,
)
from tol_luigi.tasks.taxonomy_settings import folder_of_sources, parsed_sources, validate_taxonomy
from tol_luigi.tasks.url_settings import validate_fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tol_luigi.core.plugin import SourcePlugin
    from tol_luigi.core.sections import Section, SourceSection
    from tol_luigi.core.source import Source
    from tol_luigi.tasks.feature_settings import FeatureFolders
    from tol_luigi.tasks.publication_settings import PublicationSection
    from tol_luigi.tasks.run_sections import (
        ClusterSection,
        DownloadSection,
        FeaturesSection,
        FilterSection,
        ReportSection,
        SelectSection,
        SlurmSection,
    )
    from tol_luigi.tasks.settings_files import Origins
    from tol_luigi.tasks.taxonomy_settings import TaxonomySource
    from tol_luigi.tasks.url_sections import FetchSection

__all__ = ["Settings", "name_setting", "settings"]


@dataclass(frozen=True)
class Settings:
    """All settings of a run, validated, with absolute paths.

    Attributes:
        plugins: All sources by name, whether used or not, in the order of the catalogs.
        source_sections: The sections of all sources by name, too.
        directory: The dataset's folder, ``<root>/<tag>``.
        used: The names of the sources to build from, in the order of the catalogs.
        is_demonstration: Whether no source is configured, so that the drawn ones are used.
        previous: The dataset from which images are copied, or None.
        reused: The sources whose listings are copied from it, too, because their images are not named.
        taxonomy_folder: The folder that paths in ``[taxonomy] sources`` are relative to.
        feature_folders: The same for paths in ``[features]``.
    """

    dataset: sections.DatasetSection
    itis: name_sections.ItisSection
    resolved: name_sections.ResolvedSection
    rare_species: sections.RareSpeciesSection
    leak_guard: sections.LeakGuardSection
    names: name_sections.NamesSection
    taxonomy: name_sections.TaxonomySection
    published: name_sections.PublishedSection
    images: sections.ImagesSection
    shards: sections.ShardsSection
    texts: sections.TextsSection
    rights: sections.RightsSection
    checks: sections.ChecksSection
    features: FeaturesSection
    filter: FilterSection
    select: SelectSection
    report: ReportSection
    publication: PublicationSection
    cluster: ClusterSection
    slurm: SlurmSection
    download: DownloadSection
    fetch: FetchSection
    plugins: Mapping[str, SourcePlugin[Any]]
    source_sections: Mapping[str, SourceSection]
    directory: Path
    used: tuple[str, ...]
    is_demonstration: bool
    previous: PreviousDataset | None
    reused: tuple[str, ...]
    taxonomy_folder: Path
    feature_folders: FeatureFolders

    @functools.cached_property
    def image_spec(self) -> ImageSpec:
        """Return how images are decoded and encoded."""
        section = self.images
        return ImageSpec(
            width=section.width,
            height=section.height,
            fit=section.fit,
            padding=section.padding,
            resize=section.resize,
            format=section.format,
            jpeg_quality=section.jpeg_quality,
            webp_quality=section.webp_quality,
            truncated=section.truncated,
            exif=section.exif,
            max_pixels=section.max_pixels,
            max_memory_mib=section.max_memory_mib,
            transparency=section.transparency,
            high_bit_depth=section.high_bit_depth,
            decoder=section.decoder,
            kernel=section.kernel,
            hashed=self.leak_guard.images is not None and self.leak_guard.distance >= 0,
            further_sizes=tuple(size_of(size) for size in section.further_sizes),
        )

    @property
    def needs_originals(self) -> list[str]:
        """Return the settings that require the image files, whatever a previous dataset contains."""
        needed = {
            "images.further_sizes": bool(self.images.further_sizes),
            "leak_guard.images": self.leak_guard.images is not None,
            "images.duplicates": self.images.duplicates == "drop"
            or any(source.name in self.reused for source in linked_sources(self)),
        }
        return [key for key, is_needed in needed.items() if is_needed]

    @property
    def excludes_benchmarks(self) -> bool:
        """Return whether any benchmark is excluded, by a list of its images or by the images themselves."""
        return any([self.rare_species.seen, self.rare_species.unseen, self.leak_guard.images])

    @property
    def uses_reference(self) -> bool:
        """Return whether images are named by a reference taxonomy."""
        return self.names.method == "reference"

    @functools.cached_property
    def taxonomies(self) -> tuple[TaxonomySource, ...]:
        """Return the sources of the reference taxonomy in order of priority."""
        return parsed_sources(self)

    @functools.cached_property
    def determining(self) -> dict[str, Any]:
        """Return all settings and inputs that determine a byte of the dataset, as stored in ``dataset.json``."""
        return determining(self)

    @functools.cached_property
    def sources(self) -> dict[str, Source]:
        """Return the sources to build from by name, in the order of the catalogs."""
        return {name: self._source(name) for name in self.used}

    def _source(self, name: str) -> Source:
        section, previous = self.source_sections[name], self.previous
        images = previous.layout.directory if previous and name in self.reused else section.images
        if images is None:  # a source is used only if its images are named
            raise SettingsError(setting_of(name, "images"), "empty", "Set it to the images")
        if self.plugins[name].is_fetched and name not in self.reused:
            images = self.layout.fetched(name)
        return self.plugins[name].open(section, images, self.layout.index(name))

    @property
    def sections(self) -> tuple[type[Section], ...]:
        """Return the classes of all sections."""
        return sections.sections_with(filter(label_of, self.plugins))

    def section(self, name: str) -> Section:
        """Return a section by its name, or by the name of its source."""
        source = source_of(name)
        found: Section = self.source_sections[source] if source in self.plugins else getattr(self, name)
        return found

    def places(self, *keys: tuple[str, str]) -> dict[str, Path]:
        """Return the files and folders that keys (section, key) name, if they count, by name in messages."""
        found = {
            setting_of(section, key): getattr(self.section(section), key)
            for section, key in keys
            if determines(self, section, key)
        }
        return {name: place for name, place in found.items() if place is not None}

    def source_tables(self, keys: Callable[[SourcePlugin[Any]], Iterable[str]]) -> dict[str, Path]:
        """Return the tables that keys of all sources name; see :meth:`places`."""
        return self.places(*((plugin.name, key) for plugin in self.plugins.values() for key in keys(plugin)))

    def partitions(self, source: str) -> tuple[str, ...]:
        """Return the partitions of a source, which need not be drawn yet."""
        return self._places[source][0]

    def listings(self, source: str) -> tuple[str, ...]:
        """Return the listings of a source, which need not be drawn yet."""
        return self._places[source][1]

    def listing_of(self, source: str, partition: str) -> str:
        """Return the listing that contains the files of a partition."""
        return listing_of(partition, self.listings(source))

    @functools.cached_property
    def _places(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return partitions and listings by source; cached, because a source may have many folders."""
        if self.is_demonstration:
            return {
                name: (demonstration.PARTITIONS[name], demonstration.LISTINGS[name]) for name in self.used
            }
        previous = self.previous
        places = {
            name: (previous.partitions(name), previous.listings(name)) for name in self.reused if previous
        }
        for name in self.used:
            if name not in self.reused:
                reader = self.sources[name].reader
                places[name] = reader.partitions(), reader.listings()
        return places

    @functools.cached_property
    def digest(self) -> str:
        """Return twelve hexadecimal digits of the digest of what determines the dataset."""
        text = json.dumps(self.determining, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @functools.cached_property
    def server(self) -> Server | None:
        """Return the PostgreSQL server that mapping and names are read from, if there is one."""
        url = self.dataset.database
        return Server(url, schema_name(self.directory)) if url else None

    def name_setting(self, error: TolError) -> TolError:
        """Return an error with the section and key that name its server, file or folder, if any."""
        if error.where == self.dataset.database:  # errors show it without a password
            return type(error)(f"[dataset] database = {error.where}", error.what, error.remedy)
        if self.is_demonstration:
            return error
        places = {
            f"[{section.section}] {key}": place
            for section in self.sections
            for key, setting in section.settings().items()
            if isinstance(setting.kind, Place) and setting.kind.kind != "new"
            if (place := getattr(self.section(section.section), key)) is not None
        }
        return with_setting(error, places, self.directory)

    @property
    def mapping(self) -> Path | Server:
        """Return where the mapping is read from."""
        return self.server or self.layout.mapping

    @property
    def layout(self) -> Layout:
        """Return the paths of the dataset."""
        return Layout.of(self.directory, self.images.width, self.images.height)

    @property
    def layouts(self) -> list[Layout]:
        """Return the paths of each image size, in the order of the sizes of the image specification."""
        own = self.layout
        return [own, *(own.of_size(size) for size in self.images.further_sizes)]


@functools.cache
def settings() -> Settings:
    """Return the settings of this process, read and validated once.

    Raises:
        SettingsError: A setting is wrong; the message contains file, section, key, value and allowed values.
    """
    if FAULTS:
        raise FAULTS[0]
    origins = find_origins()
    validate_known(origins)
    parsed = read_sections(origins)
    use_downloads(parsed, origins)
    dataset = parsed["dataset"]
    directory = dataset.root / dataset.tag
    previous = previous_at(dataset.reuse, where_set("dataset", "reuse", origins, str(dataset.reuse)))
    plugins = known_sources([*parsed, *(previous.labelled if previous else ())])
    for plugin in plugins.values():
        if plugin.section.section not in parsed:  # only the previous dataset has it
            parsed[plugin.section.section] = read_section(plugin.section, origins)
    chosen = chosen_sources(plugins, dataset.sources, origins)
    reused = reused_sources(parsed, chosen, previous, origins)
    used = used_sources(parsed, chosen, reused, origins)
    is_demonstration = not used
    if is_demonstration:
        used = _use_demonstration(parsed, directory)
    else:
        validate_required_tables(parsed, [plugins[name] for name in used], origins)
    result = Settings(
        **{name: section for name, section in parsed.items() if base_of(name) not in SOURCES},
        plugins=plugins,
        source_sections={name: parsed[section_of(name)] for name in plugins},
        directory=directory,
        used=used,
        is_demonstration=is_demonstration,
        previous=previous,
        reused=reused,
        taxonomy_folder=folder_of_sources(origins),
        feature_folders=feature_folders(origins),
    )
    try:
        _validate_driver(result, origins)
        _validate_sizes(result, origins)
        validate_templates(result, origins)
        validate_taxonomy(result, origins)
        validate_features(result, origins)
        validate_selection(result, origins)
        validate_rights(result, origins)
        validate_fetch(result, origins)
        validate_reuse(result, origins)
        validate_unchanged(result, origins)
    except TolError as error:
        named = result.name_setting(error)
        if named is error:  # an error that is its own cause has no end
            raise
        raise named from error
    return result


def name_setting(error: TolError) -> TolError:
    """Return an error with the section and key that can fix it, if the settings have been read."""
    return settings().name_setting(error) if settings.cache_info().currsize else error


def _validate_driver(result: Settings, origins: Origins) -> None:
    """Raise an error if a server is configured but the package to access it is not installed."""
    if result.server and importlib.util.find_spec("psycopg") is None:
        where = where_set("dataset", "database", origins, result.server.url)
        remedy = "Install it: pip install 'tol_luigi[postgresql]'"
        raise SettingsError(where, "the package psycopg is not installed", remedy)


def _validate_sizes(result: Settings, origins: Origins) -> None:
    """Raise an error if a further image size is the own size, whose folder it would share."""
    if result.layout.size in result.images.further_sizes:
        where = where_set("images", "further_sizes", origins, ",".join(result.images.further_sizes))
        what = f"{result.layout.size} is the size in [images] width and height"
        raise SettingsError(where, what, "Remove it from the further sizes")


def _use_demonstration(parsed: dict[str, Any], directory: Path) -> tuple[str, ...]:
    """Point the settings to the drawn sources, which need not be drawn yet; return their names."""
    for name, values in demonstration.settings(directory / demonstration.FOLDER).items():
        known = parsed[name].settings()
        changes = {key: known[key].kind.parse(value) for key, value in values.items()}
        parsed[name] = replace(parsed[name], **changes)
    return tuple(name for name in SOURCES if name in demonstration.PARTITIONS)
