"""How one image has got its name: the naming rule applied once more, table by table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources import SOURCES, by_precedence
from tol_luigi.sources.tables import load_common_names, load_lookup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Entry, Key, Labeler, Source
    from tol_luigi.core.taxon import Taxon
    from tol_luigi.tasks.settings import Settings

__all__ = ["trace"]


def _tables_of(given: Settings, name: str, keys: Sequence[str]) -> list[Path]:
    """Return the tables that keys of a source's section name, in their order."""
    return [table for key in keys if (table := getattr(given.source_sections[name], key))]


def trace(given: Settings, source: Source, key: Key, image: str) -> Iterator[str]:
    """Name an image once more; the tables are read, which at their full size takes minutes.

    Args:
        given: The settings.
        source: The image's source.
        key: Its natural key.
        image: Its id.

    Yields:
        What each table has given, a line each, in the order in which they are asked.
    """
    for table, labeler in _labelers(given, source):
        kept = _Kept()
        entry = next(labeler.entries([(*key, image)], kept, CommonNames()), None)
        if entry is not None:
            yield from _steps(given, table, entry, kept.taxon, is_published=source.is_published)
            return
    yield "no table knows it"


def _steps(
    given: Settings, table: Path | str, entry: Entry, as_it_was: Taxon | None, *, is_published: bool
) -> Iterator[str]:
    """Tell what came of an entry; of a taxon that is upgraded also how."""
    taxon = as_it_was or entry.taxon
    yield f"{table}: {taxon.taxonomic}"
    for higher, lookup in _lookups(given) if as_it_was else ():
        upgraded = lookup.fill(as_it_was or taxon)
        if upgraded != taxon:
            yield f"{higher}: {_difference(taxon, upgraded)}"
        taxon = upgraded
    if is_published and (read_back := taxon.renormalised()) != taxon:
        yield f"normalised once more, for samples: {_difference(taxon, read_back)}"
    yield _common(given, str(table), taxon, entry.common)


class _Kept(HigherRankTable):
    """Keeps the taxon that it should upgrade, as it is."""

    taxon: Taxon | None = None

    def fill(self, taxon: Taxon) -> Taxon:
        self.taxon = taxon
        return taxon


def _labelers(given: Settings, source: Source) -> Iterator[tuple[Path | str, Labeler]]:
    """Yield the tables of a source, each with what reads it and those before it."""
    plugin, section = SOURCES[source.name], given.source_sections[source.name]
    keys = [key for key in plugin.name_tables if getattr(section, key)]
    for number, key in enumerate(keys, 1):
        later = dict.fromkeys(keys[number:])
        yield getattr(section, key), plugin.labeler(replace(section, **later))
    if not keys:
        yield plugin.named_by, source.labeler


def _lookups(given: Settings) -> Iterator[tuple[Path | str, HigherRankTable]]:
    """Give the tables of higher ranks, each together with those before it."""
    chains, resolved = given.itis.chains, given.resolved.jsonl
    yield "the fixed entries", HigherRankTable()
    if chains:
        yield chains, load_lookup(chains)
    if resolved:
        yield resolved, load_lookup(chains, resolved)


def _difference(before: Taxon, after: Taxon) -> str:
    changed = [
        f"{label} {new}" + (f" in place of {old}" if old else "")
        for label, old, new in zip(RANK_LABELS, before.ranks, after.ranks, strict=True)
        if old != new
    ]
    return ", ".join(changed)


def _common(given: Settings, table: str, taxon: Taxon, own: str) -> str:
    """Tell which table gives the common name."""
    if own:
        return f"{table}: {own}"
    if given.itis.chains and (common := load_common_names(given.itis.chains).of(taxon)):
        return f"{given.itis.chains}: {common}"
    for plugin in by_precedence():
        tables = _tables_of(given, plugin.name, plugin.common_name_tables)
        if plugin.add_common_names and tables:
            names = CommonNames()
            plugin.add_common_names(given.source_sections[plugin.name], names)
            if common := names.of(taxon):
                return f"{tables[-1]}: {common}"
    return "no table has a common name, so the scientific one stands in"
