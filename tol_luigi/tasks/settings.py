"""The settings of a run: read from where Luigi reads them, checked as a whole, before any task runs."""

from __future__ import annotations

import configparser
import difflib
import functools
import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luigi.cmdline_parser import CmdlineParser
from luigi.configuration import LuigiConfigParser, get_config
from luigi.task_register import Register

from tol_luigi import demonstration
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import read_json
from tol_luigi.core.images import ImageSpec, encoder
from tol_luigi.downloads import catalogue
from tol_luigi.downloads.forecast import Row, forecast
from tol_luigi.downloads.jobs import Order
from tol_luigi.downloads.lockfile import LOCK_NAME, is_fetched, read_lock
from tol_luigi.sources import SOURCES, archives, benchmarks
from tol_luigi.sources.bioscan import Bioscan
from tol_luigi.sources.eol import Eol
from tol_luigi.sources.folder import Folder
from tol_luigi.sources.inat21 import INat21
from tol_luigi.store.server import Server, schema_name
from tol_luigi.tasks import sections
from tol_luigi.tasks.layout import Layout
from tol_luigi.tasks.older import Older, older_at
from tol_luigi.tasks.parameters import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import luigi

    from tol_luigi.core.source import Source
    from tol_luigi.downloads.catalogue import Remote, Table

__all__ = ["DATASET_FORMAT", "Downloads", "Settings", "downloads", "settings", "wanted_downloads"]

DATASET_FORMAT = 1
"""Raised by one whenever a release writes other bytes from the same inputs and settings."""

_LUIGI_SECTIONS = {
    "azureblob", "batch_notifier", "core", "cors", "elasticsearch", "email", "execution_summary",
    "external", "formatters", "gcs", "hadoop", "handlers", "hdfs", "hive", "kubernetes", "loggers",
    "logging", "mysql", "postgres", "presto", "prometheus", "redshift", "resources", "retcode", "s3",
    "scheduler", "sendgrid", "smtp", "sns", "spark", "task_history", "webhdfs", "worker",
}  # fmt: skip
"""Sections that belong to Luigi, whether or not the class that reads them has been imported."""

_NOT_DETERMINING = {
    ("dataset", "root"), ("dataset", "tag"), ("dataset", "sources"), ("dataset", "reuse"), ("dataset", "database"),
    ("rare_species", "allow_no_match"),
}  # fmt: skip
"""Keys that do not change a byte of the dataset."""

_SECTIONS_NOT_DETERMINING = {"checks", "cluster", "slurm", "download"}
"""Sections of such keys, but for one of ``checks``."""

_COMMON_NAMES = {
    ("eol", "vernacular_names"), ("inat21", "taxa"), ("inat21", "vernacular_names"),
}  # fmt: skip
"""Keys that every source gets common names from."""


