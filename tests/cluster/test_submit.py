"""A whole build on a real Slurm: as `tol submit` submits it, and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from processes import digests
from slurm_rig import Build, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from slurm_rig import Sections


SBATCH = Path(__file__).resolve().parents[2] / "sbatch"
OPEN = {"bind": "0.0.0.0", "poll_seconds": 1, "ping_seconds": 2}
SMALL = {"memory": "500M", "array": 6}
SECONDS = 180


def test_submitted_demonstration_has_the_bytes_of_a_local_one(
    build: Callable[..., Build], demonstration: dict[str, str]
) -> None:
    here = build(cluster=OPEN, slurm=SMALL)
    submitted = here.tol("submit")
    assert submitted.returncode == 0, submitted.stderr
    again = here.tol("submit")
    assert again.returncode == 40
    assert "its jobs are still in Slurm's queue" in again.stderr
    assert "tol stop" in again.stderr
    jobs = here.jobs
    assert here.wait(jobs["foreman"], SECONDS) == "COMPLETED", here.said()
    assert here.wait(jobs["luigid"], 60) == "COMPLETED", here.said()
    assert digests(here.dataset) == demonstration
    here.wait_for_nothing_left()
    # MaxArraySize is 4
    assert [array["elements"] for array in jobs["workers"]] == [4, 2]
    ends = set(here.queue(*(array["id"] for array in jobs["workers"])).values())
    assert ends <= {"COMPLETED", "CANCELLED"}, here.said()  # the latter: they still waited when all was done
    whole = here.tol("submit")
    assert (whole.returncode, "nothing to do" in whole.stdout) == (0, True)


def test_sample_submitted_by_hand_has_the_bytes_of_a_local_one(
    build: Callable[..., Build], sample_sections: Sections, sample: dict[str, str]
) -> None:
    here = build(cluster=OPEN, **sample_sections)
    luigid = here.sbatch("--mem=500M", str(SBATCH / "luigid.sbatch"))
    foreman = here.sbatch("--mem=500M", f"--dependency=after:{luigid}", str(SBATCH / "foreman.sbatch"))
    workers = here.sbatch("--array=0-2", "--ntasks=2", "--mem-per-cpu=500M", str(SBATCH / "workers.sbatch"))
    assert here.wait(foreman, SECONDS) == "COMPLETED", here.said()
    assert here.wait(luigid, 60) == "COMPLETED", here.said()
    here.wait_for_nothing_left()
    assert set(here.queue(workers).values()) == {"COMPLETED"}, here.said()
    assert digests(here.dataset) == sample


def test_one_node_builds_the_demonstration(
    build: Callable[..., Build], demonstration: dict[str, str]
) -> None:
    here = build()
    job = here.sbatch("--cpus-per-task=2", str(SBATCH / "build.sbatch"))
    assert here.wait(job, SECONDS) == "COMPLETED", here.said()
    assert digests(here.dataset) == demonstration


def test_every_setting_reaches_slurm(build: Callable[..., Build], tmp_path: Path) -> None:
    given = {
        "account": "trees",
        "partition": "all",
        "time": "1-02:00:00",
        "memory": "700M",
        "cpus": 2,
        "array": 3,
        "limit": 2,
        "warning_seconds": 300,
        "requeue": "false",
        "options": "--nice=7 --job-name='my build' --hold",
        "before": f"touch {tmp_path}/first\n touch {tmp_path}/second",
    }
    here = build(cluster=OPEN, slurm=given)
    submitted = here.tol("submit")
    assert submitted.returncode == 0, submitted.stderr
    jobs = here.jobs
    for job in (jobs["luigid"], jobs["foreman"], jobs["workers"][0]["id"]):
        shown = here.rig.ask("scontrol", "--oneliner", "show", "job", job)
        for text in ("Account=trees", "TimeLimit=1-02:00:00", "Requeue=0", "JobName=my build", "Nice=7"):
            assert text in shown
    for text in ("ArrayTaskId=0-2%2", "NumTasks=2", "MinMemoryCPU=700M"):
        assert text in shown
    here.rig.ask("scontrol", "release", jobs["luigid"])
    wait_for("the lines to run first have run", (tmp_path / "second").exists, 60)
    assert (tmp_path / "first").exists()


def test_dry_run_submits_nothing(build: Callable[..., Build]) -> None:
    here = build(cluster=OPEN, slurm={"account": "trees", "cpus": 4})
    before = here.queue().keys()
    told = here.tol("submit", "--dry-run")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    commands = [line for line in lines if "sbatch " in line]
    scripts = [Path(line.split()[-1].rstrip(")")) for line in commands]
    assert [path.name for path in scripts] == ["luigid.sbatch", "foreman.sbatch", "workers.sbatch"]
    assert all(path.is_file() for path in scripts)
    assert all("--account=trees" in line for line in commands)
    assert here.queue().keys() == before
    assert not here.dataset.exists()


def test_luigid_that_other_nodes_do_not_reach_is_refused(build: Callable[..., Build]) -> None:
    refused = build().tol("submit")
    assert refused.returncode == 40
    assert (
        "[cluster] bind = 127.0.0.1: workers on other nodes cannot reach luigid at this address"
        in refused.stderr
    )


def test_what_slurm_refuses_leaves_no_job_behind(build: Callable[..., Build]) -> None:
    here = build(cluster=OPEN, slurm={**SMALL, "memory": "900G"})
    refused = here.tol("submit")
    assert refused.returncode == 40
    assert "Requested node configuration is not available" in refused.stderr
    here.wait_for_nothing_left()
    assert set(here.queue(here.jobs["luigid"], here.jobs["foreman"]).values()) == {"CANCELLED"}
