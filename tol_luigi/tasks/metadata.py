"""The stage that assigns names to every image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import committed, write_json
from tol_luigi.sources import by_precedence
from tol_luigi.store.models import Name
from tol_luigi.store.names import lookup_name, write_names
from tol_luigi.store.predictions import images_by_id
from tol_luigi.tasks.mapping import LoadMapping, LoadTask, MakeSplits
from tol_luigi.tasks.naming_methods import PublishedNames, load_common_names
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.taxonomy import BuildReferenceTaxonomy

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.vernacular import CommonNames
    from tol_luigi.tasks.base import DatasetTask
    from tol_luigi.tasks.naming_methods import NamingMethod

__all__ = ["LoadNames", "MakeMetadata"]

_TABLES = (("published", "names"), ("itis", "chains"), ("resolved", "jsonl"))
"""The tables of names that do not belong to a source."""


class MakeMetadata(StageTask):
    """Look up the seven ranks and the common name of every image; reuse published lookups, if any."""

    def requires(self) -> list[DatasetTask]:
        """Require the mapping, after all writes to it; and the reference taxonomy, if it names the images."""
        loads: list[DatasetTask] = [self.clone(LoadMapping)] if self.settings.server else []
        reference = [self.clone(BuildReferenceTaxonomy)] if self.settings.uses_reference else []
        return [self.clone(MakeSplits), *loads, *reference]

    def files(self) -> list[Path]:
        """Return the names as a database and as JSON lookups, the common names, and the problems found."""
        lookups = [self.layout.metadata / lookup_name(source) for source in self.settings.used]
        return [self.layout.names, self.layout.common_names, self.layout.name_problems, *lookups]

    def reads(self) -> dict[str, Path]:
        """Return the tables of names of all sources, used or not: each may contribute common names."""
        own = self.settings.source_tables(lambda plugin: (*plugin.name_tables, *plugin.common_name_tables))
        return {**self.settings.places(*_TABLES), **own}

    def make(self) -> None:
        """Read the tables, and write a lookup for each source."""
        settings, common_names = self.settings, load_common_names(self.settings)
        write_json(self.layout.common_names, common_names.entries())
        sources = settings.sources
        order = [
            sources[plugin.name]
            for plugin in by_precedence(settings.plugins.values())
            if plugin.name in sources
        ]
        names = self._method(common_names)
        with self.progress("names") as progress:
            write_names(
                self.layout.names,
                (
                    (source, names.entries(source, partial(images_by_id, settings.mapping, source)))
                    for source in order
                ),
                digest=settings.digest,
                progress=progress,
                is_reference=settings.uses_reference,
            )
        problems = [*names.problems, *(line for source in order for line in source.labeler.problems)]
        with committed(self.layout.name_problems) as scratch:
            scratch.write_text("".join(f"{line}\n" for line in problems), encoding="utf-8")

    def _method(self, common_names: CommonNames) -> NamingMethod:
        if not self.settings.uses_reference:
            return PublishedNames(self.settings, common_names)
        from tol_luigi.tasks.reference_names import ReferenceNames  # noqa: PLC0415 (slow to load, and seldom used)

        return ReferenceNames(self.layout.taxonomy)


class LoadNames(LoadTask):
    """Copy the names to the PostgreSQL server of the settings, next to the mapping.

    This is an export for other programs. No stage reads names from the server: ``PredictCatalog`` reads
    ``names.sqlite`` once, in one pass, whereas it joins the mapping row by row.
    """

    stage = "names"

    def requires(self) -> list[DatasetTask]:
        """Require the names, and the mapping on the server, which creates the schema."""
        return [self.clone(MakeMetadata), self.clone(LoadMapping)]

    @property
    def path(self) -> Path:
        """Return the file to copy."""
        return self.layout.names

    @property
    def models(self) -> list[Any]:
        """Return the table to copy."""
        return [Name]