@dataclass(frozen=True)
class Settings:
    """All settings of a run, checked, with absolute paths.

    Attributes:
        directory: The dataset's folder, ``<root>/<tag>``.
        used: The names of the sources to build from, in the order of the catalogs.
        is_demonstration: Whether no source was configured, so that the drawn ones are used.
        older: The dataset that pictures are copied from, or None.
        taken: The names of the sources whose listings are taken from it, too, as no images are named.
    """

    dataset: sections.dataset
    eol: sections.eol
    inat21: sections.inat21
    bioscan: sections.bioscan
    folder: sections.folder
    itis: sections.itis
    resolved: sections.resolved
    rare_species: sections.rare_species
    leak_guard: sections.leak_guard
    published: sections.published
    images: sections.images
    shards: sections.shards
    checks: sections.checks
    cluster: sections.cluster
    slurm: sections.slurm
    download: sections.download
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
            "checks.unreadable_archive": self.checks.unreadable_archive,
        }
        for section in sections.SECTIONS:
            name = section.get_task_family()
            for key, parameter in section.get_params():
                if self._determines(name, key):
                    content[f"{name}.{key}"] = self._fingerprint(parameter, getattr(getattr(self, name), key))
        if self.leak_guard.images:
            content["leak_guard.images"] = benchmarks.fingerprint(self.leak_guard.images)
        if self.older:
            content |= {f"{name}.images": self.older.record[f"{name}.images"] for name in self.taken}
        for name in self.used:
            content[f"partitions of {name}"] = list(self.partitions(name))
        return content

    def _determines(self, section: str, key: str) -> bool:
        """Tell whether a key can change a byte: of a source that is not used, only its tables of common names can."""
        if section in SOURCES and section not in self.used:
            return (section, key) in _COMMON_NAMES
        if section == "leak_guard" and not self.leak_guard.images:
            return False
        return section not in _SECTIONS_NOT_DETERMINING and (section, key) not in _NOT_DETERMINING

    def _fingerprint(self, parameter: luigi.Parameter, value: Any) -> Any:  # noqa: ANN401 (JSON is any)
        if not isinstance(parameter, Place) or value is None:
            return value
        if self.is_demonstration:
            return "drawn"
        return f"{value.stat().st_size} bytes" if value.is_file() else "given"

    @functools.cached_property
    def sources(self) -> dict[str, Source]:
        """The sources to build from, by name, in the order of the catalogs."""
        return {name: self._source(name) for name in self.used}

    def _source(self, name: str) -> Source:
        given, index = getattr(self, name), self.layout.index(name)
        images = self.older.layout.directory if self.older and name in self.taken else given.images
        match name:
            case "eol":
                return Eol(images, given.taxon_tab, given.scraped_page_ids, given.media_manifests)
            case "inat21":
                return INat21(images, given.partitions, index)
            case "bioscan":
                return Bioscan(images, given.partitions, given.metadata, index)
            case _:
                return Folder(images, given.labels, given.name, given.partitions, index)

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
                places[name] = self.sources[name].partitions(), self.sources[name].listings()
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

    @property
    def mapping(self) -> Path | Server:
        """Where the mapping is read from."""
        return self.server or self.layout.mapping

    @property
    def layout(self) -> Layout:
        """The paths of the dataset."""
        return Layout(self.directory, f"{self.images.width}x{self.images.height}")


@functools.cache
def settings() -> Settings:
    """Give the settings of this process, read and checked once.

    Raises:
        SettingsError: Something is wrong; the message names file, section, key, value and what is allowed.
    """
    origins = _origins()
    _refuse_unknown(origins)
    made = {section.get_task_family(): _checked(section, origins) for section in sections.SECTIONS}
    _use_downloads(made, origins)
    given = made["dataset"]
    directory = given.root / given.tag
    older = older_at(given.reuse, _where("dataset", "reuse", origins, str(given.reuse)))
    taken = _taken(made, older, origins)
    used = tuple(name for name in SOURCES if name in given.sources and (made[name].images or name in taken))
    is_demonstration = not used
    if is_demonstration:
        used = _use_demonstration(made, directory)
    else:
        _require_companions(made, used, origins)
    settled = Settings(
        **made, directory=directory, used=used, is_demonstration=is_demonstration, older=older, taken=taken
    )
    _refuse_undriven(settled, origins)
    _refuse_unlike(settled, origins)
    return _consistent(settled, origins)


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

    settings: sections.download
    slurm: sections.slurm
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
            means={
                "files": given.files,
                "connections": given.connections,
                "retries": given.retries,
                "pause": given.pause_seconds,
            },
            hosts={
                "connections": given.host_connections,
                "stall_seconds": given.stall_seconds,
                "token_host": given.token_host,
            },
            token_variable=given.token_variable,
        )

    def forecast(self, remotes: list[Remote]) -> list[Row]:
        """Ask the servers how much there is to fetch; one that does not answer is not waited for."""
        means = self.order(remotes).to_means()
        means.retries = min(means.retries, _ASKING_RETRIES)
        return forecast(remotes, self.lock, means)

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
    origins = _origins()
    _refuse_unknown(origins)
    made = {
        section.get_task_family(): _checked(section, origins, there=False) for section in sections.SECTIONS
    }
    return _downloads(made, origins)


def downloads() -> Downloads:
    """Give what :func:`wanted_downloads` gives.

    Raises:
        SettingsError: The same, or no folder is named.
    """
    found = wanted_downloads()
    if found is None:
        where = _where("download", "folder", _origins(), "")
        raise SettingsError(
            where, "empty", "Name the folder that the sources are to lie in: they need 2.2 TB"
        )
    return found


