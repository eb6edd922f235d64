"""The files and folders that a dataset is built from, for explaining what became of its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.setting_kinds import Place
from tol_luigi.dataset.explain import BuildInputs
from tol_luigi.sources import SOURCES

if TYPE_CHECKING:
    from tol_luigi.tasks.settings import Settings

__all__ = ["build_inputs"]

_SECTIONS = (*SOURCES, "itis", "resolved", "published")


def build_inputs(given: Settings) -> BuildInputs:
    """Return what a dataset is built from by these settings."""
    keys = [
        (name, key)
        for name in _SECTIONS
        for key, setting in given.section(name).settings().items()
        if isinstance(setting.kind, Place)
    ]
    images = {f"[{name}] images": source.reader.images for name, source in given.sources.items()}
    places = {name: str(place) for name, place in (given.places(*keys) | images).items()}
    return BuildInputs(given.used, given.dataset.seed, places)
