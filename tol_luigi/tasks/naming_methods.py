"""The methods of naming images, as ``[names] method`` chooses them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from tol_luigi.sources import by_precedence, tables
from tol_luigi.store.names import lookup_name, published_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.source import Entry, Source
    from tol_luigi.core.vernacular import CommonNames
    from tol_luigi.tasks.settings import Settings

    Images = Callable[[], Iterable[tuple[int | str, ...]]]
    """Returns natural key and id of each image, in the order of the ids."""

__all__ = ["NamingMethod", "PublishedNames", "load_common_names"]


class NamingMethod(Protocol):
    """A method of naming."""

    @property
    def problems(self) -> Sequence[str]:
        """The problems found in tables that no source owns, one per line."""

    def entries(self, source: Source, images: Images) -> Iterator[Entry]:
        """Yield the names of the images of a source, one entry per name key."""


def load_common_names(settings: Settings) -> CommonNames:
    """Return the common names in the tables of all sources, used or not."""
    others = [
        partial(plugin.add_common_names, settings.source_sections[plugin.name])
        for plugin in by_precedence(settings.plugins.values())
        if plugin.add_common_names
    ]
    return tables.load_common_names(settings.itis.chains, others)


class PublishedNames:
    """The rules of the published dataset, or its lookups.

    Args:
        settings: The settings.
        common_names: The common names.
    """

    def __init__(self, settings: Settings, common_names: CommonNames) -> None:
        self._published, self._common_names = settings.published.names, common_names
        self._lookup: HigherRankTable = tables.load_lookup(settings.itis.chains, settings.resolved.jsonl)

    @property
    def problems(self) -> Sequence[str]:
        """The contradictions in the tables of higher ranks."""
        return self._lookup.contradictions

    def entries(self, source: Source, images: Images) -> Iterator[Entry]:
        """Yield the entries of the published lookup of a source, or else those of its labeler."""
        published = self._published
        if published and (path := published / lookup_name(source.name)).exists():
            return published_entries(path)
        return source.labeler.entries(images(), self._lookup, self._common_names)
