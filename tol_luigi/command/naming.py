"""How one image has got its name: the naming rule applied once more, table by table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.core.upgrade import Lookup
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.dataset.explain import tables_of
from tol_luigi.sources.eol import Eol
from tol_luigi.sources.tables import load_common_names, load_lookup
from tol_luigi.store.models import PUBLISHED_SOURCES
from tol_luigi.tasks.inputs import build_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.core.source import Entry, Key, Source
    from tol_luigi.core.taxon import Taxon
    from tol_luigi.tasks.settings import Settings

__all__ = ["trace"]


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
    for table, asked in _own(given, source):
        kept = _Kept()
        entry = next(asked.entries([(*key, image)], kept, CommonNames()), None)
        if entry is not None:
            yield from _steps(given, table, entry, kept.taxon, is_published=source.name in PUBLISHED_SOURCES)
            return
    yield "no table knows it"


def _steps(
    given: Settings, table: Path | str, entry: Entry, as_it_was: Taxon | None, *, is_published: bool
) -> Iterator[str]:
    """Tell what came of an entry; of a taxon that is upgraded also how."""
    taxon = as_it_was or entry.taxon
    yield f"{table}: {taxon.taxonomic}"
    for higher, lookup in _lookups(given) if as_it_was else ():
        upgraded = lookup.upgrade(as_it_was or taxon)
        if upgraded != taxon:
            yield f"{higher}: {_difference(taxon, upgraded)}"
        taxon = upgraded
    if is_published and (read_back := taxon.again()) != taxon:
        yield f"normalised once more, for samples: {_difference(taxon, read_back)}"
    yield _common(given, str(table), taxon, entry.common)


class _Kept(Lookup):
    """Keeps the taxon that it should upgrade, as it is."""

    taxon: Taxon | None = None

    def upgrade(self, taxon: Taxon) -> Taxon:
        self.taxon = taxon
        return taxon


def _own(given: Settings, source: Source) -> Iterator[tuple[Path | str, Source]]:
    """Give the tables of a source, each with a source that reads it and those before it."""
    tables = [Path(table) for table in tables_of(build_inputs(given), source.name)]
    if isinstance(source, Eol) and len(tables) > 1:
        yield tables[0], Eol(source.images, tables[0])
        yield tables[1], source
    else:
        yield tables[0] if tables else "the name of its class folder", source


def _lookups(given: Settings) -> Iterator[tuple[Path | str, Lookup]]:
    """Give the tables of higher ranks, each together with those before it."""
    chains, resolved = given.itis.chains, given.resolved.jsonl
    yield "the fixed entries", Lookup()
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
    taxa, names = given.inat21.taxa, given.inat21.vernacular_names
    for path, read in (
        (given.itis.chains, {"chains": given.itis.chains}),
        (names, {"inat": (taxa, names) if taxa else None}),
        (given.eol.vernacular_names, {"eol": given.eol.vernacular_names}),
    ):
        if path and (common := load_common_names(**read).of(taxon)):
            return f"{path}: {common}"
    return "no table has a common name, so the scientific one stands in"
