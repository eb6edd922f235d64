"""The workflow that gets the sources: ask the servers, fetch and unpack each source, say where everything is."""

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
from tol_luigi.downloads.estimate import estimate_text, require_space
from tol_luigi.downloads.extract import extract, extract_member
from tol_luigi.downloads.jobs import SlurmJob, run_here, run_slurm
from tol_luigi.downloads.lockfile import is_fetched, read_lock
from tol_luigi.tasks.download_settings import Downloads, downloads
from tol_luigi.tasks.error_lines import died, failure_text
from tol_luigi.tasks.progress import report_progress, shown_progress
from tol_luigi.tasks.sciluigi_bridge import PortTask, Workflow, port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tol_luigi.downloads.catalogue import Remote

__all__ = ["AskServers", "FetchSource", "PlaceSources", "SourcesWorkflow", "UnpackSource"]

_BYTES_PER_IMAGE = 80_000
_MB, _GB = 1e6, 1e9


class SourcesWorkflow(Workflow):
    """Ask, then fetch all sources side by side, unpack, and say where everything is."""

    folder: str = luigi.Parameter(description="where it goes")

    @property
    def audit_folder(self) -> Path:
        """A file a task, a line a transfer."""
        return Path(self.folder) / "audit"

    def workflow(self) -> luigi.Task:
        """Wire the tasks."""
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
    """The files of a source: there when every one of them is, as ``sources.lock`` records it."""

    def __init__(self, remotes: Sequence[Remote], lock: Path) -> None:
        self._remotes, self._lock = remotes, lock

    def exists(self) -> bool:
        """Look at names and sizes."""
        entries = read_lock(self._lock)
        return all(is_fetched(remote, entries) for remote in self._remotes)


class UnpackedTarget(luigi.Target):
    """What has to lie outside of archives: there when all of it is."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def exists(self) -> bool:
        """Look for them."""
        return all(path.exists() for path in self._paths)


class _DownloadTask(PortTask):
    """A stage of the download, of which the settings tell all but its name."""

    folder: str = luigi.Parameter(description="where everything goes")

    @property
    def given(self) -> Downloads:
        """What the settings say."""
        return downloads()

    def on_failure(self, exception: BaseException) -> Any:  # noqa: ANN401 (luigi hands it on as it is)
        """Write one clear line; it stands on luigid's page, too, if it needs no traceback."""
        return failure_text(self.instance_name, exception) or super().on_failure(exception)

    @contextlib.contextmanager
    def progress(self, total: int) -> Iterator[Callable[[int], None]]:
        """Show bytes, rate and time left: in luigid's page, and as a bar on a terminal.

        Yields:
            A function to tell of further bytes.
        """
        report = functools.partial(self._report, total)
        bar = {"desc": self.instance_name, "unit": "B", "unit_scale": True}
        with shown_progress(report, total=total or None, **bar) as shown:
            yield shown.advance

    def _report(self, total: int, done: int, seconds: float) -> None:
        rate = done / max(seconds, 1e-3)
        left = f", {(total - done) / rate / 60:,.0f} min left" if total > done > 0 else ""
        gigabytes = f"{done / _GB:,.3f} of {total / _GB:,.3f} GB"
        message = f"{gigabytes} in {seconds:,.0f} s, {rate / _MB:,.1f} MB/s{left}"
        report_progress(self, message, done, total)


_DownloadTask.event_handler(luigi.Event.PROCESS_FAILURE)(died)