def _downloads(made: Mapping[str, Any], origins: Mapping[tuple[str, str], Path]) -> Downloads | None:
    """Put together what is to be fetched, if a folder for it is named."""
    given = made["download"]
    if given.folder is None:
        return None
    places = {
        (section, key): place
        for section, key in catalogue.PLACES
        if (place := getattr(made[section], key)) is not None
    }
    for source in ("inat21", "bioscan"):
        place = places.get((source, "images"))
        if source in given.sources and place and not archives.unended(place.name):
            where = _where(source, "images", origins, str(place))
            remedy = f"Name an archive, or leave {source} out of [download] sources"
            raise SettingsError(where, "an archive is fetched, and this is no archive's name", remedy)
    bases = {key: _base(getattr(given, key), key, origins) for key in catalogue.BASES}
    remotes = catalogue.remotes(bases, given.folder, places, given.eol_sets, dict(given.checksums))
    chosen = [remote for remote in remotes if remote.source in given.sources]
    tables = catalogue.tables(given.folder, places) if "metadata" in given.sources else []
    return Downloads(given, made["slurm"], given.folder, places, chosen, tables)


def _base(text: str, key: str, origins: Mapping[tuple[str, str], Path]) -> str:
    """Make a path absolute; an address is one."""
    return text if "://" in text else str(_absolute(Path(text).expanduser(), "download", key, origins))


def _use_downloads(made: Mapping[str, Any], origins: Mapping[tuple[str, str], Path]) -> None:
    """Let settings that are empty name what has been fetched.

    Raises:
        SettingsError: Not all of it has been.
    """
    found = _downloads(made, origins)
    if found is None:
        return
    if missing := found.missing():
        where = _where("download", "folder", origins, str(found.folder))
        what = f"{len(missing)} files have not been fetched, such as {missing[0]}"
        raise SettingsError(where, what, "Run DownloadSources first, or fetch fewer [download] sources")
    for (section, key), place in found.places.items():
        setattr(made[section], key, place)


def _files() -> list[Path]:
    """List the settings files that Luigi reads, the last of which wins."""
    named = os.environ.get("LUIGI_CONFIG_PATH")
    if named and not Path(named).is_file():
        what = "there is no such file"
        raise SettingsError(
            f"LUIGI_CONFIG_PATH={named}", what, "Name a settings file that exists, or unset it"
        )
    if not isinstance(get_config(), LuigiConfigParser):
        what = "settings are read from .cfg files only"
        raise SettingsError("LUIGI_CONFIG_PARSER", what, "Unset it")
    paths = (Path(path) for path in LuigiConfigParser._config_paths)  # noqa: SLF001 (luigi tells its files nowhere else)
    return [path for path in paths if path.is_file()]


def _origins() -> dict[tuple[str, str], Path]:
    """Find the settings file that each (section, key) comes from."""
    origins: dict[tuple[str, str], Path] = {}
    for path in _files():
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            reason = " ".join(str(error).split())
            raise SettingsError(path, f"cannot be read ({reason})", "Mend that line") from error
        for section in parser.sections():
            origins.update({(section, key): path for key in ["", *parser.options(section)]})
    return origins


def _refuse_unknown(origins: Mapping[tuple[str, str], Path]) -> None:
    """Refuse sections nobody reads, and keys our sections do not have."""
    ours = {
        section.get_task_family(): [key for key, _ in section.get_params()] for section in sections.SECTIONS
    }
    luigis = _LUIGI_SECTIONS | set(Register.task_names())
    for (section, key), path in origins.items():
        if section in ours:
            if key and key not in ours[section]:
                what = "there is no such key"
                raise SettingsError(f"{path}: [{section}] {key}", what, _nearest(key, ours[section]))
        elif section not in luigis and not section.startswith(("logger_", "handler_", "formatter_")):
            raise SettingsError(
                f"{path}: [{section}]", "there is no such section", _nearest(section, [*ours, *luigis])
            )


def _nearest(name: str, valid: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}" if near else f"Valid are {', '.join(sorted(valid))}"


def _checked(
    section: type[luigi.Config], origins: Mapping[tuple[str, str], Path], *, there: bool = True
) -> Any:  # noqa: ANN401 (a section of any kind)
    """Check the keys of a section one by one, then give the section with its paths made absolute.

    Args:
        section: The section.
        origins: By section and key, the file that sets it.
        there: Whether the files that it names have to be there already.
    """
    name = section.get_task_family()
    for key, parameter in section.get_params():
        raw = _raw(name, key)
        if raw is not None:
            where = _where(name, key, origins, parameter.shown(raw))
            try:
                parameter.parse(raw)
            except ValueError as error:
                raise SettingsError(where, "not allowed", f"Give {parameter.allowed}") from error
    made = section()
    for key, parameter in section.get_params():
        value = getattr(made, key)
        if isinstance(parameter, Place) and value is not None:
            path = _absolute(value, name, key, origins)
            setattr(made, key, path)
            if there and not parameter.fits(path):
                where = _where(name, key, origins, str(value))
                raise SettingsError(where, f"{path} is missing", f"Give {parameter.allowed}")
    return made


