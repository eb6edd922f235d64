"""Datasets as arguments of commands: by folder or by tag."""

from __future__ import annotations

from pathlib import Path

from tol_luigi.tasks.sections import DatasetSection
from tol_luigi.tasks.settings_files import find_origins, read_section

__all__ = ["release_path"]


def release_path(name: str | None) -> Path:
    """Return a path as it is if something is there, else the folder of the dataset with that tag.

    Args:
        name: The path or tag; None for the dataset of the settings.
    """
    if name is not None and (Path(name).exists() or Path(name).name != name):
        return Path(name)
    # The settings of the sources are not needed, which may be elsewhere.
    section = read_section(DatasetSection, find_origins(), must_exist=False)
    tagged = section.root / (name or section.tag)
    return tagged if name is None or tagged.exists() else Path(name)
