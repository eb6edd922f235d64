"""``DownloadSources`` with each source as a Slurm job of its own, and a build of what they fetch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from slurm_rig import digests

if TYPE_CHECKING:
    from collections.abc import Callable

    from slurm_rig import Build, Sections


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
