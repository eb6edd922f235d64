"""What a stage reads changes while it reads it: nothing that was made of two states is ever taken for whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Sections = dict[str, dict[str, Any]]

PROGRAM = """
import os, shutil, sys

import luigi
import tol_luigi

event, end, source, target = sys.argv[1:]
done = []

def change(happened, arguments):
    if happened == event and not done and any(str(argument).endswith(end) for argument in arguments):
        done.append(True)
        os.replace(source, target)

sys.addaudithook(change)
succeeded = luigi.build([tol_luigi.BuildCatalog()], local_scheduler=True, log_level="WARNING")
assert done
sys.exit(not succeeded)
"""
"""Builds, and at an event that is about a path with a certain end moves a file to the place of another one."""


@pytest.fixture
def disturbed(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(settings: Path, *arguments: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def copied(source: Path, target: Path) -> Path:
    """Copy a folder so that it can be changed, with the times of its files."""
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def test_an_image_that_comes_after_its_folder_was_listed(
    *, sample_settings: Sections, tmp_path: Path, settings_file: Any, build: Any, disturbed: Any, digests: Any
) -> None:
    images = copied(sample_settings["inat21"]["images"], tmp_path / "images")
    sections = {"dataset": {"root": "out", "tag": "x"}, "inat21": {"images": images, "partitions": 1}}
    first, *_, last = sorted((images / "train").iterdir())
    shutil.copyfile(min(first.iterdir()), tmp_path / "new.jpg")
    settings = settings_file(sections)

    stopped = disturbed(settings, "os.scandir", last.name, tmp_path / "new.jpg", first / "new.jpg")
    assert stopped.returncode
    assert f"{first}: has changed while it was read. Run the same command again." in stopped.stderr
    assert build(settings).returncode == 0
    made = digests(tmp_path / "out" / "x")
    shutil.rmtree(tmp_path / "out")
    assert build(settings).returncode == 0
    assert digests(tmp_path / "out" / "x") == made


def with_two_files_exchanged(mapping: Path, target: Path) -> Path:
    """Copy a published mapping, with two ids each given to the file of the other one."""
    shutil.copyfile(mapping, target)
    target.chmod(0o644)
    with sqlite3.connect(target) as database:
        ids = [image for (image,) in database.execute("SELECT evobio10m_id FROM bioscan LIMIT 2")]
        for image, other in zip([*ids, "aside"], ["aside", ids[0], ids[1]], strict=True):
            database.execute("UPDATE bioscan SET evobio10m_id = ? WHERE evobio10m_id = ?", (other, image))
    assert target.stat().st_size == mapping.stat().st_size
    return target


@pytest.mark.parametrize("event", ["os.link", "os.rename"], ids=["for the ids", "for the splits"])
def test_a_published_mapping_that_is_replaced(
    *,
    event: str,
    bioscan_settings: Sections,
    sample_settings: Sections,
    tmp_path: Path,
    settings_file: Any,
    build: Any,
    disturbed: Any,
    digests: Any,
) -> None:
    published = tmp_path / "published.sqlite"
    shutil.copyfile(sample_settings["published"]["mapping"], published)
    new = with_two_files_exchanged(published, tmp_path / "new.sqlite")
    settings = settings_file({**bioscan_settings, "published": {"mapping": published}})

    stopped = disturbed(settings, event, "/mapping.sqlite", new, published)
    assert stopped.returncode
    assert f"{published}: has changed while it was read. Run the same command again." in stopped.stderr
    # The ids are taken by then where the splits are asked for, so that it depends on the settings.
    assert build(settings, "--checks-changed-sources", "rebuild").returncode == 0
    made = digests(tmp_path / "out" / "sample")
    shutil.rmtree(tmp_path / "out")
    assert build(settings).returncode == 0
    assert digests(tmp_path / "out" / "sample") == made


def test_an_image_that_is_replaced_for_a_while(
    *,
    bioscan_settings: Sections,
    tmp_path: Path,
    settings_file: Any,
    build: Any,
    disturbed: Any,
    digests: Any,
) -> None:
    images = copied(bioscan_settings["bioscan"]["images"], tmp_path / "images")
    settings = settings_file(
        {**bioscan_settings, "bioscan": {**bioscan_settings["bioscan"], "images": images}}
    )
    assert build(settings).returncode == 0
    whole = digests(tmp_path / "out" / "sample")
    image = max((images / "part1").iterdir())
    kept = shutil.copy2(image, tmp_path / "kept.jpg")
    content = bytearray(image.read_bytes())
    content[-20] ^= 1
    (tmp_path / "new.jpg").write_bytes(content)
    times = images.stat(), image.parent.stat()

    shutil.rmtree(tmp_path / "out" / "sample" / "224x224")
    stopped = disturbed(settings, "open", image.name, tmp_path / "new.jpg", image)
    assert stopped.returncode
    assert f"{image.parent}: has changed since it was read" in stopped.stderr
    os.replace(kept, image)
    for folder, status in zip((images, image.parent), times, strict=True):
        os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert build(settings).returncode == 0
    assert digests(tmp_path / "out" / "sample") == whole


REMADE = """
import dataclasses, sys

from tol_luigi.core.files import remove
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.taxa import CheckPredictedTaxa

predict, check = PredictCatalog(), CheckPredictedTaxa()
remove(check.receipt_path)

def change(happened, arguments):
    if happened == "os.rename" and str(arguments[1]).endswith("/taxa-report-predicted.json"):
        dataclasses.replace(predict.receipt(), more={"made": "by another process"}).write(predict.receipt_path)

sys.addaudithook(change)
check.run()
sys.exit(check.complete())
"""


def test_a_stage_is_not_bound_to_what_came_after_it_began(
    *, bioscan_settings: Sections, tmp_path: Path, settings_file: Any, build: Any
) -> None:
    settings = settings_file(bioscan_settings)
    assert build(settings).returncode == 0
    command = [sys.executable, "-W", "ignore", "-c", REMADE]
    environment = {**os.environ, "LUIGI_CONFIG_PATH": str(settings)}

    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
