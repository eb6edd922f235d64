"""The root of the graph."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections import Counter

import luigi
from luigi.cmdline_parser import CmdlineParser

from tol_luigi.core.errors import TolError
from tol_luigi.core.files import read_json
from tol_luigi.core.ledger import State
from tol_luigi.report.duplicates import leak_note
from tol_luigi.report.fetch_changes import changes_note
from tol_luigi.report.leaks import leak_line
from tol_luigi.report.matches import match_notes
from tol_luigi.report.rights import rights_note
from tol_luigi.report.splits import split_notes
from tol_luigi.report.summary import Summary, summary_text
from tol_luigi.report.times import stage_times, times_csv, times_page
from tol_luigi.store.reconciliation import count_states
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.error_lines import refuse
from tol_luigi.tasks.label_columns import hinted_sources
from tol_luigi.tasks.manifest import WriteManifest
from tol_luigi.tasks.metadata import LoadNames
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.rights_settings import withholds
from tol_luigi.tasks.table_checks import validate_tables
from tol_luigi.tasks.url_settings import earlier_dataset

__all__ = ["BuildCatalog"]

_STARTED = time.monotonic()


class BuildCatalog(DatasetTask, luigi.WrapperTask):
    """Build the complete dataset: the shards, their catalog, and the check of its taxa."""

    _has_valid_tables = False

    def requires(self) -> list[DatasetTask]:
        """Require the manifest, and so all files; and the names on the server, if the settings name one."""
        exports = [self.clone(LoadNames)] if self.settings.server else []
        return [self.clone(WriteManifest), *exports]

    def complete(self) -> bool:
        """Return whether the dataset is complete.

        If it is not, and this is the ``luigi`` command, end the command if a table cannot be used: Luigi asks before it
        runs anything.
        """
        is_complete = bool(super().complete())
        if not is_complete and CmdlineParser.get_instance() and not self._has_valid_tables:
            try:
                validate_tables(self.settings)
            except TolError as error:
                refuse(error)
            self._has_valid_tables = True
        return is_complete

    def run(self) -> None:
        """Print a summary of what was built."""
        shutil.rmtree(self.layout.task_states, ignore_errors=True)  # notes on tasks that were killed
        self._write_times()
        sys.stdout.write(self.summary())
        sys.stdout.flush()

    def _write_times(self) -> None:
        """Write the times of all stages, as a table and as a page; a failure to do so is none of the build."""
        layout = self.layout
        with contextlib.suppress(OSError):
            with layout.task_times.open(encoding="utf-8", errors="replace") as lines:
                stages = stage_times(lines)
            layout.times_page.with_suffix(".csv").write_text(times_csv(stages), encoding="utf-8")
            if self.settings.report.page:
                layout.times_page.write_text(times_page(stages), encoding="utf-8")

    def summary(self) -> str:
        """Return what was built, as text."""
        return summary_text(self._figures())

    def _figures(self) -> Summary:
        layout, shares = self.layout, all_partitions(self.settings)
        written, shards = Counter[tuple[str, str]](), Counter[str]()
        size = 0
        for share in shares:
            receipt = read_json(layout.receipt(**share))
            written[share["split"], share["source"]] += receipt["samples"]
            shards[share["split"]] += len(receipt["shards"])
            size += sum(shard["size"] for shard in receipt["shards"])
        # Images of train_small are counted under train.
        ledgers = [layout.ledger(**share) for share in shares if share["split"] != "train_small"]
        ends = count_states([layout.mapping_ledger, layout.names_ledger, *ledgers])
        unwritten = {end: count for end, count in sorted(ends.items()) if end[0] != State.WRITTEN}
        seconds = time.monotonic() - _STARTED
        return Summary(
            dataset=layout.directory,
            catalog=layout.catalog_csv,
            written=written,
            rejected=unwritten,
            shards=shards,
            size=size,
            seconds=seconds,
            notes=self._notes(),
            report=layout.report if self.settings.report.page else None,
        )

    def _notes(self) -> list[str]:
        notes = match_notes(read_json(self.layout.matches_report))
        if hinted_sources(self.settings):
            notes += split_notes(read_json(self.layout.splits_report))
        if self.settings.images.duplicates != "keep":
            report = ReportTarget(self.layout.duplicates_report)
            notes += leak_note(report.read(), report.text_file)
        if self.settings.excludes_benchmarks:
            report = ReportTarget(self.layout.leak_report)
            notes.append(f"{leak_line(report.read())}: {report.text_file}")
        if withholds(self.settings):
            report = ReportTarget(self.layout.rights_report)
            notes.append(rights_note(report.read(), report.text_file))
        if earlier_dataset(self.settings):
            report = ReportTarget(self.layout.fetch_report)
            notes.append(changes_note(report.read(), report.text_file))
        if self.settings.is_demonstration:
            notes.append("No source is configured, so this is the demonstration: its images are drawn.")
        return notes