class AskServers(_DownloadTask):
    """Ask the servers for all sizes, see that there is space, and say what is to come, before anything is fetched."""

    def out_forecast(self) -> Any:  # noqa: ANN401 (a port)
        """What was said, for this list of files."""
        urls = sorted(remote.url for remote in self.given.remotes)
        digest = hashlib.sha256(json.dumps(urls).encode()).hexdigest()[:12]
        return port(self, luigi.LocalTarget(Path(self.folder) / "audit" / f"forecast-{digest}.json"))

    def run(self) -> None:
        """Ask, print, check, store."""
        given = self.given
        rows = given.forecast(given.remotes)
        sys.stdout.write(estimate_text(rows))
        sys.stdout.flush()
        due = (
            [row for row in rows if unpacked(given.folder, row.source, row.what)]
            if given.settings.extract
            else []
        )
        counts = {name: int(count) for name, count in given.settings.counts}
        files = sum((row.bytes or 0) // _BYTES_PER_IMAGE for row in due if row.source not in counts)
        files += sum(counts.get(source, 0) for source in {row.source for row in due})
        require_space(rows, sum(row.bytes or 0 for row in due), files)
        write_json(
            Path(self.out_forecast().target.path), [{**vars(row), "path": str(row.path)} for row in rows]
        )


class FetchSource(_DownloadTask):
    """Fetch the files of one source, here or in a Slurm job of its own."""

    source: str = luigi.ChoiceParameter(choices=GROUPS, description="what is fetched together")

    def out_files(self) -> Any:  # noqa: ANN401 (a port)
        """The files, as ``sources.lock`` records them."""
        return port(self, FetchedTarget(self.given.of(self.source), self.given.lock))

    def run(self) -> None:
        """Look for space, fetch, and write the audit trail."""
        given, remotes = self.given, self.given.of(self.source)
        order, rows = given.order(remotes), given.forecast(remotes)
        require_space(rows)
        self.audit({"what": "begun", "where": given.settings.where, "files": len(rows)})
        with self.progress(sum(row.bytes or 0 for row in rows)) as came:
            if given.settings.where == "slurm":
                done = run_slurm(order, self._job(), came)
            else:
                done = run_here(order, came)
        urls = {remote.name: row.url for remote, row in zip(order.remotes, rows, strict=True)}
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
        given, slurm = self.given.settings, self.given.slurm
        return SlurmJob(
            name=f"fetch-{self.source}",
            folder=Path(self.folder) / "jobs",
            request=replace(slurm.request(), time=dict(given.slurm_time).get(self.source)),
            cores=dict(given.slurm_cores).get(self.source, "1"),
            before=slurm.before or "",
        )


class UnpackSource(_DownloadTask):
    """Take out of archives what cannot be read in there; with ``[download] extract`` also the images."""

    source: str = luigi.ChoiceParameter(choices=GROUPS, description="what is fetched together")

    def out_files(self) -> Any:  # noqa: ANN401 (a port)
        """The tables or folders, none where all can be read in place."""
        return port(
            self, UnpackedTarget([path for _, path in self._folders()] + [t.path for t in self._tables()])
        )

    def complete(self) -> bool:
        """Where nothing is to be unpacked, this is done when everything is fetched."""
        return bool(super().complete()) and all(task.complete() for task in self.requires())

    def run(self) -> None:
        """Unpack what is not there yet."""
        for table in self._tables():
            if not table.path.exists():
                extract_member(table.archive, table.member, table.path)
        expected = dict(self.given.settings.counts).get(self.source)
        for archive, folder in self._folders():
            if not folder.exists():
                # of several archives the sum is known, not the count of each
                count = int(expected) if expected and len(self._folders()) == 1 else None
                files = extract(archive, folder, count, self._tell)
                self.audit({"what": "unpacked", "file": str(archive), "files": files})

    def _tables(self) -> list[Any]:
        return self.given.tables if self.source == "metadata" else []

    def _folders(self) -> list[tuple[Path, Path]]:
        return [(archive, folder) for source, archive, folder in self.given.folders if source == self.source]

    def _tell(self, count: int) -> None:
        if count % 1000 == 0 and self.set_status_message is not None:
            self.set_status_message(f"{count:,} files unpacked")


class PlaceSources(_DownloadTask):
    """Say which settings name what has been fetched."""

    def out_settings(self) -> Any:  # noqa: ANN401 (a port)
        """The lines of a settings file."""
        return port(self, luigi.LocalTarget(Path(self.folder) / "sources.cfg"))

    def complete(self) -> bool:
        """It holds as long as everything is there."""
        target = Path(self.out_settings().target.path)
        up_to_date = target.exists() and target.read_text(encoding="utf-8") == self._text()
        return up_to_date and all(task.complete() for task in self.requires())

    def run(self) -> None:
        """Write the lines, and print them."""
        with committed(Path(self.out_settings().target.path)) as scratch:
            scratch.write_text(self._text(), encoding="utf-8")
        sys.stdout.write(
            f"All is there. A build finds it by [download] folder = {self.folder}, or by:\n\n{self._text()}"
        )
        sys.stdout.flush()

    def _text(self) -> str:
        lines: list[str] = []
        for (section, key), place in sorted(self.given.places.items()):
            lines += [f"[{section}]"] if f"[{section}]" not in lines else []
            lines.append(f"{key} = {str(place).replace('%', '%%')}")
        return "\n".join([*lines, ""])
