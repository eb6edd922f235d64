"""The sources of the reference taxonomy, as the settings name them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.plugin import TaxonomyTable
from tol_luigi.tasks.settings_files import absolute_place, where_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.settings_files import Origins

__all__ = [
    "TaxonomySource",
    "default_sources",
    "folder_of_sources",
    "parse_source",
    "parsed_sources",
    "validate_taxonomy",
]

_LINE = re.compile(r"([a-z][a-z0-9_]*)(?:/(\S[^=]*?))?\s*=\s*([a-z][a-z0-9-]*)\s+(\S.*)")
_FORM = "<name> = <format> <path>, such as ncbi = ncbi taxdump.tar.gz, or ncbi/Fungi = ncbi taxdump.tar.gz"
_CHAINS = TaxonomyTable("itis", "chains", "itis-chains", priority=2)


@dataclass(frozen=True)
class TaxonomySource:
    """A source of the reference taxonomy, or a part of one.

    Attributes:
        name: The prefix of its ids: lower-case letters, digits and ``_``.
        clade: The name of the taxon that is used, with all below it; "" for the rest of the source.
        form: The name of the importer.
        path: Its file or folder.
        vernaculars: A table of its vernacular names, if they are in another file.
    """

    name: str
    clade: str
    form: str
    path: Path
    vernaculars: Path | None = None


def parse_source(line: str) -> TaxonomySource:
    """Return the source in a line of ``[taxonomy] sources``; its path is as written.

    Raises:
        ValueError: The line has another form, or names an unknown format.
    """
    from tol_luigi.taxonomy.importers import IMPORTERS  # noqa: PLC0415 (slow to load, and seldom used)

    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError(f"{line!r} is not of the form {_FORM}")
    name, clade, form, path = found.groups()
    if form not in IMPORTERS:
        raise ValueError(f"{form!r} is not a format; there are {', '.join(sorted(IMPORTERS))}")
    return TaxonomySource(name, clade or "", form, Path(path).expanduser())


def parsed_sources(settings: Settings) -> tuple[TaxonomySource, ...]:
    """Return the sources of the reference taxonomy in order of priority, with absolute paths; see ``Settings.taxonomies``.

    Raises:
        ValueError: A line has another form, or names an unknown format.
    """
    lines = settings.taxonomy.sources
    if not lines:
        return default_sources(settings)
    folder = settings.taxonomy_folder
    parsed = map(parse_source, lines)
    return tuple(
        TaxonomySource(one.name, one.clade, one.form, Path(os.path.normpath(folder / one.path)))
        for one in parsed
    )


def default_sources(settings: Settings) -> tuple[TaxonomySource, ...]:
    """Return the taxonomies among the tables of the settings, in order of priority."""
    found = sorted(_tables(settings), key=lambda pair: pair[0].priority)
    return tuple(
        TaxonomySource(table.name, "", table.form, path, vernaculars) for table, path, vernaculars in found
    )


def _tables(settings: Settings) -> Iterator[tuple[TaxonomyTable, Path, Path | None]]:
    """Yield the tables that are set, each with the table of its vernacular names; one for each name."""
    seen: set[str] = set()
    sections = [
        (settings.source_sections[name], plugin.taxonomies) for name, plugin in settings.plugins.items()
    ]
    for section, tables in [*sections, (settings.itis, (_CHAINS,))]:
        for table in tables:
            path = getattr(section, table.key)
            if path is not None and table.name not in seen:
                seen.add(table.name)
                yield table, path, getattr(section, table.vernaculars) if table.vernaculars else None


def validate_taxonomy(settings: Settings, origins: Origins) -> None:
    """Raise an error if the sources of the reference taxonomy cannot be used.

    Raises:
        SettingsError: A line has a wrong form, a file is missing, a name has two files, or there is no source.
    """
    lines = settings.taxonomy.sources or ()
    where = where_set("taxonomy", "sources", origins, " / ".join(lines))
    try:
        sources = settings.taxonomies
    except ValueError as error:
        raise SettingsError(where, str(error), f"Write one source per line: {_FORM}") from error
    if lines:
        _validate_files(sources, where)
    if settings.taxonomy.patches:
        _validate_patches(settings.taxonomy.patches, origins)
    if settings.uses_reference and settings.published.names:
        where = where_set("published", "names", origins, str(settings.published.names))
        what = "[names] method = reference, so these names would not be used"
        raise SettingsError(where, what, "Leave it empty, or set [names] method = published")
    if settings.uses_reference and not sources and settings.taxonomy.release is None:
        what = "empty, and none of the tables in the settings is a taxonomy"
        remedy = f"Name a source, one per line: {_FORM}; or set [taxonomy] release"
        raise SettingsError(where_set("taxonomy", "sources", origins, ""), what, remedy)


def _validate_patches(path: Path, origins: Origins) -> None:
    """Raise an error if the statements of curators cannot be read, or if there are none."""
    from tol_luigi.taxonomy.patches import read_patches  # noqa: PLC0415 (slow to load, and seldom used)

    where = where_set("taxonomy", "patches", origins, str(path))
    try:
        patches = read_patches(path)
    except TolError as error:
        line = error.where.removeprefix(str(path)).lstrip(", ")
        raise SettingsError(where, f"{line}: {error.what}" if line else error.what, error.remedy) from error
    if not patches:
        raise SettingsError(where, "the file contains no statement", "Add one, or leave the key empty")


def _validate_files(sources: Sequence[TaxonomySource], where: str) -> None:
    """Raise an error if a file is missing, or if parts of one source are of different files."""
    files: dict[str, tuple[str, Path]] = {}
    parts: set[tuple[str, str]] = set()
    for source in sources:
        if not source.path.exists():
            raise SettingsError(where, f"{source.path} is missing", "Name an existing file or folder")
        if files.setdefault(source.name, (source.form, source.path)) != (source.form, source.path):
            what = f"{source.name} is the name of two sources"
            raise SettingsError(
                where, what, "Give each source a name of its own; the parts of one have the same file"
            )
        if (source.name, source.clade) in parts:
            raise SettingsError(
                where, f"{source.name}/{source.clade} is listed twice", "Remove one of the lines"
            )
        parts.add((source.name, source.clade))


def folder_of_sources(origins: Origins) -> Path:
    """Return the folder that paths in ``[taxonomy] sources`` are relative to."""
    return absolute_place(Path(), "taxonomy", "sources", origins)
