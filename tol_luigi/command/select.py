"""``tol select``: choose samples by their features, and copy them to shards of their own."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.command.build import run
from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.report.selection import selection_text
from tol_luigi.report.text import printable
from tol_luigi.store.selections import chosen_taxa, remove_selection
from tol_luigi.tasks.feature_settings import feature_set
from tol_luigi.tasks.selection import CatalogSelection, SelectSamples, selection_tables
from tol_luigi.tasks.selection_settings import other_selections, selection_spec
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse

__all__ = ["remove", "select"]


def select(given: argparse.Namespace) -> int:
    """Write the selection, and build what is missing of the dataset; or only count."""
    if settings().select.name is None:
        what = "it is empty, so nothing is selected"
        raise SettingsError("[select] name", what, "Set it, for example: --set select.name=selected")
    if given.dry_run:
        figures, matches = _counted()
        if given.json:
            sys.stdout.write(json.dumps({**figures, "true": matches}) + "\n")
        else:
            sys.stdout.write(selection_text(figures, matches))
        return ExitCode.COMPLETE
    if given.json:
        raise SettingsError("--json", "is for --dry-run only", "The report is in the folder of the selection")
    root = CatalogSelection()
    code = run(root, given)
    if code == ExitCode.COMPLETE:
        place = printable(str(root.layout.shard(root.name, 0).parent))
        sys.stdout.write(f"\n{root.clone(SelectSamples).summary()}{place}\n")
    return code


def remove(given: argparse.Namespace) -> int:
    """Remove a selection that the dataset has had under another name."""
    name, names = given.remove, other_selections(settings())
    if name == settings().select.name:
        what = "it is the selection of [select] name, which tol build would write again"
        raise SettingsError(f"--remove {name}", what, "Set [select] name to another one, or leave it empty")
    if name not in names:
        remedy = f"Name one of these: {', '.join(names)}" if names else "There is nothing to remove"
        raise SettingsError(f"--remove {name}", "the dataset has no other selection of this name", remedy)
    remove_selection(settings().layout, name)
    sys.stdout.write(f"The selection {name} is removed.\n")
    return ExitCode.COMPLETE


def _counted() -> tuple[dict[str, Any], dict[str, int]]:
    """Return the figures of a selection that is not written, and for each rule how many samples it is true for."""
    from tol_luigi.features.selection import count_matches, select_samples, selection_figures  # noqa: PLC0415 (slow to load)

    task, spec = SelectSamples(), selection_spec(settings())
    for before in task.requires():
        if not before.complete():
            what = f"{before.task_family} is not complete, so there is nothing to count"
            remedy = "Run tol features first"
            if not feature_set(settings()).extractors:
                remedy = "Run tol build first, with [select] name still empty"
            raise DatasetError(task.layout.directory, what, remedy)
    tables, threads = selection_tables(task), settings().features.threads
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "selection.parquet"
        selected = select_samples(spec, tables, table, threads)
        taxa = chosen_taxa(table, tables.catalog)
        matches = count_matches(spec, tables, Path(folder), threads)
    return selection_figures(spec, selected, taxa), matches
