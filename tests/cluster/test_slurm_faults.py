"""What becomes of a build while nodes, workers, luigid and the foreman are lost around it, on a real Slurm."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from processes import digests
from slurm_rig import QUICK, Build, wait_for

from tol_luigi import slurm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from slurm_rig import Sections

    from tol_luigi.cluster.client import RunningTask


SEED = 1758
WORKERS = {"memory": "500M", "array": 6}
SECONDS = 300


def process(task: RunningTask) -> int:
    """Give the process of the worker that a task runs on."""
    return int(task.worker.split(":")[1])


class Saboteur:
    """Loses parts of a build that is going on, and brings back what does not come back by itself.

    Args:
        build: The build.
        chance: Who is hit.
    """

    def __init__(self, build: Build, chance: random.Random) -> None:
        self.build, self.rig, self.chance = build, build.rig, chance
        self.jobs = build.jobs
        self.meanwhile = ThreadPoolExecutor()
        self.returning: list[Future[None]] = []

    def elements(self) -> dict[str, str]:
        """Give the nodes of the elements that run, by their names."""
        arrays = ",".join(array["id"] for array in self.jobs["workers"])
        said = self.rig.ask(
            "squeue", "--noheader", "--array", "--states=running", "--format=%i %N", f"--jobs={arrays}"
        )
        return dict(line.split() for line in said.splitlines())

    def element(self) -> str:
        return self.chance.choice(sorted(wait_for("elements run", self.elements, 60)))

    def processes(self, what: str) -> list[int]:
        """Find the processes of ``tol``."""
        return [number for number, command in self.rig.left().items() if command.endswith(f"/tol {what}")]

    def kill_worker(self) -> None:
        """Kill a worker at work: the process of its task is on its own."""
        busy = wait_for("workers are at work", self.at_work, 60)
        os.kill(self.chance.choice(sorted(busy)), signal.SIGKILL)

    def at_work(self) -> set[int]:
        """Find the workers that are there and have a task."""
        busy = {process(task) for task in self.build.status().running}
        return busy & set(self.processes("worker"))

    def lose_node(self) -> None:
        """Lose a node that workers are on; it comes back when Slurm has noticed, while the build goes on."""
        homes = {self.node(self.jobs["luigid"]), self.node(self.jobs["foreman"])}
        nodes = wait_for("elements run elsewhere", lambda: set(self.elements().values()) - homes, 60)
        node = self.chance.choice(sorted(nodes))
        self.rig.kill_node(node)
        self.returning.append(self.meanwhile.submit(self.bring_back, node))

    def bring_back(self, node: str) -> None:
        wait_for(f"{node} is down", lambda: self.state(node).startswith("down"), 90)
        self.rig.start_node(node)
        wait_for(f"{node} is back", lambda: not self.state(node).startswith("down"), 90)

    def node(self, job: str) -> str:
        return self.rig.ask("squeue", "--noheader", "--format=%N", f"--jobs={job}").strip()

    def state(self, node: str) -> str:
        return self.rig.ask("sinfo", "--noheader", "--format=%t", f"--nodes={node}").strip()

    def requeue_worker(self) -> None:
        self.rig.ask("scontrol", "requeue", self.element())

    def terminate_worker(self) -> None:
        self.rig.ask("scancel", "--signal=TERM", self.element())

    def drain_worker(self) -> None:
        self.rig.ask("scancel", "--signal=USR1", self.element())

    def kill_luigid(self) -> None:
        """Kill luigid: the foreman has it started again."""
        before = self.build.run.address.read_text()
        (number,) = self.processes("luigid")
        os.kill(number, signal.SIGKILL)
        wait_for("luigid is back", lambda: self.build.run.address.read_text() != before, 90)

    def kill_foreman(self) -> None:
        """Kill the foreman, and start it again."""
        (number,) = self.processes("foreman")
        os.kill(number, signal.SIGKILL)
        assert self.build.wait(self.jobs["foreman"], 30) == "FAILED"
        self.rig.ask("scontrol", "requeue", self.jobs["foreman"])


def test_build_survives_the_loss_of_every_part(
    build: Callable[..., Build], large_sections: Sections, large: dict[str, str]
) -> None:
    here = build(cluster=QUICK, slurm=WORKERS, **large_sections)
    submitted = here.tol("submit")
    assert submitted.returncode == 0, submitted.stderr
    here.wait_for_tasks(1)
    tasks = sum(sum(counts.values()) for counts in here.status().counts.values())
    assert tasks >= 40
    saboteur = Saboteur(here, random.Random(SEED))  # noqa: S311 (chance that repeats)
    faults = [
        saboteur.kill_worker,
        saboteur.kill_worker,
        saboteur.lose_node,
        saboteur.requeue_worker,
        saboteur.terminate_worker,
        saboteur.drain_worker,
        saboteur.kill_luigid,
        saboteur.kill_foreman,
    ]
    saboteur.chance.shuffle(faults)
    for number, fault in enumerate(faults):
        here.wait_for_tasks(6 * (number + 1))
        # a luigid that is killed before it has saved is told everything again by the foreman
        wait_for(f"there is work left for {fault.__name__}", lambda: here.status().unfinished, 60)
        fault()
    assert here.wait(here.jobs["foreman"], SECONDS) == "COMPLETED", here.said()
    assert here.exit_code(here.jobs["foreman"]) == 0
    for returned in saboteur.returning:
        returned.result()
    assert here.wait(here.jobs["luigid"], 60) == "COMPLETED", here.said()
    assert digests(here.dataset) == large
    here.wait_for_nothing_left()
    # An element that was requeued so late starts once more, finds the run over, and leaves.
    live = {"PENDING", "RUNNING", "COMPLETING"}
    wait_for("no element is left", lambda: not live & set(here.queue().values()), SECONDS)


def test_foreman_whose_time_is_up_goes_on_in_new_time(
    build: Callable[..., Build], demonstration: dict[str, str]
) -> None:
    here = build(cluster=QUICK, slurm={**WORKERS, "array": 1})
    assert here.tol("submit").returncode == 0
    here.wait_for_tasks(1)
    foreman, (workers,) = here.jobs["foreman"], here.jobs["workers"]
    here.rig.ask("scontrol", "suspend", workers["id"])  # so that there is work left for the one that comes
    minutes = (
        slurm.seconds(here.detail(foreman, "RunTime")) // 60 + 2
    )  # of which it is told when two are left
    here.rig.ask("scontrol", "update", f"JobId={foreman}", f"TimeLimit={minutes}")
    wait_for("it is started again", lambda: here.detail(foreman, "Restarts") == "1", 90)
    here.rig.ask("scontrol", "update", f"JobId={foreman}", "TimeLimit=UNLIMITED")
    here.rig.ask("scontrol", "resume", workers["id"])
    assert here.wait(foreman, SECONDS) == "COMPLETED", here.said()
    here.wait_for_nothing_left()
    assert digests(here.dataset) == demonstration


def test_task_that_always_fails_keeps_no_other_from_its_end(
    build: Callable[..., Build], sample_sections: Sections, sample: dict[str, str], tmp_path: Path
) -> None:
    sources = tmp_path / "eol"
    shutil.copytree(sample_sections["eol"]["images"], sources)
    archive = sources / "image_set_02.tar.gz"
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    mended = {**sample_sections, "eol": {**sample_sections["eol"], "images": sources}}
    here = build(cluster={**QUICK, "retry_seconds": 1}, slurm=WORKERS, **mended)
    assert here.tol("submit").returncode == 0
    assert here.wait(here.jobs["foreman"], SECONDS) == "FAILED", here.said()
    assert here.exit_code(here.jobs["foreman"]) == 30
    listed = sorted(path.stem for path in (here.dataset / "listings" / "eol").glob("*.parquet"))
    assert listed == sorted(path.name.partition(".")[0] for path in sources.iterdir() if path != archive)

    told = here.tol("status")
    assert "ScanPartition eol image_set_02" in told.stdout, told.stdout
    assert "is incomplete or damaged" in told.stdout
    log = next(word for word in told.stdout.split() if word.endswith(".log"))
    assert "is incomplete or damaged" in (here.settings.parent / log).read_text(encoding="utf-8")

    here.wait_for_nothing_left()
    archive.write_bytes(whole)
    retried = here.tol("retry")
    assert retried.returncode == 0, retried.stderr
    assert here.wait(here.jobs["foreman"], SECONDS) == "COMPLETED", here.said()
    assert digests(here.dataset) == sample
    here.wait_for_nothing_left()


def test_task_of_a_dead_worker_runs_again_within_three_minutes(
    build: Callable[..., Build], large_sections: Sections
) -> None:
    here = build(cluster={"bind": "0.0.0.0"}, slurm=WORKERS, **large_sections)
    assert here.tol("submit").returncode == 0

    def caught() -> RunningTask | None:
        """Stop a worker, and give its task if it has not ended meanwhile."""
        for task in here.status().running:
            if task.family == "WriteShards" and here.run.log(task.task_id, 1).exists():  # it has begun
                os.kill(process(task), signal.SIGSTOP)
                if task.task_id in {each.task_id for each in here.status().running}:
                    return task
                os.kill(process(task), signal.SIGCONT)
        return None

    lost = wait_for("a worker is caught amid a task of some seconds", caught, 120)
    os.kill(process(lost), signal.SIGKILL)
    began = time.monotonic()
    wait_for("it runs again", here.run.log(lost.task_id, 2).exists, 180)
    assert time.monotonic() - began <= 180


def test_foreman_submits_workers_again_where_all_are_gone(
    build: Callable[..., Build], demonstration: dict[str, str]
) -> None:
    here = build(cluster=QUICK, slurm={**WORKERS, "array": 2, "options": "--hold"})
    assert here.tol("submit").returncode == 0
    first = here.jobs["workers"][0]["id"]
    here.rig.ask("scancel", first)
    for job in (here.jobs["luigid"], here.jobs["foreman"]):
        here.rig.ask("scontrol", "release", job)
    wait_for("others are submitted", lambda: len(here.jobs["workers"]) > 1, 90)
    here.rig.ask("scontrol", "release", here.jobs["workers"][1]["id"])
    assert here.wait(here.jobs["foreman"], SECONDS) == "COMPLETED", here.said()
    assert digests(here.dataset) == demonstration


def test_foreman_gives_up_where_workers_only_die(build: Callable[..., Build]) -> None:
    before = 'test -z "$SLURM_ARRAY_TASK_ID" || exit 3'
    here = build(cluster=QUICK, slurm={**WORKERS, "array": 1, "before": before})
    assert here.tol("submit").returncode == 0
    assert here.wait(here.jobs["foreman"], SECONDS) == "FAILED", here.said()
    assert here.exit_code(here.jobs["foreman"]) == 25
    assert len(here.jobs["workers"]) == 2
    assert "ended soon after their start" in here.said()
    assert here.wait(here.jobs["luigid"], 60) == "COMPLETED"
    here.wait_for_nothing_left()
