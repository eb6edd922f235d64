"""The task that runs a job of dataset2metadata: features of tars that are no dataset of ours."""

from __future__ import annotations

import functools
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.errors import FeatureError
from tol_luigi.report.text import counted
from tol_luigi.tasks.error_lines import clear_error, failure_text, report_killed
from tol_luigi.tasks.feature_settings import known_models, max_error_percent

if TYPE_CHECKING:
    from tol_luigi.features.d2m.folders import Folder
    from tol_luigi.features.d2m.jobs import Group, Job
    from tol_luigi.features.d2m.outputs import Work
    from tol_luigi.features.d2m.twins import Twins

__all__ = ["ExtractTars", "PreparedJob", "prepared_job"]


@dataclass(frozen=True)
class PreparedJob:
    """A job, and all that its tasks share.

    Attributes:
        job: The job.
        work: What it computes.
        folder: The folder for its results.
        groups: Its groups by name.
    """

    job: Job
    work: Work
    folder: Folder
    groups: dict[str, Group]


@functools.cache
def prepared_job(file: Path, models: tuple[str, ...]) -> PreparedJob:
    """Return the job in a file of settings of dataset2metadata.

    Args:
        file: The file.
        models: Models of the user, each as ``<name>=<path>``, before those of the settings.

    Raises:
        SettingsError: The file is wrong, or a model or package is missing.
    """
    # Slow to load, and seldom used.
    from tol_luigi.features.d2m.folders import folder_at  # noqa: PLC0415
    from tol_luigi.features.d2m.jobs import read_job  # noqa: PLC0415
    from tol_luigi.features.d2m.outputs import work_of  # noqa: PLC0415
    from tol_luigi.features.d2m.planning import named_groups  # noqa: PLC0415

    job = read_job(file)
    work = work_of(job, known_models(models))
    folder = folder_at(job.output)
    return PreparedJob(job, work, folder, {group.name: group for group in named_groups(job, folder)})


class _TwinsTarget(luigi.Target):
    """The files of a group of tars."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins

    def exists(self) -> bool:
        """Return whether they are there, and are what the job asks for."""
        return self.twins.is_complete()


class ExtractTars(luigi.Task):
    """Compute features of a group of tars as a job of dataset2metadata describes it, and write its files.

    The results of extractors are kept next to the files, tar by tar, so that what is interrupted resumes, and a
    changed job computes only what is new.
    """

    yml: str = luigi.Parameter(description="the file of settings of dataset2metadata")
    group: str = luigi.Parameter(description="the name of the group of tars, which its files have")
    models: tuple[str, ...] = luigi.ListParameter(
        default=(), description="models of the user, as <name>=<path>"
    )
    run_id: str = luigi.Parameter(default="", description="if set, files of other runs are made again")

    @property
    def _prepared(self) -> PreparedJob:
        return prepared_job(Path(self.yml), tuple(self.models))

    @property
    def label(self) -> str:
        """Return a short name of the task."""
        return f"{self.task_family} {self.group}"

    def output(self) -> luigi.Target:
        """Return the files of the group."""
        return _TwinsTarget(self._twins)

    @property
    def _twins(self) -> Twins:
        from tol_luigi.features.d2m.twins import Twins  # noqa: PLC0415 (slow to load, and seldom used)

        prepared = self._prepared
        return Twins(prepared.folder, prepared.groups[self.group], prepared.work, self.run_id)

    def run(self) -> None:
        """Run the extractors over each tar, and write the files."""
        from tol_luigi.features.d2m.twins import families_of  # noqa: PLC0415 (as above)
        from tol_luigi.features.extraction import Extraction, ExtractionSpec  # noqa: PLC0415 (as above)

        prepared, start = self._prepared, time.monotonic()
        job, group = prepared.job, prepared.groups[self.group]
        percent = 100 if job.skips else max_error_percent()
        spec = ExtractionSpec(job.batch, job.threads, percent, rerun=bool(self.run_id))
        for number, tar in enumerate(group.tars):
            self._show(f"tar {number + 1} of {len(group.tars)}")
            try:
                Extraction(tar, families_of(prepared.folder, tar, prepared.work), spec).run()
            except FeatureError as error:  # of an extractor, which knows no tar
                if error.where == tar:
                    raise
                raise FeatureError(tar, f"{error.where}: {error.what}", error.remedy) from error
        rows, dropped = self._twins.write(time.monotonic() - start, percent)
        lost = f"; {len(dropped):,} dropped, see {self.group}.errors.csv" if dropped else ""
        seconds = time.monotonic() - start
        sys.stdout.write(
            f"{self.group}: {rows:,} samples of {counted(len(group.tars), 'tar')} in {seconds:.1f} s{lost}\n"
        )
        sys.stdout.flush()

    def on_failure(self, exception: BaseException) -> Any:  # noqa: ANN401 (luigi's type)
        """Write one line to stderr, after the traceback if it is a bug."""
        if clear_error(exception) is None:
            traceback.print_exception(exception)
        return failure_text(self.label, exception) or super().on_failure(exception)

    def _show(self, message: str) -> None:
        if self.set_status_message is not None:  # set by a worker
            self.set_status_message(message)


ExtractTars.event_handler(luigi.Event.PROCESS_FAILURE)(report_killed)
