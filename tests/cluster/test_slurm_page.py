"""The steps of ``docs/cluster.md``, from its text, on a Slurm of four nodes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pages import ROOT, walk

if TYPE_CHECKING:
    from pathlib import Path

    from slurm_rig import Rig

CHANGED = {
    # what a reader replaces
    "account = my-project": "account = trees",
    "partition = compute": "partition = all",
    "options = --constraint=ib": "options = --nice=1",
    "before = module load python/3.11": "before = true",
    # the nodes are small
    "memory = 1G": "memory = 500M",
    # step 5 has submitted one already
    "\ntol submit\n": "\n",
    # a build that is not complete yet has the exit code 25
    "tol status": "tol status || test $? = 25",
}


def test_the_page_as_it_is_read(rig: Rig, tmp_path: Path) -> None:
    try:
        done = walk(
            ROOT / "docs" / "cluster.md", tmp_path, CHANGED, {"SLURM_CONF": rig.environment["SLURM_CONF"]}
        )
        assert done.returncode == 0, done.stderr
        jobs = json.loads((tmp_path / "build" / "try" / "run" / "jobs.json").read_text(encoding="utf-8"))
        assert {"luigid", "foreman", "workers"} <= set(jobs)
        assert "--account=trees" in done.stdout
        assert "try: not complete" in done.stdout
    finally:
        rig.clear()
