"""The sources that the settings choose, each validated together with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.source_names import base_of, label_of, section_of, source_of
from tol_luigi.sources import SOURCES, plugin_of
from tol_luigi.tasks.sections import sections_with
from tol_luigi.tasks.settings_files import where_set

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tol_luigi.core.plugin import SourcePlugin
    from tol_luigi.tasks.previous import PreviousDataset
    from tol_luigi.tasks.settings_files import Origins

    Plugins = Mapping[str, SourcePlugin[Any]]

__all__ = ["chosen_sources", "known_sources", "reused_sources", "used_sources", "validate_required_tables"]


def known_sources(section_names: Iterable[str]) -> dict[str, SourcePlugin[Any]]:
    """Return the sources that sections belong to and all without a label, by name, in the order of the catalogs."""
    every = sections_with(filter(label_of, section_names))
    names = (source_of(section.section) for section in every if base_of(section.section) in SOURCES)
    return {name: plugin_of(name) for name in names}


def chosen_sources(plugins: Plugins, wanted: tuple[str, ...], origins: Origins) -> Plugins:
    """Return the sources that ``[dataset] sources`` names; a name without a label includes those with one.

    Raises:
        SettingsError: A label has no section.
    """
    for name in wanted:
        if source_of(name) not in plugins:
            known = ", ".join(section_of(source) for source in plugins if label_of(source))
            where = where_set("dataset", "sources", origins, ",".join(wanted))
            remedy = f"Add it, or use one of {known}" if known else f"Add it, or remove {name}"
            raise SettingsError(where, f"there is no section [{name}]", remedy)
    names = (name for name in plugins if {section_of(name), base_of(name)} & set(wanted))
    return {name: plugins[name] for name in names}


def reused_sources(
    parsed: Mapping[str, Any], chosen: Plugins, previous: PreviousDataset | None, origins: Origins
) -> tuple[str, ...]:
    """Return the names of the chosen sources that are copied from a previous dataset.

    Raises:
        SettingsError: A source cannot be copied.
    """
    if previous is None:
        return ()
    without = [name for name in chosen if not parsed[section_of(name)].images]
    reused = tuple(name for name in without if previous.has_source(name))
    for name in reused:
        if chosen[name].listing_tables:
            section = section_of(name)
            what = f"empty, but the listing of {name} depends on its labels"
            remedy = f"Set [{section}] images, or remove {section} from [dataset] sources"
            raise SettingsError(where_set(section, "images", origins, ""), what, remedy)
    return reused


def used_sources(
    parsed: Mapping[str, Any], chosen: Plugins, reused: Collection[str], origins: Origins
) -> tuple[str, ...]:
    """Return the names of the chosen sources that have images, or are copied from a previous dataset.

    Raises:
        SettingsError: A section with a label has no images, or two collections have the same name.
    """
    used, sections = [], dict[tuple[str, str], str]()
    for name, plugin in chosen.items():
        section, key = section_of(name), plugin.collection_key
        if parsed[section].images is None and name not in reused:
            if label_of(name):
                where = where_set(section, "images", origins, "")
                raise SettingsError(where, "empty", f"Set it to the images, or remove [{section}]")
            continue
        used.append(name)
        if key:
            title = getattr(parsed[section], key)
            first = sections.setdefault((base_of(name), title), section)
            if first != section:
                where = where_set(section, key, origins, title)
                raise SettingsError(where, f"[{first}] has the same {key}", "Give each collection its own")
    return tuple(used)


def validate_required_tables(
    parsed: Mapping[str, Any], used: Iterable[SourcePlugin[Any]], origins: Origins
) -> None:
    """Raise an error if the images of a source have no table of names."""
    for plugin in used:
        section, key = plugin.section.section, plugin.required_table
        named_elsewhere = parsed["published"].names is not None and plugin.is_published
        if key and getattr(parsed[section], key) is None and not named_elsewhere:
            what = f"empty, so the images of {plugin.name} have no names"
            raise SettingsError(where_set(section, key, origins, ""), what, f"Set [{section}] {key}")
