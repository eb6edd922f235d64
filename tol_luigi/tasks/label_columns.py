"""What the settings take from the labels besides names: splits, groups, and fields of further texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.sample_texts import JSON, SampleForm
from tol_luigi.core.templates import TAXON_FIELDS, columns_of, parse_templates
from tol_luigi.tasks.settings_files import where_set

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.source import Source
    from tol_luigi.core.templates import Template
    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.settings_files import Origins

__all__ = [
    "hinted_sources",
    "linked_sources",
    "sample_form",
    "split_tables",
    "templates_of",
    "text_tables",
    "validate_templates",
]


def hinted_sources(settings: Settings) -> dict[str, Source]:
    """Return the sources that give splits or groups to their images, by name."""
    return {name: source for name, source in settings.sources.items() if source.labeler.has_split_hints}


def linked_sources(settings: Settings) -> list[Source]:
    """Return the sources with groups, if duplicates count: groups that contain the same file stay together."""
    if settings.images.duplicates == "keep":
        return []
    return [source for source in hinted_sources(settings).values() if source.labeler.has_groups]


def split_tables(settings: Settings) -> dict[str, Path]:
    """Return the tables with splits and groups, if any are used; see :meth:`.Settings.places`."""
    hinted = hinted_sources(settings).items()
    return settings.places(*((name, key) for name, source in hinted for key in source.plugin.split_tables))


def templates_of(settings: Settings) -> tuple[Template, ...]:
    """Return the templates of further texts.

    Raises:
        ValueError: A template is wrong; never raised once the settings have been validated.
    """
    return parse_templates(settings.texts.templates or ())


def sample_form(settings: Settings) -> SampleForm:
    """Return what members samples have."""
    further = tuple(template.name for template in templates_of(settings))
    return SampleForm(further, settings.texts.form == JSON, settings.image_spec.image_format)


def text_tables(settings: Settings) -> dict[str, Path]:
    """Return the tables whose columns further texts contain, if any; see :meth:`.Settings.places`."""
    if not columns_of(templates_of(settings)):
        return {}
    sources = [source for source in settings.sources.values() if source.labeler.has_fields]
    return settings.places(*((source.name, key) for source in sources for key in source.plugin.name_tables))


def validate_templates(settings: Settings, origins: Origins) -> None:
    """Raise an error if a template of a further text is wrong."""
    where = where_set("texts", "templates", origins, " / ".join(settings.texts.templates or ()))
    try:
        columns = columns_of(templates_of(settings))
    except ValueError as error:
        remedy = "Write <name>.txt = <text with {fields} and [optional parts]>, one per line"
        raise SettingsError(where, str(error), remedy) from error
    if columns and not any(source.labeler.has_fields for source in settings.sources.values()):
        what = f"no used source has a table with a column {columns[0]}"
        raise SettingsError(where, what, f"Use {', '.join(TAXON_FIELDS)}")
