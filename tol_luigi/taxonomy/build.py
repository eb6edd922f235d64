"""The build of a reference taxonomy from normalised sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.core.errors import SettingsError
from tol_luigi.taxonomy.clades import only_clades, without_clades
from tol_luigi.taxonomy.finish import finished
from tol_luigi.taxonomy.kept_apart import pairs_apart
from tol_luigi.taxonomy.kingdoms import KINGDOMS
from tol_luigi.taxonomy.patching import apply_patches
from tol_luigi.taxonomy.reasons import Refine
from tol_luigi.taxonomy.report import build_figures
from tol_luigi.taxonomy.separation import separation
from tol_luigi.taxonomy.union import Union

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tol_luigi.taxonomy.patched_union import UnionLike
    from tol_luigi.taxonomy.patches import Patch
    from tol_luigi.taxonomy.products import ReferenceTables
    from tol_luigi.taxonomy.records import Records

__all__ = ["Part", "build_reference"]


@dataclass(frozen=True)
class Part:
    """A source, or a part of one, at its place in the order of priority.

    Attributes:
        prefix: The prefix of the source.
        clade: The name of the taxon that is used, with all below it; "" for the source without the parts that are
            listed for it.
    """

    prefix: str
    clade: str = ""


def build_reference(
    sources: Mapping[str, Records],
    parts: Sequence[Part],
    *,
    refine: Refine = Refine.STRICT,
    patches: Sequence[Patch] = (),
    previous: ReferenceTables | None = None,
    show: Callable[[str], None] = lambda _: None,
) -> tuple[ReferenceTables, dict[str, Any]]:
    """Return a reference taxonomy, and the figures of its report.

    Args:
        sources: The normalised sources by prefix.
        parts: What is used of them, in order of priority.
        refine: When a source may come between taxa of a source with a higher priority.
        patches: Statements of curators.
        previous: The previous release, whose ids are kept.
        show: Called with what is being done.

    Raises:
        SettingsError: A clade does not exist in its source, or the result has no taxon.
    """
    groups = separation()
    union = Union.start(groups, refine=refine, apart=pairs_apart(patches))
    used = []
    for part, records in _restricted(sources, parts):
        show(f"adding {len(records.taxa):,} taxa of {part.prefix}")
        union.add(records)
        used.append(records)
    for records in _unused(sources, parts):
        union.leave_out(records)
    patched: UnionLike = union
    outcomes: list[dict[str, Any]] = []
    if patches:
        show(f"applying {len(patches)} statements of curators")
        patched, table = apply_patches(union, patches)
        outcomes = table.to_pylist()
    show("assigning ids")
    about = {
        "sources": {prefix: dict(records.about) for prefix, records in sources.items()},
        "refine": str(refine),
    }
    tables = finished(patched, kingdoms=KINGDOMS, sources=used, previous=previous, about=about)
    del union, patched, used, previous  # which are as large as the result
    pa.default_memory_pool().release_unused()
    show("counting")
    figures = build_figures(tables, list(sources.values()), groups, KINGDOMS)
    return tables, {**figures, "patches": outcomes}


def _clades(prefix: str, parts: Sequence[Part]) -> list[str]:
    return [part.clade for part in parts if part.prefix == prefix and part.clade]


def _unused(sources: Mapping[str, Records], parts: Sequence[Part]) -> Iterator[Records]:
    """Yield what remains of each source only parts of which are used."""
    complete = {part.prefix for part in parts if not part.clade}
    for prefix in dict.fromkeys(part.prefix for part in parts):
        if prefix not in complete:
            yield without_clades(sources[prefix], _clades(prefix, parts))


def _restricted(sources: Mapping[str, Records], parts: Sequence[Part]) -> Iterator[tuple[Part, Records]]:
    """Yield the parts with their taxa."""
    for part in parts:
        records = sources[part.prefix]
        others = _clades(part.prefix, parts)
        if part.clade:
            records = only_clades(records, [part.clade])
        elif others:
            records = without_clades(records, others)
        if not len(records.taxa):
            name = f"{part.prefix}/{part.clade}" if part.clade else part.prefix
            raise SettingsError(f"[taxonomy] sources: {name}", "has no taxa", "Check its file, or remove it")
        yield part, records
