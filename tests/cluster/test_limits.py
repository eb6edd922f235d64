"""A build on a real Slurm where users may have few jobs, and jobs are held to their memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from accounted_rig import PROGRAMS, AccountedRig, unable
from PIL import Image
from processes import digests
from slurm_rig import QUICK, Build, missing, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LABELS = "file,kingdom,phylum,class,order,family,genus,species\nlarge.jpg,Animalia,,,,,Vulpes,vulpes\n"
SECONDS = 240


@pytest.fixture(scope="module")
def rig() -> Iterator[AccountedRig]:
    """A Slurm with a database of users, which the builds of this module are on; without control groups there is none."""
    absent = missing(*PROGRAMS)
    if not absent and (reason := unable()):
        pytest.skip(reason)
    with running(AccountedRig, absent) as started:
        yield started


@pytest.fixture
def five_jobs(rig: AccountedRig) -> Iterator[None]:
    """Let the user have no more than five jobs."""
    rig.allow(5)
    yield
    rig.allow(1000)


def elements(build: Build) -> int:
    return sum(array["elements"] for array in build.jobs["workers"])


def test_elements_that_slurm_does_not_take_are_asked_for_later(
    rig: AccountedRig, five_jobs: None, build: Callable[..., Build], demonstration: dict[str, str]
) -> None:
    del five_jobs
    here = build(cluster=QUICK, slurm={"memory": "500M", "array": 6})
    others = [here.sbatch("--hold", "--wrap=true") for _ in range(2)]
    submitted = here.tol("submit")
    assert submitted.returncode == 0, submitted.stderr
    assert "Slurm accepted 1 of 6 elements; the foreman submits the others later." in submitted.stdout
    here.wait_for_tasks(1)
    only = here.jobs["workers"][0]["id"]
    rig.ask("scontrol", "suspend", only)  # so that there is work left when the others come
    rig.ask("scancel", *others)
    wait_for("there are as many as may be", lambda: elements(here) == 3, 90)
    rig.ask("scontrol", "resume", only)
    assert here.wait(here.jobs["foreman"], SECONDS) == "COMPLETED", here.said()
    here.wait_for_nothing_left()
    assert digests(here.dataset) == demonstration


def test_workers_that_are_killed_for_their_memory_get_more(
    build: Callable[..., Build], demonstration: dict[str, str]
) -> None:
    here = build(cluster=QUICK, slurm={"memory": "80M", "most_memory": "1G", "array": 2})
    submitted = here.tol("submit")
    assert submitted.returncode == 0, submitted.stderr
    assert here.wait(here.jobs["foreman"], SECONDS) == "COMPLETED", here.said()
    here.wait_for_nothing_left()
    given = [array["memory"] for array in here.jobs["workers"]]
    assert given[:2] == ["80M", "160M"]
    assert digests(here.dataset) == demonstration


@pytest.mark.parametrize("memory", ["300M", "150M"])  # one doubling is enough, and two
def test_task_that_is_killed_for_its_memory_gets_more(
    build: Callable[..., Build], tmp_path: Path, memory: str
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (12_000, 9_000), "green").save(images / "large.jpg")  # 108 megapixels, 4 bytes each
    (tmp_path / "labels.csv").write_text(LABELS, encoding="utf-8")
    here = build(
        cluster=QUICK,
        slurm={"memory": memory, "most_memory": "2G", "array": 1},
        folder={"images": images, "labels": tmp_path / "labels.csv"},
    )
    submitted = here.tol("submit")
    assert submitted.returncode == 0, submitted.stderr
    assert here.wait(here.jobs["foreman"], SECONDS) == "COMPLETED", here.said()
    here.wait_for_nothing_left()
    given = [array["memory"] for array in here.jobs["workers"]]
    assert given[0] == memory
    assert given[-1] in {"600M", "1200M"}
    assert "1 task killed, to be retried with 600M per worker" in here.said()


def test_workers_that_cannot_have_enough_memory_are_given_up(build: Callable[..., Build]) -> None:
    here = build(cluster=QUICK, slurm={"memory": "40M", "most_memory": "40M", "array": 1})
    submitted = here.tol("submit")
    assert submitted.returncode == 0, submitted.stderr
    assert here.wait(here.jobs["foreman"], SECONDS) == "FAILED", here.said()
    assert "ended soon after their start, and none are left" in here.said()
