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
from tol_luigi.report.features import features_text
from tol_luigi.report.text import counted
from tol_luigi.tasks.error_lines import clear_error, failure_text, report_killed
from tol_luigi.tasks.feature_settings import gpu_resource, known_models, max_error_percent
from tol_luigi.tasks.progress import report_progress, shown_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.features.d2m.folders import Folder
    from tol_luigi.features.d2m.jobs import Group, Job
    from tol_luigi.features.d2m.outputs import Work
    from tol_luigi.features.d2m.twins import Twins
    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.models import Model

__all__ = ["ExtractTars", "PreparedJob", "prepared_job"]

_AS_JSON = ("json-fields", "custom")
"""The extractors whose columns hold JSON, of which nothing is summarised."""


@dataclass(frozen=True)
class PreparedJob:
    """A job, and all that its tasks share.

    Attributes:
        job: The job.
        models: The models that the user has.
        work: What it computes, on its first device.
        folder: The folder for its results.
        groups: Its groups by name.
    """

    job: Job
    models: Mapping[str, Model]
    work: Work
    folder: Folder
    groups: dict[str, Group]

    def work_on(self, device: str) -> Work:
        """Return what it computes, on one of its devices; the fingerprints are the same."""
        from tol_luigi.features.d2m.outputs import work_of  # noqa: PLC0415 (slow to load, and seldom used)

        return self.work if device == self.job.devices[0] else work_of(self.job, self.models, device)

    def summary(self) -> str:
        """Return the states and values of the extractors for all tars, as text; those of their json are not shown."""
        from tol_luigi.features.d2m.twins import families_of  # noqa: PLC0415 (slow to load, and seldom used)
        from tol_luigi.features.summary import features_figures  # noqa: PLC0415 (as above)

        tables: dict[Extractor, list[Path]] = {}
        for tar in dict.fromkeys(tar for group in self.groups.values() for tar in group.tars):
            for one in families_of(self.folder, tar, self.work):
                if one.extractor.name not in _AS_JSON and one.table.exists():
                    tables.setdefault(one.extractor, []).append(one.table)
        return features_text(features_figures(tables.items()))


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
    known = known_models(models)
    work = work_of(job, known, job.devices[0])
    folder = folder_at(job.output)
    groups = {group.name: group for group in named_groups(job, folder)}
    return PreparedJob(job, known, work, folder, groups)


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
    def device(self) -> str:
        """Return where the models run: the groups of a job take turns on its GPUs."""
        devices = self._prepared.job.devices
        if len(devices) == 1:
            return devices[0]
        return devices[list(self._prepared.groups).index(self.group) % len(devices)]

    @property
    def resources(self) -> dict[str, int]:  # type: ignore[override]  # a constant in Luigi
        """Return the GPU that the task takes; Luigi has one of each."""
        return {} if self.device == "cpu" else {gpu_resource(self.device): 1}

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
        work = prepared.work_on(self.device)
        job, group = prepared.job, prepared.groups[self.group]
        percent = 100 if job.skips else max_error_percent()
        spec = ExtractionSpec(job.batch, job.threads, percent, rerun=bool(self.run_id))
        with shown_progress(
            self._report, family=self.task_family, label=self.label, total=None, unit="samples"
        ) as progress:
            for tar in group.tars:
                extraction = Extraction(tar, families_of(prepared.folder, tar, work), spec)
                try:
                    extraction.run(lambda rows, done=progress.done: progress.reach(done + rows))  # type: ignore[misc]
                except FeatureError as error:  # of an extractor, which knows no tar
                    if error.where == tar:
                        raise
                    raise FeatureError(tar, f"{error.where}: {error.what}", error.remedy) from error
        rows, dropped = self._twins.write(time.monotonic() - start, percent)
        lost = f"; {len(dropped):,} dropped, see {self.group}.errors.csv" if dropped else ""
        seconds = time.monotonic() - start
        rate = f"{seconds:.1f} s ({(rows + len(dropped)) / max(seconds, 1e-3):,.0f}/s)"
        sys.stdout.write(
            f"{self.group}: {rows:,} samples of {counted(len(group.tars), 'tar')} in {rate}{lost}\n"
        )
        sys.stdout.flush()

    def on_failure(self, exception: BaseException) -> Any:  # noqa: ANN401 (luigi's type)
        """Write one line to stderr, after the traceback if it is a bug."""
        if clear_error(exception) is None:
            traceback.print_exception(exception)
        return failure_text(self.label, exception) or super().on_failure(exception)

    def _report(self, done: int, seconds: float) -> None:
        message = f"{done:,} samples in {seconds:.0f} s, {done / max(seconds, 1e-3):,.0f} a second"
        report_progress(self, message, done, None)


ExtractTars.event_handler(luigi.Event.PROCESS_FAILURE)(report_killed)
