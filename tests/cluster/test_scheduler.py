"""Luigid loses nothing when it is killed, and is not confused by what is lost around it."""

from __future__ import annotations

import base64
import re
import signal
import stat
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from processes import Crew

from tol_luigi.cluster.scheduler import PRUNE_SECONDS
from tol_luigi.tasks.run_sections import ClusterSection

if TYPE_CHECKING:
    from pathlib import Path

TASKS = """
import os, signal, time
from pathlib import Path
import luigi

HERE = Path(__file__).parent

def note(what):
    with open(HERE / "notes", "a") as notes:
        notes.write(f"{what}\\n")

class Leaf(luigi.Task):
    name = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(HERE / f"{self.name}.made")
    def run(self):
        note(self.name)
        self.work()
        Path(self.output().path).touch()
    def work(self):
        time.sleep(0.3)

class Root(luigi.WrapperTask):
    def requires(self):
        return [Leaf(name=f"leaf{number}") for number in range(12)]
"""

POISON = """
    def work(self):
        if self.name == "leaf3":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
"""

BAD_NODE = """
    def work(self):
        if os.environ["SLURMD_NODENAME"] == "bad":
            raise OSError("no scratch disk on this node")
        time.sleep(0.5)
"""


def with_work(work: str) -> str:
    return re.sub(r"    def work\(self\):\n +time.sleep\(0.3\)\n", lambda _: work.lstrip("\n"), TASKS)


def notes(crew: Crew) -> list[str]:
    path = crew.folder / "notes"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def answer(crew: Crew, path: str, login: str = "") -> int:
    """Ask luigid for something, and give the code of its answer."""
    address = crew.run.read_address()
    assert address is not None
    request = Request(address.url + path)  # noqa: S310 (an address of ours)
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answered:
            return int(answered.status)
    except HTTPError as error:
        with error:
            return error.code


def test_at_the_shipped_settings_a_lost_worker_is_missed_within_three_minutes() -> None:
    given = ClusterSection()
    missed = given.lost_seconds + PRUNE_SECONDS
    asked_for = 2 * given.poll_seconds
    assert missed + asked_for < 180
    assert given.lost_seconds > 5 * given.ping_seconds  # one ping that is lost is no loss


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_luigid_that_is_killed_and_restarted_loses_nothing_and_repeats_nothing(
    tmp_path: Path, number: int
) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        luigid, foreman, worker = crew.start("luigid"), crew.start("foreman"), crew.start("worker")
        crew.wait_for(lambda: len(notes(crew)) > 3)
        first = crew.run.read_address()
        luigid.send_signal(number)
        crew.end_of(luigid)
        luigid = crew.start("luigid")
        assert crew.end_of(foreman) == 0, crew.output()
        assert crew.end_of(worker) == 0
        assert crew.end_of(luigid) == 0
        assert first is not None
        assert sorted(notes(crew)) == sorted(f"leaf{number}" for number in range(12))
        crew.assert_nobody_is_left()


