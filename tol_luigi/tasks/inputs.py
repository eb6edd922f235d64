"""The files and folders that a dataset is built from, for explaining what became of its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.dataset.explain import BuildInputs
from tol_luigi.sources import SOURCES
from tol_luigi.tasks import sections
from tol_luigi.tasks.parameters import Place

if TYPE_CHECKING:
    from tol_luigi.tasks.settings import Settings

__all__ = ["build_inputs"]

_SECTIONS = {*SOURCES, "itis", "resolved", "published"}


def build_inputs(given: Settings) -> BuildInputs:
    """Return what a dataset is built from by these settings."""
    keys = [
        (section.get_task_family(), key)
        for section in sections.SECTIONS
        if section.get_task_family() in _SECTIONS
        for key, parameter in section.get_params()
        if isinstance(parameter, Place)
    ]
    images = {f"[{name}] images": source.images for name, source in given.sources.items()}
    places = {name: str(place) for name, place in (given.places(*keys) | images).items()}
    return BuildInputs(given.used, given.dataset.seed, places)
