"""``tol status`` and ``tol retry``: the truth, with a luigid and without."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Tol = Callable[..., subprocess.CompletedProcess[str]]
Seen = Callable[[Path], dict[str, tuple[int, int]]]
Sections = dict[str, dict[str, Any]]


@pytest.fixture
def own_bioscan(bioscan_settings: Sections, tmp_path: Path) -> Path:
    """A copy of the smallest source, to damage; the settings name it."""
    images = tmp_path / "bioscan"
    shutil.copytree(bioscan_settings["bioscan"]["images"], images)
    for path in [images, *images.rglob("*")]:
        path.chmod(0o755)
    bioscan_settings["bioscan"]["images"] = images
    return images


def damage(images: Path, part: str) -> dict[Path, bytes]:
    """Make every picture of a part unreadable; gives what they were."""
    before = {path: path.read_bytes() for path in (images / part).glob("*.jpg")}
    assert before
    for path, content in before.items():
        path.write_bytes(b"no picture".ljust(len(content)))  # of another size it would not be read
    return before


def test_a_complete_dataset_is_told_so_and_not_touched(tol: Tol, seen: Seen, sample_build: Path) -> None:
    before = seen(sample_build)
    done = tol("status", "--config", sample_build.parents[1] / "settings.cfg", cwd=sample_build)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Dataset {sample_build}: complete\n")
    assert "100 % 85 of 85 tasks" in done.stdout
    assert "100 % 279 of 279 images" in done.stdout
    assert seen(sample_build) == before


def test_where_nothing_has_begun_it_ends_with_25(tol: Tol, tmp_path: Path) -> None:
    done = tol("status", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (25, "")
    assert "not complete" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_is_lost_is_to_do_again(
    tol: Tol, build: Any, settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(bioscan_settings)
    assert build(settings).returncode == 0
    next(tmp_path.rglob("records/train/bioscan/part1.receipt.json")).unlink()
    done = tol("status", "--config", settings, "--json", cwd=tmp_path)
    assert done.returncode == 25
    told = json.loads(done.stdout)
    open_ = {stage["name"]: stage["tasks"] - stage["complete"] for stage in told["stages"]}
    # without its receipt nothing is known of the partition, and train_small is copied from it
    assert open_["WriteShards"] == 2
    assert open_["WriteCatalog"] == 1
    assert 0 < told["images"]["done"] < told["images"]["all"]
    assert 0 < told["bytes"]["done"] < told["bytes"]["all"]


def test_failures_of_an_ordinary_build_are_shown_until_they_are_gone(
    *,
    tol: Tol,
    build: Any,
    settings_file: Callable[..., Path],
    bioscan_settings: Sections,
    own_bioscan: Path,
    tmp_path: Path,
) -> None:
    settings = settings_file(bioscan_settings)
    before = damage(own_bioscan, "part1")
    assert build(settings).returncode == 30
    done = tol("status", "--config", settings, cwd=tmp_path)
    assert done.returncode == 30
    assert "WriteShards train bioscan part1" in done.stdout
    assert "images are broken" in " ".join(done.stdout.split())
    assert "left" not in done.stdout
    told = json.loads(tol("status", "--config", settings, "--json", cwd=tmp_path).stdout)
    assert {stage["name"]: stage["failed"] for stage in told["stages"]}["WriteShards"] > 0
    assert (told["running"], told["seconds_left"]) == ([], None)

    for path, content in before.items():
        path.write_bytes(content)
    assert build(settings, "--checks-changed-sources", "rebuild").returncode == 0
    done = tol("status", "--config", settings, cwd=tmp_path)
    assert (done.returncode, "failed:" in done.stdout) == (0, False)


def test_a_build_that_runs_here_is_shown_and_a_killed_one_is_not(
    *, tol: Tol, start: Any, settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(bioscan_settings)
    states = tmp_path / "out" / "sample" / "logs" / "tasks"
    process = start(settings)
    end = time.monotonic() + 60
    while not (states.is_dir() and any(states.glob("*.json"))):
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGSTOP)
    told = json.loads(tol("status", "--config", settings, "--json", cwd=tmp_path).stdout)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert told["scheduler"].startswith("A build is running on ")
    assert len(told["running"]) >= 1

    told = json.loads(tol("status", "--config", settings, "--json", cwd=tmp_path).stdout)
    assert told["running"] == []
    assert not told["scheduler"].startswith("A build is running on ")


def test_following_ends_when_the_build_does(
    tol: Tol, build: Any, settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(bioscan_settings)
    assert build(settings).returncode == 0
    done = tol("status", "--config", settings, "--follow", cwd=tmp_path)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.endswith("complete")
    assert "18 of 18 images" in line


def test_a_damaged_shard_is_named_without_a_luigid(
    tol: Tol, build: Any, settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file({**bioscan_settings, "checks": {"repair": "false"}})
    assert build(settings).returncode == 0
    shard = next(tmp_path.rglob("224x224/train/shard-000000.tar"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    next(tmp_path.rglob("records/train/bioscan/part1.verdict.json")).unlink()
    assert build(settings).returncode == 30
    done = tol("status", "--config", settings, cwd=tmp_path)
    assert done.returncode == 30
    assert "failed: 1 task\n" in done.stdout
    assert str(shard) in done.stdout
    assert "CheckShards train bioscan part1" in done.stdout


def wait_for(tol: Tol, settings: Path, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask for the status until it is what is wanted."""
    for _ in range(60):
        told: dict[str, Any] = json.loads(
            tol("status", "--config", settings, "--json", cwd=settings.parent).stdout
        )
        if wanted(told):
            return told
        time.sleep(0.5)
    raise AssertionError(told)


