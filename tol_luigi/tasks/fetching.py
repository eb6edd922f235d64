"""The workflow that fetches the sources: query servers, fetch and unpack each source, print settings."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.files import committed, write_json
from tol_luigi.downloads.catalogue import GROUPS, unpacked
from tol_luigi.downloads.estimate import estimate_text, require_answers, require_space
from tol_luigi.downloads.extract import extract, extract_member
from tol_luigi.downloads.jobs import SlurmJob, run_here, run_slurm
from tol_luigi.downloads.lockfile import is_fetched, read_lock
from tol_luigi.report.text import counted
from tol_luigi.tasks.download_orders import forecast, order
from tol_luigi.tasks.download_settings import Downloads, downloads
from tol_luigi.tasks.error_lines import failure_text, report_killed
from tol_luigi.tasks.progress import report_progress, shown_progress
from tol_luigi.tasks.sciluigi_bridge import PortTask, Workflow, port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tol_luigi.downloads.catalogue import Remote

__all__ = ["AskServers", "FetchSource", "PlaceSources", "SourcesWorkflow", "UnpackSource"]

_BYTES_PER_IMAGE = 80_000
_MB, _GB = 1e6, 1e9


class SourcesWorkflow(Workflow):
    """Query the servers, fetch all sources in parallel, unpack them, and print their settings."""

    folder: str = luigi.Parameter(description="the folder to fetch to")

    @property
    def audit_folder(self) -> Path:
        """Return the folder of the audit trail, with one file per task and one line per transfer."""
        return Path(self.folder) / "audit"

    def workflow(self) -> luigi.Task:
        """Create and wire the tasks."""
        asked = self.new_task("ask", AskServers, folder=self.folder)
        last: Any = self.new_task("place", PlaceSources, folder=self.folder)
        last.in_sources = []
        for source in downloads().settings.sources:
            fetched = self.new_task(f"fetch-{source}", FetchSource, folder=self.folder, source=source)
            fetched.in_forecast = asked.out_forecast
            unpack = self.new_task(f"unpack-{source}", UnpackSource, folder=self.folder, source=source)
            unpack.in_archives = fetched.out_files
            last.in_sources.append(unpack.out_files)
        placed: luigi.Task = last
        return placed


class FetchedTarget(luigi.Target):
    """The files of a source, which exist if all of them are as recorded in ``sources.lock``."""

    def __init__(self, remotes: Sequence[Remote], lock: Path) -> None:
        self._remotes, self._lock = remotes, lock

    def exists(self) -> bool:
        """Return whether all files have the recorded names and sizes."""
        entries = read_lock(self._lock)
        return all(is_fetched(remote, entries) for remote in self._remotes)


class UnpackedTarget(luigi.Target):
    """The files and folders extracted from archives, which exist if all of them do."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def exists(self) -> bool:
        """Return whether all of them exist."""
        return all(path.exists() for path in self._paths)


class _DownloadTask(PortTask):
    """A stage of the download; all its settings but its name are in [download]."""

    folder: str = luigi.Parameter(description="the folder to fetch to")

    @property
    def downloads(self) -> Downloads:
        """Return the settings of the downloads."""
        return downloads()

    def on_failure(self, exception: BaseException) -> Any:  # noqa: ANN401 (luigi's type)
        """Write one line to stderr; return it for luigid's page, too, unless a traceback is needed."""
        return failure_text(self.instance_name, exception) or super().on_failure(exception)

    @contextlib.contextmanager
    def progress(self, total: int) -> Iterator[Callable[[int], None]]:
        """Show bytes, rate and time left: on luigid's page, and as a bar on a terminal.

        Yields:
            A function to call with the number of further bytes.
        """
        report = functools.partial(self._report, total)
        about = {"family": type(self).__name__, "label": self.instance_name}
        with shown_progress(report, **about, total=total or None, unit="B", unit_scale=True) as shown:
            yield shown.advance

    def _report(self, total: int, done: int, seconds: float) -> None:
        rate = done / max(seconds, 1e-3)
        left = f", {(total - done) / rate / 60:,.0f} min left" if total > done > 0 else ""
        gigabytes = f"{done / _GB:,.3f} of {total / _GB:,.3f} GB"
        message = f"{gigabytes} in {seconds:,.0f} s, {rate / _MB:,.1f} MB/s{left}"
        report_progress(self, message, done, total)


_DownloadTask.event_handler(luigi.Event.PROCESS_FAILURE)(report_killed)