def _command_line(section: str, key: str) -> str | None:
    parsed = CmdlineParser.get_instance()
    return getattr(parsed.known_args, f"{section}_{key}", None) if parsed else None


def _raw(section: str, key: str) -> str | None:
    """Give the text of a setting as Luigi finds it: command line, then settings files; None for the default."""
    given = _command_line(section, key)
    if given is not None:
        return str(given)
    try:
        value = get_config().get(section, key, None)
    except configparser.InterpolationError as error:
        where = f"[{section}] {key}"
        raise SettingsError(
            where, " ".join(str(error).split()), "Mend the reference, or write % as %%"
        ) from error
    return None if value is None else str(value)


def _where(section: str, key: str, origins: Mapping[tuple[str, str], Path], value: str) -> str:
    if _command_line(section, key) is not None:
        return f"--{section.replace('_', '-')}-{key.replace('_', '-')} {value}"
    return f"{origins.get((section, key), 'settings')}: [{section}] {key} = {value}"


def _absolute(path: Path, section: str, key: str, origins: Mapping[tuple[str, str], Path]) -> Path:
    """Resolve a path against the folder of the file that names it, or else the current folder."""
    base = Path.cwd()
    if _command_line(section, key) is None and (section, key) in origins:
        base = origins[section, key].absolute().parent
    return Path(os.path.normpath(base / path))


def _taken(
    made: Mapping[str, Any], older: Older | None, origins: Mapping[tuple[str, str], Path]
) -> tuple[str, ...]:
    """Name the sources that are taken as an older dataset has them."""
    if older is None:
        return ()
    without = [name for name in SOURCES if name in made["dataset"].sources and not made[name].images]
    taken = tuple(name for name in without if older.has(name))
    for name in taken:
        if SOURCES[name].lists_by_labels:
            what = f"empty, and what is listed of {name} depends on its labels"
            remedy = f"Set [{name}] images, or leave {name} out of [dataset] sources"
            raise SettingsError(_where(name, "images", origins, ""), what, remedy)
    return taken


def _refuse_undriven(made: Settings, origins: Mapping[tuple[str, str], Path]) -> None:
    """Refuse a server where there is no program to speak to it."""
    if made.server and importlib.util.find_spec("psycopg") is None:
        where = _where("dataset", "database", origins, made.server.url)
        remedy = "Install it: pip install 'tol_luigi[postgresql]'"
        raise SettingsError(where, "the package psycopg is not installed", remedy)


def _refuse_unlike(made: Settings, origins: Mapping[tuple[str, str], Path]) -> None:
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
                _where(name, "images", origins, ""), what, "Name the images, or go back to those settings"
            )


def _use_demonstration(made: Mapping[str, Any], directory: Path) -> tuple[str, ...]:
    """Point the settings at the drawn sources, which need not be drawn yet."""
    for name, values in demonstration.settings(directory / demonstration.FOLDER).items():
        for key, parameter in type(made[name]).get_params():
            if key in values:
                setattr(made[name], key, parameter.parse(values[key]))
    return tuple(name for name in SOURCES if name in demonstration.PARTITIONS)


_COMPANIONS = {"eol": "taxon_tab", "bioscan": "metadata", "folder": "labels"}
"""What a source cannot be named without."""


def _require_companions(
    made: Mapping[str, Any], used: Iterable[str], origins: Mapping[tuple[str, str], Path]
) -> None:
    for name in used:
        key = _COMPANIONS.get(name)
        named_elsewhere = made["published"].names is not None and name != "folder"
        if key and getattr(made[name], key) is None and not named_elsewhere:
            where = _where(name, key, origins, "")
            raise SettingsError(
                where, f"empty, and the images of {name} have no names without it", f"Set [{name}] {key}"
            )


def _consistent(made: Settings, origins: Mapping[tuple[str, str], Path]) -> Settings:
    """Refuse to go on with a dataset that was begun with other settings."""
    now = made.determining  # whatever is there, since this also looks into every source
    if made.layout.record.exists() and (differences := _differences(read_json(made.layout.record), now)):
        where = f"{made.layout.record}: {_where('dataset', 'tag', origins, made.dataset.tag)}"
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