def test_a_failed_task_is_named_with_its_cause_and_log_and_tried_again(
    tol: Tol,
    part: Any,
    own_bioscan: Path,
    settings_file: Callable[..., Path],
    bioscan_settings: Sections,
) -> None:
    before = damage(own_bioscan, "part1")
    quick = {"retries": 1, "retry_seconds": 1, "poll_seconds": 1, "ping_seconds": 1, "settle_seconds": 0}
    settings = settings_file({**bioscan_settings, "cluster": {**quick, "finish": "false"}})
    luigid = part("luigid", settings)
    foreman, worker = part("foreman", settings), part("worker", settings)
    assert foreman.wait(120) == 30

    told = wait_for(tol, settings, lambda told: bool(told["causes"]))
    causes = {label: cause for cause in told["causes"] for label in cause["labels"]}
    cause = causes["WriteShards train bioscan part1"]
    assert "images are broken" in cause["cause"]
    assert "images are broken" in Path(cause["log"]).read_text(encoding="utf-8")
    done = tol("status", "--config", settings, cwd=settings.parent)
    assert done.returncode == 30
    assert "luigid at http" in done.stdout
    assert f"log: {cause['log']}" in done.stdout

    for path, content in before.items():
        path.write_bytes(content)
    again = tol("retry", "--config", settings, cwd=settings.parent)
    assert again.returncode == 0, again.stderr
    assert "WriteShards" in again.stdout
    assert part("foreman", settings).wait(120) == 0
    assert tol("status", "--config", settings, cwd=settings.parent).returncode == 0

    stopped = tol("stop", "--config", settings, cwd=settings.parent)
    assert stopped.returncode == 0, stopped.stderr
    assert worker.wait(60) == 0
    assert luigid.wait(60) == 0


def test_after_the_end_of_a_run_its_failures_are_still_told(
    tol: Tol,
    part: Any,
    own_bioscan: Path,
    settings_file: Callable[..., Path],
    bioscan_settings: Sections,
) -> None:
    damage(own_bioscan, "part1")
    quick = {"retries": 1, "retry_seconds": 1, "poll_seconds": 1, "ping_seconds": 1, "settle_seconds": 0}
    settings = settings_file({**bioscan_settings, "cluster": quick})
    luigid = part("luigid", settings)
    foreman, worker = part("foreman", settings), part("worker", settings)
    assert (foreman.wait(120), worker.wait(60), luigid.wait(60)) == (30, 0, 0)
    done = tol("status", "--config", settings, cwd=settings.parent)
    assert done.returncode == 30
    assert "WriteShards train bioscan part1" in done.stdout
    assert "images are broken" in done.stdout
    assert "The last run ended" in done.stdout
    retried = tol("retry", "--config", settings, cwd=settings.parent)
    assert retried.returncode == 40
    assert retried.stderr.startswith("tol: ")
    assert "Run the build again" in retried.stderr
