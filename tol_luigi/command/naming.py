"""How one image got its name: the naming rule applied again, table by table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources import by_precedence
from tol_luigi.sources.tables import load_common_names, load_lookup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Entry, Key, Labeler, Source
    from tol_luigi.core.taxon import Taxon
    from tol_luigi.tasks.settings import Settings

__all__ = ["naming_steps"]


def _tables_of(settings: Settings, name: str, keys: Sequence[str]) -> list[Path]:
    """Return the tables in some keys of a source's section, in the order of the keys."""
    return [table for key in keys if (table := getattr(settings.source_sections[name], key))]


def naming_steps(settings: Settings, source: Source, key: Key, image_id: str) -> Iterator[str]:
    """Name an image again; this reads the tables, which takes minutes at full size.

    Args:
        settings: The settings.
        source: The source of the image.
        key: The natural key of the image.
        image_id: The id of the image.

    Yields:
        One line per table with its result, in the order of the naming rule.
    """
    for table, labeler in _labelers(settings, source):
        recorder = _RecordTaxon()
        entry = next(labeler.entries([(*key, image_id)], recorder, CommonNames()), None)
        if entry is not None:
            yield from _steps(settings, table, entry, recorder.taxon, is_published=source.is_published)
            return
    yield "no table lists it"


def _steps(
    settings: Settings, table: Path | str, entry: Entry, before_upgrade: Taxon | None, *, is_published: bool
) -> Iterator[str]:
    """Yield the result of an entry, and the steps of the upgrade if its taxon is upgraded."""
    taxon = before_upgrade or entry.taxon
    yield f"{table}: {taxon.taxonomic}"
    for higher, lookup in _lookups(settings) if before_upgrade else ():
        upgraded = lookup.fill(before_upgrade or taxon)
        if upgraded != taxon:
            yield f"{higher}: {_difference(taxon, upgraded)}"
        taxon = upgraded
    if is_published and (read_back := taxon.renormalised()) != taxon:
        yield f"normalised again, for samples: {_difference(taxon, read_back)}"
    yield _common_name(settings, str(table), taxon, entry.common)


class _RecordTaxon(HigherRankTable):
    """Records the taxon to upgrade, and returns it unchanged."""

    taxon: Taxon | None = None

    def fill(self, taxon: Taxon) -> Taxon:
        self.taxon = taxon
        return taxon


def _labelers(settings: Settings, source: Source) -> Iterator[tuple[Path | str, Labeler]]:
    """Yield each table of a source, with a labeler that reads this table and the tables before it."""
    plugin, section = source.plugin, settings.source_sections[source.name]
    keys = [key for key in plugin.name_tables if getattr(section, key)]
    for number, key in enumerate(keys, 1):
        later = dict.fromkeys(keys[number:])
        yield getattr(section, key), plugin.labeler(replace(section, **later))
    if not keys:
        yield plugin.named_by, source.labeler


def _lookups(settings: Settings) -> Iterator[tuple[Path | str, HigherRankTable]]:
    """Yield each table of higher ranks, with a lookup of this table and the tables before it."""
    chains, resolved = settings.itis.chains, settings.resolved.jsonl
    yield "the built-in entries", HigherRankTable()
    if chains:
        yield chains, load_lookup(chains)
    if resolved:
        yield resolved, load_lookup(chains, resolved)


def _difference(before: Taxon, after: Taxon) -> str:
    changed = [
        f"{label} {new}" + (f" instead of {old}" if old else "")
        for label, old, new in zip(RANK_LABELS, before.ranks, after.ranks, strict=True)
        if old != new
    ]
    return ", ".join(changed)


def _common_name(settings: Settings, table: str, taxon: Taxon, own: str) -> str:
    """Return the common name, with the table that contains it."""
    if own:
        return f"{table}: {own}"
    if settings.itis.chains and (common := load_common_names(settings.itis.chains).of(taxon)):
        return f"{settings.itis.chains}: {common}"
    for plugin in by_precedence(settings.plugins.values()):
        tables = _tables_of(settings, plugin.name, plugin.common_name_tables)
        if plugin.add_common_names and tables:
            names = CommonNames()
            plugin.add_common_names(settings.source_sections[plugin.name], names)
            if common := names.of(taxon):
                return f"{tables[-1]}: {common}"
    return "no table contains a common name, so the scientific name is used"
