"""The settings of what is made from features: index, near-duplicates and selection."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from tol_luigi.core.digests import json_digest
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.splits import SPLITS
from tol_luigi.tasks.feature_settings import feature_families, feature_set
from tol_luigi.tasks.run_sections import VECTOR_FORM
from tol_luigi.tasks.settings_files import where_set

if TYPE_CHECKING:
    import pyarrow as pa

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.selection import SelectionSpec
    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.settings_files import Origins

__all__ = [
    "compared_vector",
    "finds_near_duplicates",
    "indexed_vector",
    "other_selections",
    "selection_digest",
    "selection_spec",
    "validate_selection",
]

_HASH = "hash"
_FOLDERS = (*SPLITS, "features", "records", "selections", "tables", "verification")
"""The folders next to those of the shards, whose names a selection cannot have."""


def finds_near_duplicates(settings: Settings) -> bool:
    """Return whether near-duplicates are looked for."""
    names = {extractor.name for extractor in feature_set(settings).extractors}
    return _HASH in names and settings.features.near_duplicate_bits >= 0


def indexed_vector(settings: Settings) -> tuple[Extractor, str, int] | None:
    """Return extractor, name and length of the vector to index; None if none is.

    Raises:
        SettingsError: No extractor computes it.
    """
    if settings.features.index is None:
        return None
    from tol_luigi.features.queries import parse_vector_name  # noqa: PLC0415 (slow to load, and seldom used)

    return parse_vector_name("[features] index", settings.features.index, feature_set(settings).extractors)


def compared_vector(settings: Settings) -> tuple[Extractor, str] | None:
    """Return extractor and name of the vector that the selection compares; None if it compares none.

    Raises:
        SettingsError: No extractor computes it.
    """
    if settings.select.vector is None:
        return None
    from tol_luigi.features.queries import parse_vector_name  # noqa: PLC0415 (as above)

    found = parse_vector_name("[select] vector", settings.select.vector, feature_set(settings).extractors)
    return found[:2]


def other_selections(settings: Settings) -> list[str]:
    """Return the names of the selections that the dataset has had under another ``[select] name``."""
    known = {*_FOLDERS, settings.select.name}
    return [name for name in settings.layout.selections(finished=False) if name not in known]


def selection_spec(settings: Settings) -> SelectionSpec:
    """Return which samples are selected."""
    from tol_luigi.features.expressions import parse_rules  # noqa: PLC0415 (as above)
    from tol_luigi.features.selection import SelectionSpec  # noqa: PLC0415 (as above)

    section = settings.select
    return SelectionSpec(
        section.split,
        parse_rules(settings.filter.rules or ()),
        section.most_per_species,
        section.least_per_species,
        section.order_by or "",
        section.seed,
        section.method,
    )


def selection_digest(settings: Settings) -> str:
    """Return the SHA-256 of the settings that a selection depends on."""
    section = settings.select
    content = [
        settings.filter.rules,
        *(section.name, section.split, section.most_per_species, section.least_per_species),
        *(section.order_by, section.seed),
        *((section.method, section.vector) if section.vector else ()),
    ]
    return json_digest(content)


def validate_selection(settings: Settings, origins: Origins) -> None:
    """Raise an error if an index or a selection is wanted and cannot be made.

    Raises:
        SettingsError: A name, a rule, an expression or a vector is wrong; or a package is missing.
    """
    if indexed_vector(settings) is not None and importlib.util.find_spec("usearch") is None:
        where = where_set("features", "index", origins, str(settings.features.index))
        remedy = "Install it: pip install 'tol_luigi[index]'"
        raise SettingsError(where, "the package usearch is not installed", remedy)
    section, rules = settings.select, settings.filter.rules
    if section.name is None:
        if rules:
            where = where_set("filter", "rules", origins, " / ".join(rules))
            what = "rules drop samples from a selection, but [select] name is empty"
            raise SettingsError(where, what, "Set it, for example to selected")
        return
    if section.name in _FOLDERS:
        where = where_set("select", "name", origins, section.name)
        raise SettingsError(where, "the dataset has a folder of this name", "Choose another name")
    _validate_method(settings, origins)
    _validate_expressions(settings, origins)


def _validate_method(settings: Settings, origins: Origins) -> None:
    """Raise an error if the method lacks a setting, or makes another one meaningless."""
    section = settings.select
    vector = compared_vector(settings)
    if section.method == "order_by":
        if vector is not None:
            where = where_set("select", "vector", origins, str(section.vector))
            what = "no vector is compared with [select] method = order_by"
            raise SettingsError(where, what, "Set method to nearest or diverse, or leave vector empty")
        return
    where = where_set("select", "method", origins, section.method)
    if vector is None:
        what = "it compares vectors, but [select] vector is empty"
        raise SettingsError(where, what, f"Set it: {VECTOR_FORM}")
    if not section.most_per_species:
        what = "it has nothing to choose, as [select] most_per_species = 0 selects all"
        raise SettingsError(where, what, "Set the most samples of each species")
    if section.order_by is not None:
        what = "it does not use [select] order_by"
        remedy = "Leave order_by empty; a rule of [filter] can require a lowest quality"
        raise SettingsError(where, what, remedy)


def _validate_expressions(settings: Settings, origins: Origins) -> None:
    from tol_luigi.features.expressions import validate_expression  # noqa: PLC0415 (as above)

    rules = settings.filter.rules or ()
    try:
        spec = selection_spec(settings)
    except ValueError as error:
        where = where_set("filter", "rules", origins, " / ".join(rules))
        raise SettingsError(where, str(error), "Write one rule per line") from error
    columns = _columns(settings)
    for name, rule in spec.rules.items():
        validate_expression(f"[filter] rules: {name}", rule, columns, "BOOLEAN")
    if spec.order_by:
        validate_expression("[select] order_by", spec.order_by, columns, "DOUBLE")


def _columns(settings: Settings) -> pa.Schema:
    """Return the columns that expressions can use."""
    from tol_luigi.features.selection import sample_columns  # noqa: PLC0415 (as above)
    from tol_luigi.store.catalogs import catalog_schema  # noqa: PLC0415 (as above)

    catalog = catalog_schema(settings.plugins, settings.used)
    return sample_columns(catalog, feature_families(settings), near=finds_near_duplicates(settings))
