"""The settings and inputs that determine the bytes of a dataset, as ``dataset.json`` records them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.images import encoder
from tol_luigi.core.setting_kinds import Place
from tol_luigi.core.source_names import section_of, source_of
from tol_luigi.sources import benchmarks

if TYPE_CHECKING:
    from tol_luigi.core.sections import Setting
    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.taxonomy_settings import TaxonomySource

__all__ = ["determines", "determining"]

_DATASET_FORMAT = 1
"""Incremented whenever a release writes other bytes from the same inputs and settings."""


def determining(settings: Settings) -> dict[str, Any]:
    """Return all settings and inputs that determine a byte of the dataset.

    Input files count by length, not by path, because a source may be moved. The images of a benchmark
    count by number and length.
    """
    content: dict[str, Any] = {
        "format": _DATASET_FORMAT,
        "encoder": encoder(settings.image_spec),
        "sources": list(settings.used),
    }
    for section in settings.sections:
        name = section.section
        for key, setting in section.settings().items():
            value = getattr(settings.section(name), key)
            if determines(settings, name, key) and (setting.is_recorded or value != setting.default):
                content[f"{name}.{key}"] = _fingerprint(settings, setting, value)
    if settings.leak_guard.images:
        content["leak_guard.images"] = benchmarks.fingerprint(settings.leak_guard.images)
    if settings.uses_reference:
        content["taxonomy.sources"] = [
            _fingerprint_of_taxonomy(settings, source) for source in settings.taxonomies
        ]
    if settings.previous:
        record = settings.previous.record
        content |= {key: record[key] for key in (f"{section_of(name)}.images" for name in settings.reused)}
    for name in settings.used:
        content[f"partitions of {name}"] = list(settings.partitions(name))
    return content


def determines(settings: Settings, section: str, key: str) -> bool:
    """Return whether a key can change a byte; of an unused source, only tables of common names can."""
    source = source_of(section)
    if source in settings.plugins and source not in settings.used:
        return key in settings.plugins[source].common_name_tables
    if section == "leak_guard" and not settings.leak_guard.images:
        return False
    if section == "taxonomy" and (key == "sources" or not settings.uses_reference):
        return False  # the sources are recorded one by one
    return type(settings.section(section)).settings()[key].determines


def _fingerprint(settings: Settings, setting: Setting, value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    if not isinstance(setting.kind, Place) or value is None:
        return list(value) if isinstance(value, tuple) else value  # JSON has no tuples
    if settings.is_demonstration:
        return "drawn"
    return f"{value.stat().st_size} bytes" if value.is_file() else "given"


def _fingerprint_of_taxonomy(settings: Settings, source: TaxonomySource) -> str:
    size = "given"
    if settings.is_demonstration and not settings.taxonomy.sources:
        size = "drawn"
    elif source.path.is_file():
        size = f"{source.path.stat().st_size} bytes"
    return f"{source.name}/{source.clade} = {source.form} {size}"
