"""``DownloadSources`` with each source as a Slurm job of its own, and a build of what they fetch."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import digests
from slurm_rig import wait_for

from tol_luigi import slurm
from tol_luigi.core.errors import DownloadError
from tol_luigi.downloads.jobs import Order, SlurmJob, run_slurm

if TYPE_CHECKING:
    from collections.abc import Callable

    from slurm_rig import Build, Rig, Sections


SOURCES = ["bioscan", "eol", "inat21", "metadata"]
LUIGI = str(Path(sys.executable).with_name("luigi"))


def run(build: Build, task: str) -> None:
    done = build.call(LUIGI, "--module", "tol_luigi", task, "--local-scheduler", "--workers", "4")
    assert done.returncode == 0, done.stderr


def test_each_source_is_a_job_and_builds_the_same(
    build: Callable[..., Build], download_sections: Sections, tmp_path: Path
) -> None:
    download_sections.pop("dataset")
    download_sections["download"] |= {"slurm_cores": "metadata=1,eol=2,inat21=1,bioscan=1", "where": "slurm"}
    download_sections["slurm"] = {"partition": "all", "before": "export TOL_SEEN=yes"}
    with_jobs = build(**download_sections)
    run(with_jobs, "DownloadSources")
    trails = {path.stem: path.read_text().splitlines() for path in (tmp_path / "sources" / "audit").iterdir()}
    done = {
        name: next(line for line in map(json.loads, trails[f"fetch-{name}"]) if line.get("what") == "done")
        for name in SOURCES
    }

    assert len({line["job"] for line in done.values()} - {""}) == len(SOURCES)
    assert all(line["bytes"] > 0 for line in done.values())
    run(with_jobs, "BuildCatalog")
    by_jobs = digests(with_jobs.dataset)

    with_jobs.settings.unlink()
    download_sections["download"] |= {"folder": "fetched-here", "where": "here"}
    download_sections["dataset"] = {"root": "here", "tag": "built"}
    here = build(**download_sections)
    run(here, "DownloadSources")
    run(here, "BuildCatalog")
    assert digests(tmp_path / "here" / "built") == by_jobs


def nothing(count: int) -> None:
    del count


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """An order of no files."""
    return Order([], tmp_path / "sources.lock", {}, {}, "NO_TOKEN")


def test_a_job_is_waited_for_though_the_controller_is_away(asked: Rig, order: Order, tmp_path: Path) -> None:
    job = SlurmJob("fetch", tmp_path / "100% of jobs", slurm.Request(), before="sleep 12")
    away = threading.Timer(4, asked.stop_controller)
    back = threading.Timer(9, asked.start_controller)
    away.start()
    back.start()
    done = run_slurm(order, job, nothing)
    assert done.fetched == []
    assert (job.folder / f"fetch-{done.job}.log").exists()


def test_the_state_of_a_job_that_ends_too_early_is_named(asked: Rig, order: Order, tmp_path: Path) -> None:
    job = SlurmJob("fetch", tmp_path, slurm.Request(), before=f"touch {tmp_path}/begun; sleep 100")

    def cancel() -> None:
        wait_for("it runs", (tmp_path / "begun").exists, 60)
        asked.ask("scancel", "--name=fetch")

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(DownloadError, match=r"^fetch: Slurm job \d+ ended early \(state CANCELLED"):
        run_slurm(order, job, nothing)
    canceller.join()


def test_a_command_that_is_interrupted_takes_its_job_with_it(
    asked: Rig, order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = SlurmJob("interrupted", tmp_path, slurm.Request(), before="sleep 100")

    def interrupt(seconds: float) -> None:
        del seconds
        raise KeyboardInterrupt

    monkeypatch.setattr("tol_luigi.downloads.jobs.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_slurm(order, job, nothing)
    monkeypatch.undo()
    assert asked.ask("squeue", "--noheader", "--name=interrupted", "--states=PENDING,RUNNING") == ""
