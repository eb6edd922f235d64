"""The stages of the reference taxonomy: import and normalise each source, and build one tree from all of them."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.digests import json_digest
from tol_luigi.core.errors import SettingsError
from tol_luigi.tasks.error_lines import refuse
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.scan import DrawDemonstration, StoreSettings
from tol_luigi.tasks.stage import StageTask
from tol_luigi.taxonomy.records_files import record_files
from tol_luigi.taxonomy.release import RELEASE_FILES

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tol_luigi.tasks.base import DatasetTask
    from tol_luigi.tasks.taxonomy_settings import TaxonomySource

__all__ = ["BuildReferenceTaxonomy", "CompareTaxonomies", "ImportTaxonomy", "NormaliseTaxonomy"]


def steps() -> ModuleType:
    """Return the module that does the work, which is loaded by the tasks that run only: it is slow to load."""
    return importlib.import_module("tol_luigi.tasks.taxonomy_steps")


class _TaxonomySourceTask(StageTask):
    """A stage of one source of the reference taxonomy."""

    source: str = luigi.Parameter(description="the name of the source of the taxonomy")

    stage: str
    """The name of the folder of its tables."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        known = {one.name: one for one in self.settings.taxonomies}
        if self.source not in known:
            what = "the settings name no such source of the reference taxonomy"
            remedy = f"Use {', '.join(known)}" if known else "Name it in [taxonomy] sources"
            refuse(SettingsError(f"--source {self.source}", what, remedy))
        self.taxonomy: TaxonomySource = known[self.source]

    @property
    def folder(self) -> Path:
        """Return the folder of its tables."""
        return self.layout.taxonomy_records(self.stage, self.source)

    def files(self) -> list[Path]:
        """Return the tables of the source."""
        return record_files(self.folder)


class ImportTaxonomy(_TaxonomySourceTask):
    """Read a taxonomy from the files of its source."""

    stage = "imported"

    def requires(self) -> DatasetTask:
        """Require the stored settings; the drawn tables, if the demonstration is built."""
        return self.clone(DrawDemonstration if self.settings.is_demonstration else StoreSettings)

    def reads(self) -> dict[str, Path]:
        """Return the files of the source."""
        tables = {
            f"[taxonomy] sources: {self.source}": self.taxonomy.path,
            f"[taxonomy] sources: vernacular names of {self.source}": self.taxonomy.vernaculars,
        }
        return {name: path for name, path in tables.items() if path is not None}

    def make(self) -> None:
        """Read the files into tables."""
        self.show_status(f"reading {self.taxonomy.path}")
        steps().import_source(self.taxonomy, self.folder)


class NormaliseTaxonomy(_TaxonomySourceTask):
    """Bring names, ranks and parents of a source into one form, and record every change."""

    stage = "normalised"

    def requires(self) -> ImportTaxonomy:
        """Require the tables as they were read."""
        return self.clone(ImportTaxonomy)

    def make(self) -> None:
        """Write the repaired tables, which include the repairs."""
        steps().normalise_source(self.taxonomy, self.requires().folder, self.folder)


class BuildReferenceTaxonomy(StageTask):
    """Build one tree from all sources in order of their priority; or copy the release that the settings name."""

    def requires(self) -> list[DatasetTask]:
        """Require the normalised sources."""
        if self.settings.taxonomy.release:
            return [self.clone(StoreSettings)]
        names = dict.fromkeys(source.name for source in self.settings.taxonomies)
        return [self.clone(NormaliseTaxonomy, source=name) for name in names]

    def files(self) -> list[Path]:
        """Return the files of the release, and the report."""
        report = [] if self.settings.taxonomy.release else self._target.files
        return [*(self.layout.taxonomy / name for name in RELEASE_FILES), *report]

    def reads(self) -> dict[str, Path]:
        """Return the release that is copied, or the previous release and the statements of curators."""
        keys = ("release",) if self.settings.taxonomy.release else ("previous", "patches")
        places = {f"[taxonomy] {key}": getattr(self.settings.taxonomy, key) for key in keys}
        return {name: place for name, place in places.items() if place is not None}

    def inputs(self) -> dict[str, str]:
        """Return the digests of the input stages, and of the settings that determine the tree."""
        return {**super().inputs(), "[taxonomy]": self._settings_digest()}

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.layout.taxonomy_report)

    def _settings_digest(self) -> str:
        sources = [(source.name, source.clade) for source in self.settings.taxonomies]
        return json_digest([sources, self.settings.taxonomy.refine])

    def make(self) -> None:
        """Align and merge the sources, assign ids, and write the products and the report."""
        if release := self.settings.taxonomy.release:
            steps().copy_release(release, self.layout.taxonomy)
        else:
            sources = {
                source.name: self.layout.taxonomy_records("normalised", source.name)
                for source in self.settings.taxonomies
            }
            figures, text = steps().build_release(
                self.settings.taxonomy,
                sources,
                self.settings.taxonomies,
                self.layout.taxonomy,
                self.show_status,
            )
            self._target.write(figures, text)


class CompareTaxonomies(StageTask):
    """Report what differs between the previous release of the reference taxonomy and this one."""

    def requires(self) -> BuildReferenceTaxonomy:
        """Require the reference taxonomy."""
        return self.clone(BuildReferenceTaxonomy)

    def files(self) -> list[Path]:
        """Return the figures as JSON and as text."""
        return self._target.files

    def reads(self) -> dict[str, Path]:
        """Return the previous release."""
        previous = self.settings.taxonomy.previous
        if previous is None:
            what = "empty, so there is no release to compare with"
            refuse(SettingsError("[taxonomy] previous", what, "Set it to the folder of the previous release"))
        return {"[taxonomy] previous": previous}

    @property
    def _target(self) -> ReportTarget:
        return ReportTarget(self.layout.taxonomy_comparison)

    def make(self) -> None:
        """Compare both releases, and write the report."""
        (previous,) = self.reads().values()
        figures, text = steps().compare_releases(previous, self.layout.taxonomy)
        self._target.write(figures, text)
        sys.stdout.write(text)
        sys.stdout.flush()
