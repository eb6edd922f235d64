"""The files and folders that a dataset is built from, recorded to trace its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.build_inputs import BuildInputs
from tol_luigi.core.setting_kinds import Place
from tol_luigi.core.source_names import setting_of

if TYPE_CHECKING:
    from tol_luigi.tasks.settings import Settings

__all__ = ["build_inputs"]

_SECTIONS = ("itis", "resolved", "published")
"""The sections of tables that do not belong to a source."""


def build_inputs(settings: Settings) -> BuildInputs:
    """Return the inputs of a dataset with these settings."""
    keys = [
        (name, key)
        for name in (*settings.plugins, *_SECTIONS)
        for key, setting in settings.section(name).settings().items()
        if isinstance(setting.kind, Place)
    ]
    images = {setting_of(name, "images"): source.reader.images for name, source in settings.sources.items()}
    places = {name: str(place) for name, place in (settings.places(*keys) | images).items()}
    return BuildInputs(settings.used, settings.dataset.seed, places)
