"""Which sources of the settings share images, and which of them is preferred."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tol_luigi.core.source_names import source_of

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.source import Source
    from tol_luigi.tasks.settings import Settings

__all__ = ["preferred_order", "shared_tables", "sharing_sources"]


def sharing_sources(settings: Settings) -> list[Source]:
    """Return the sources that copy from the same collection as another one."""
    counts = Counter(source.labeler.shared_collection for source in settings.sources.values())
    del counts[""]
    return [source for source in settings.sources.values() if counts[source.labeler.shared_collection] > 1]


def shared_tables(settings: Settings) -> dict[str, Path]:
    """Return the tables with the ids of shared images, if there are any; see :meth:`.Settings.places`."""
    sources = sharing_sources(settings)
    return settings.places(*((source.name, key) for source in sources for key in source.plugin.name_tables))


def preferred_order(settings: Settings) -> list[str]:
    """Return the names of the used sources, the preferred ones first."""
    return list(dict.fromkeys([*map(source_of, settings.dataset.prefer), *settings.used]))
