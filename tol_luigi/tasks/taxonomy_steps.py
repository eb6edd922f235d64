"""What the tasks of the reference taxonomy do. Only tasks that run import this module, which is slow to load."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import committed
from tol_luigi.taxonomy.build import Part, build_reference
from tol_luigi.taxonomy.comparison import compare
from tol_luigi.taxonomy.comparison_text import comparison_text
from tol_luigi.taxonomy.importers import IMPORTERS, import_taxonomy
from tol_luigi.taxonomy.normalisation import Normalisation, normalise
from tol_luigi.taxonomy.patches import read_patches
from tol_luigi.taxonomy.reasons import Refine
from tol_luigi.taxonomy.records_files import read_records, write_records
from tol_luigi.taxonomy.release import PREVIOUS_COLUMNS, RELEASE_FILES, read_reference, write_release
from tol_luigi.taxonomy.report_text import build_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.tasks.name_sections import TaxonomySection
    from tol_luigi.tasks.taxonomy_settings import TaxonomySource

__all__ = ["build_release", "compare_releases", "copy_release", "import_source", "normalise_source"]


def import_source(source: TaxonomySource, folder: Path) -> None:
    """Read the files of a source, and write its tables into a folder."""
    write_records(folder, import_taxonomy(source.form, source.path, source.name, source.vernaculars))


def normalise_source(source: TaxonomySource, imported: Path, folder: Path) -> None:
    """Write the normalised tables of a source into a folder."""
    options = Normalisation(flag_names=IMPORTERS[source.form].flags_by_name, fold_siblings=True)
    write_records(folder, normalise(read_records(imported), options))


def copy_release(release: Path, folder: Path) -> None:
    """Copy a release into a folder, unchanged.

    Raises:
        DatasetError: It is no complete release.
    """
    read_reference(release)
    for name in RELEASE_FILES:
        with committed(folder / name) as scratch:
            shutil.copyfile(release / name, scratch)


def build_release(
    section: TaxonomySection,
    normalised: Mapping[str, Path],
    parts: Sequence[TaxonomySource],
    folder: Path,
    show: Callable[[str], None],
) -> tuple[dict[str, Any], str]:
    """Write a release into a folder; return the figures of its report, and the same as text.

    Args:
        section: How it is built.
        normalised: The folders of the normalised tables, by source.
        parts: The sources and their parts, in order of priority.
        folder: The folder of the release.
        show: Called with what is being done.
    """
    tables, figures = build_reference(
        {name: read_records(path) for name, path in normalised.items()},
        [Part(part.name, part.clade) for part in parts],
        refine=Refine(section.refine),
        patches=read_patches(section.patches) if section.patches else (),
        previous=read_reference(section.previous, PREVIOUS_COLUMNS) if section.previous else None,
        show=show,
    )
    show("writing the tables")
    write_release(folder, tables)
    return figures, build_text(figures)


def compare_releases(previous: Path, new: Path) -> tuple[dict[str, Any], str]:
    """Return what differs between two releases, as figures and as text."""
    figures = compare(read_reference(previous), read_reference(new))
    return figures, comparison_text(previous, new, figures)
