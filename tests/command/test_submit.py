"""``tol submit --dry-run``: a script that a shell runs as it is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Tol = Callable[..., subprocess.CompletedProcess[str]]

PROJECT = Path(__file__).resolve().parents[2]


def test_shipped_settings_are_enough_for_a_dry_run(tol: Tol, tmp_path: Path) -> None:
    (tmp_path / "luigi.cfg").write_bytes((PROJECT / "luigi.cfg").read_bytes())
    done = tol("submit", "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first.startswith("# First correct the settings. [cluster] bind = 127.0.0.1: ")
    assert "0.0.0.0" in first
    assert not any(line.startswith("#") for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["luigi.cfg"]


def test_what_a_dry_run_prints_runs_in_a_shell(
    tol: Tol, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "o'ne & $two"
    folder.mkdir()
    slurm: dict[str, Any] = {
        "options": "--job-name='my build' --comment=\"it's\"",
        "before": "echo '$HOME' \"x\"",
        "array": 3,
    }
    settings = settings_file(
        {"dataset": {"root": "out"}, "cluster": {"bind": "0.0.0.0"}, "slurm": slurm}, folder / "my.cfg"
    )
    done = tol("submit", "--dry-run", "--config", settings, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")

    programs = tmp_path / "programs"
    programs.mkdir()
    variables = 'os.environ["LUIGI_CONFIG_PATH"], os.environ["TOL_BEFORE"]'
    shown = f"import json, os, sys; print(json.dumps([*sys.argv[1:], {variables}]))"
    # It answers as Slurm does where there are several clusters, and notes what it was called with.
    (programs / "sbatch").write_text(
        f"#!/bin/bash\n{sys.executable} -c '{shown}' \"$@\" >> {tmp_path}/called\necho '17;trees'\n",
        encoding="utf-8",
    )
    (programs / "sbatch").chmod(0o755)
    ran = subprocess.run(
        ["bash", "-eu"],
        input=done.stdout,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (folder / "out" / "dev" / "run" / "logs" / "slurm").is_dir()
    calls = [json.loads(line) for line in (tmp_path / "called").read_text(encoding="utf-8").splitlines()]
    assert [Path(call[-3]).name for call in calls] == ["luigid.sbatch", "foreman.sbatch", "workers.sbatch"]
    assert all(Path(call[-3]).is_file() for call in calls)
    assert all(call[-2:] == [str(settings), slurm["before"]] for call in calls)
    assert all({"--job-name=my build", "--comment=it's"} <= set(call) for call in calls)
    assert ["--dependency=after:17" in call for call in calls] == [False, True, True]
    assert "--array=0-2" in calls[2]