class AskServers(_DownloadTask):
    """Query the servers for all sizes, check the free space and print the plan, before any download."""

    def out_forecast(self) -> Any:  # noqa: ANN401 (a port)
        """Return the stored answers for this list of files."""
        urls = sorted(remote.url for remote in self.downloads.remotes)
        digest = hashlib.sha256(json.dumps(urls).encode()).hexdigest()[:12]
        return port(self, luigi.LocalTarget(Path(self.folder) / "audit" / f"forecast-{digest}.json"))

    def run(self) -> None:
        """Query the servers, print the plan, check the space, and store the answers."""
        plan = self.downloads
        rows = forecast(plan, plan.remotes)
        require_answers(rows)
        sys.stdout.write(estimate_text(rows))
        sys.stdout.flush()
        is_extracted = plan.settings.extract
        due = [row for row in rows if is_extracted and unpacked(plan.folder, row.source, row.what)]
        counts = {name: int(count) for name, count in plan.settings.counts}
        files = sum((row.bytes or 0) // _BYTES_PER_IMAGE for row in due if row.source not in counts)
        files += sum(counts.get(source, 0) for source in {row.source for row in due})
        require_space(rows, sum(row.bytes or 0 for row in due), files)
        write_json(
            Path(self.out_forecast().target.path), [{**vars(row), "path": str(row.path)} for row in rows]
        )


class FetchSource(_DownloadTask):
    """Fetch the files of one source, in this process or in a Slurm job of its own."""

    source: str = luigi.ChoiceParameter(choices=GROUPS, description="the source, or metadata")

    def out_files(self) -> Any:  # noqa: ANN401 (a port)
        """Return the files, as recorded in ``sources.lock``."""
        return port(self, FetchedTarget(self.downloads.of(self.source), self.downloads.lock))

    def run(self) -> None:
        """Check the free space, fetch, and write the audit trail."""
        plan, remotes = self.downloads, self.downloads.of(self.source)
        placed, rows = order(plan, remotes), forecast(plan, remotes, is_patient=True)
        require_answers(rows)
        require_space(rows)
        self.audit({"what": "begun", "where": plan.settings.where, "files": len(rows)})
        with self.progress(sum(row.bytes or 0 for row in rows)) as progress:
            if plan.settings.where == "slurm":
                done = run_slurm(placed, self._job(), progress)
            else:
                done = run_here(placed, progress)
        urls = {remote.name: row.url for remote, row in zip(placed.remotes, rows, strict=True)}
        for one in done.fetched:
            ran = {"file": one.name, "url": urls[one.name], "bytes": one.size, "came": one.came}
            self.audit({"what": "fetched", **ran, "sha256": one.sha256, "ran_on": done.host, "job": done.job})
        came_bytes = sum(one.came for one in done.fetched)
        self.audit(
            {
                "what": "done",
                "bytes": came_bytes,
                "seconds": done.seconds,
                "ran_on": done.host,
                "job": done.job,
            }
        )

    def _job(self) -> SlurmJob:
        settings, slurm = self.downloads.settings, self.downloads.slurm
        return SlurmJob(
            name=f"fetch-{self.source}",
            folder=Path(self.folder) / "jobs",
            request=replace(slurm.request(), time=dict(settings.slurm_time).get(self.source)),
            cores=dict(settings.slurm_cores).get(self.source, "1"),
            before=slurm.before or "",
        )


class UnpackSource(_DownloadTask):
    """Extract from archives what cannot be read inside them; with ``[download] extract`` also the images."""

    source: str = luigi.ChoiceParameter(choices=GROUPS, description="the source, or metadata")

    def out_files(self) -> Any:  # noqa: ANN401 (a port)
        """Return the extracted tables and folders; none if everything can be read in place."""
        return port(
            self, UnpackedTarget([path for _, path in self._folders()] + [t.path for t in self._tables()])
        )

    def complete(self) -> bool:
        """Return whether everything is fetched, and extracted if necessary."""
        return bool(super().complete()) and all(task.complete() for task in self.requires())

    def run(self) -> None:
        """Extract what does not exist yet."""
        for table in self._tables():
            if not table.path.exists():
                extract_member(table.archive, table.member, table.path)
        expected = dict(self.downloads.settings.counts).get(self.source)
        for archive, folder in self._folders():
            if not folder.exists():
                # For several archives, only the total is known.
                count = int(expected) if expected and len(self._folders()) == 1 else None
                files = extract(archive, folder, count, self._show_count)
                self.audit({"what": "unpacked", "file": str(archive), "files": files})

    def _tables(self) -> list[Any]:
        return self.downloads.tables if self.source == "metadata" else []

    def _folders(self) -> list[tuple[Path, Path]]:
        return [
            (archive, folder) for source, archive, folder in self.downloads.folders if source == self.source
        ]

    def _show_count(self, count: int) -> None:
        if count % 1000 == 0 and self.set_status_message is not None:
            self.set_status_message(f"{counted(count, 'file')} unpacked")


class PlaceSources(_DownloadTask):
    """Write and print the settings that name the fetched files."""

    def out_settings(self) -> Any:  # noqa: ANN401 (a port)
        """Return the settings file."""
        return port(self, luigi.LocalTarget(Path(self.folder) / "sources.cfg"))

    def complete(self) -> bool:
        """Return whether the settings file is up to date and everything is fetched."""
        target = Path(self.out_settings().target.path)
        up_to_date = target.exists() and target.read_text(encoding="utf-8") == self._text()
        return up_to_date and all(task.complete() for task in self.requires())

    def run(self) -> None:
        """Write the settings file, and print it."""
        with committed(Path(self.out_settings().target.path)) as scratch:
            scratch.write_text(self._text(), encoding="utf-8")
        sys.stdout.write(
            f"Everything is fetched. To build from it, set [download] folder = {self.folder}, or:\n\n"
            f"{self._text()}"
        )
        sys.stdout.flush()

    def _text(self) -> str:
        lines: list[str] = []
        for (section, key), place in sorted(self.downloads.places.items()):
            lines += [f"[{section}]"] if f"[{section}]" not in lines else []
            lines.append(f"{key} = {str(place).replace('%', '%%')}")
        return "\n".join([*lines, ""])