def test_where_what_luigid_knew_cannot_be_read_the_foreman_tells_it_again(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        luigid, foreman, worker = crew.start("luigid"), crew.start("foreman"), crew.start("worker")
        crew.wait_for(lambda: len(notes(crew)) > 2)
        luigid.kill()
        crew.end_of(luigid)
        crew.run.state.write_text('{"half a": "state', encoding="utf-8")
        crew.start("luigid")
        assert crew.end_of(foreman) == 0, crew.output()
        assert crew.end_of(worker) == 0


def test_a_second_luigid_of_the_same_run_is_refused(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        assert crew.end_of(crew.start("luigid")) == 1
        assert "another luigid serves this run" in crew.output()


def test_a_task_that_kills_its_workers_is_given_up_with_a_clear_reason(tmp_path: Path) -> None:
    sections = {"cluster": {"losses": 2, "lost_seconds": 2, "finish": "false"}}
    with Crew(tmp_path, sections, with_work(POISON)) as crew:
        crew.start("luigid")
        foreman = crew.start("foreman")
        workers = [crew.start("worker")]
        while foreman.poll() is None:
            if workers[-1].poll() is not None:
                assert workers[-1].returncode == -signal.SIGKILL, crew.output()
                workers.append(crew.start("worker"))
            crew.wait_for(lambda: foreman.poll() is not None or workers[-1].poll() is not None)
        assert foreman.returncode == 30, crew.output()
        assert notes(crew).count("leaf3") == 2
        assert len(set(notes(crew))) == 12
        (failure,) = crew.status().failures
        assert failure.label == "Leaf leaf3"
        assert failure.cause.startswith("the task lost 2 workers in a row: ")
        assert failure.final


@pytest.mark.parametrize("retries", [1, 2])
def test_a_node_on_which_everything_fails_costs_no_task_and_is_left(tmp_path: Path, retries: int) -> None:
    sections = {"cluster": {"retries": retries}}
    with Crew(tmp_path, sections, with_work(BAD_NODE)) as crew:
        luigid = crew.start("luigid")
        bad, good = crew.start("worker", "bad"), crew.start("worker", "good")
        crew.wait_for(lambda: crew.run.read_address() and crew.status().workers == 2)
        foreman = crew.start("foreman")
        assert crew.end_of(foreman) == 0, crew.output()
        assert crew.end_of(bad) == 1
        assert crew.end_of(good) == 0
        assert crew.end_of(luigid) == 0
        assert "3 failures in a row on node bad, and on no other node" in crew.output()


def test_the_only_node_is_never_taken_for_a_bad_one(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"retries": 2}}, with_work(BAD_NODE)) as crew:
        crew.start("luigid")
        worker, foreman = crew.start("worker", "bad"), crew.start("foreman")
        assert crew.end_of(foreman) == 30, crew.output()
        assert crew.end_of(worker) == 0
        assert {failure["attempts"] for failure in crew.result()["failures"]} == {2}
        assert {failure["cause"] for failure in crew.result()["failures"]} == {
            "OSError: no scratch disk on this node"
        }


@pytest.mark.parametrize(
    "path", ["/", "/static/visualiser/index.html", "/api/task_list", "/metrics", "/logs/x", "/api/finish"]
)
def test_without_the_password_nothing_is_told(tmp_path: Path, path: str) -> None:
    with Crew(tmp_path, {"cluster": {"metrics": "true"}}) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        password = crew.run.password.read_text(encoding="utf-8").strip()
        assert stat.S_IMODE(crew.run.password.stat().st_mode) == 0o600
        assert answer(crew, path) == 401
        assert answer(crew, path, "tol:wrong") == 401
        assert answer(crew, path, f"else:{password}") == 401
        right = {"/logs/x": 404, "/api/finish": 405}.get(path, 200)  # a log that is not there, no POST
        assert answer(crew, path, f"tol:{password}") == right


def test_a_password_of_ones_own_that_others_can_read_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("sesame\n", encoding="utf-8")
    own.chmod(0o644)
    with Crew(tmp_path, {"cluster": {"password_file": own}}) as crew:
        assert crew.end_of(crew.start("luigid")) == 1
        assert f"{own}: other users can read or change the password. Run: chmod 600 {own}." in crew.output()
        own.chmod(0o600)
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        assert answer(crew, "/api/task_list", "tol:sesame") == 200
        assert crew.status().workers == 0


def test_without_a_password_everybody_is_let_in(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"password": "false"}}) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        assert answer(crew, "/api/task_list") == 200
        assert not crew.run.password.exists()


def test_metrics_tell_of_tasks_workers_and_images(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"metrics": "true", "finish": "false", "password": "false"}}) as crew:
        crew.start("luigid")
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        address = crew.run.read_address()
        assert address is not None
        with build_opener(ProxyHandler({})).open(f"{address.url}/metrics", timeout=10) as answered:
            lines = answered.read().decode().splitlines()
        figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        shares = len(list(crew.dataset.glob("224x224/records/*/*/*.receipt.json")))
        assert figures['tol_tasks{family="WriteShards",state="DONE"}'] == f"{shares}.0"
        assert figures['luigi_task_done_total{family="WriteShards"}'] == f"{shares}.0"
        assert figures["tol_workers"] == "1.0"
        shards = list(crew.dataset.glob("224x224/*/*.tar"))
        assert float(figures['tol_images{family="WriteShards"}']) > len(shards)
        assert float(figures['tol_images_per_second{family="WriteShards"}']) >= 0
