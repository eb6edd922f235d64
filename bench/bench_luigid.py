"""What does luigid cost with many tasks and many workers, at work and idle?

The workers are threads that speak what real ones speak, at the shipped intervals, and sleep in place of working. With --lanes,
each task takes one of so many resources, as those that fetch images do, and most of the workers wait.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _table import Row, arguments, show, show_host

if TYPE_CHECKING:
    from collections.abc import Callable

_SLEEP = 4.0
"""How long a task of many workers sleeps, in seconds; those of few are as much shorter, so that as many end."""

_REPEATED = 5
_TURNS = 300

_LISTS = (
    *(
        ("RUNNING", ""),
        ("BATCH_RUNNING", ""),
        ("FAILED", ""),
        ("DISABLED", ""),
        ("PENDING", ""),
        ("DONE", ""),
    ),
    *(("PENDING", "UPSTREAM_FAILED"), ("PENDING", "UPSTREAM_DISABLED")),
)
_SHARES = {
    "busy": "while tasks run",
    "idle": "while workers are idle and all tasks done",
    "waiting": "while workers are idle, and as many tasks wait for another",
}
_PICKED: dict[str, Callable[[list[float]], float]] = {
    "the median": statistics.median,
    "99 % take less": lambda times: sorted(times)[int(0.99 * len(times))],
    "the longest": max,
}
_PAGE: list[tuple[str, dict[str, str]]] = [
    *(("task_list", {"status": status, "upstream_status": upstream}) for status, upstream in _LISTS),
    *(("worker_list", {}), ("resource_list", {})),
]
"""The requests of luigid's page, with all its parts."""

_LUIGID = """
import sys
import tol_luigi
from tol_luigi.cluster.luigid import serve
from tol_luigi.tasks.settings import settings
sys.exit(serve(settings()))
"""


class Load:
    """A luigid in a process of its own, and what it costs.

    Args:
        folder: Where its dataset would be.
        tasks: How many tasks it is given.
        lanes: How many resources they share; none if 0.

    Attributes:
        scheduling: The seconds that giving them took, of luigid's processor time.
    """

    def __init__(self, folder: Path, tasks: int, lanes: int) -> None:
        from tol_luigi.cluster.client import RemoteRunScheduler  # noqa: PLC0415 (after the settings are named)
        from tol_luigi.cluster.run import Run  # noqa: PLC0415

        config = folder / "bench.cfg"
        config.write_text(f"[dataset]\nroot = {folder}\ntag = bench\n", encoding="utf-8")
        self.run = Run(folder / "bench" / "run")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LUIGID],
            env={**os.environ, "LUIGI_CONFIG_PATH": str(config)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.follower = lambda: RemoteRunScheduler(self.run, patience=60)
        self.follower().call("serves")
        before = self.processor_seconds()
        self.add("Sleep", tasks, [], lanes=lanes)
        self.scheduling = self.processor_seconds() - before

    def add(
        self, family: str, tasks: int, deps: list[str], *, lanes: int = 0, status: str = "PENDING"
    ) -> None:
        """Tell luigid of tasks."""
        ask = self.follower()
        with ask.together():
            for number in range(tasks):
                ask.add_task(
                    worker="foreman",
                    task_id=f"{family}_{number}",
                    status=status,
                    runnable=True,
                    family=family,
                    module="bench",
                    params={"number": str(number)},
                    deps=deps,
                    resources={f"fetch_lane_{number % lanes}": 1} if lanes else {},
                )

    def processor_seconds(self) -> float:
        """Tell how much processor time luigid has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def turn(self) -> float:
        """Give the milliseconds of luigid's processor time that a task takes: a worker asks for it, and tells that it is done."""
        ask, before = self.follower(), self.processor_seconds()
        for _ in range(_TURNS):
            answer = ask.get_work(worker="quick", host="quick", assistant=True, current_tasks=[])
            if task := answer["task_id"]:
                ask.add_task(worker="quick", task_id=task, status="DONE", runnable=None, assistant=True)
        return 1000 * (self.processor_seconds() - before) / _TURNS

    def mib(self) -> float:
        """Tell how much memory luigid holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 2**10

    def share(self, seconds: float, wait: Callable[[float], object] = time.sleep) -> float:
        """Give the processor time that luigid takes in a time, as a share of a core in percent."""
        start, before = time.monotonic(), self.processor_seconds()
        wait(seconds)
        return 100 * (self.processor_seconds() - before) / (time.monotonic() - start)


class Workers:
    """Workers that ask for tasks, sleep, and tell that these are done.

    Args:
        load: The luigid.
        count: How many.
        sleep: How long a task takes, in seconds.
        given: The settings: how often to ask, and to ping.
    """

    def __init__(self, load: Load, count: int, sleep: float, given: Any) -> None:  # noqa: ANN401
        self.load, self.sleep, self.given = load, sleep, given
        self.latencies: list[float] = []
        self.stopped = threading.Event()
        names = [f"worker{number}" for number in range(count)]
        self.threads = [
            threading.Thread(target=target, args=(name,))
            for name in names
            for target in (self._ask, self._ping)
        ]
        for thread in self.threads:
            thread.start()

    def _ask(self, name: str) -> None:
        follower, poll = self.load.follower(), self.given.poll_seconds
        self.stopped.wait(random.uniform(0, poll))  # noqa: S311 (as apart as they are in life)
        while not self.stopped.is_set():
            start = time.monotonic()
            answer = follower.get_work(worker=name, host=name, assistant=True, current_tasks=[])
            self.latencies.append(time.monotonic() - start)
            if task := answer["task_id"]:
                self.stopped.wait(self.sleep)
                follower.add_task(worker=name, task_id=task, status="DONE", runnable=None, assistant=True)
            else:
                self.stopped.wait(random.uniform(poll, 2 * poll))  # noqa: S311

    def _ping(self, name: str) -> None:
        follower = self.load.follower()
        self.stopped.wait(random.uniform(0, self.given.ping_seconds))  # noqa: S311
        while not self.stopped.wait(self.given.ping_seconds):
            follower.ping(worker=name)

    def stop(self) -> None:
        """Have all of them end."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def child(tasks: int, workers: int, lanes: int, sleep: float, seconds: float) -> None:
    """Measure one luigid, and print what it costs."""
    from tol_luigi.tasks.run_sections import ClusterSection  # noqa: PLC0415 (as above)

    given = ClusterSection()
    with tempfile.TemporaryDirectory() as name:
        load = Load(Path(name), tasks, lanes)
        try:
            crew = Workers(load, workers, sleep, given)
            ask = load.follower()
            busy = load.share(seconds)
            latencies, crew.latencies = crew.latencies, []
            calls = {
                "turn": load.turn(),
                "status": taken(lambda: ask.call("run_status")),
                "page": taken(lambda: [ask.call(name, **given) for name, given in _PAGE]),
            }
            load.add("Sleep", tasks, [], status="DONE")
            idle = load.share(seconds)
            load.add("Wait", tasks, ["Never"])
            waiting = load.share(seconds)
            crew.stop()
            mib = load.mib()
        finally:
            load.process.terminate()
            load.process.wait()
    figures = {"scheduling": load.scheduling, "busy": busy, "idle": idle, "waiting": waiting, "mib": mib}
    print(json.dumps({**figures, **calls, "latencies": latencies, "idle_latencies": crew.latencies}))


def taken(call: Callable[[], object]) -> float:
    """Tell the milliseconds that a request takes, as the median of several."""
    times = []
    for _ in range(_REPEATED):
        start = time.monotonic()
        call()
        times.append(1000 * (time.monotonic() - start))
    return statistics.median(times)


def measured(*figures: float) -> dict[str, Any]:
    """Measure in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "child", *map(str, figures)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        tasks, workers, lanes = map(int, sys.argv[2:5])
        child(tasks, workers, lanes, *map(float, sys.argv[5:]))
        return
    given = arguments(str(__doc__).splitlines()[0], 1000, repeat=3, workers=64, seconds=60, lanes=0)
    few = max(1, given.workers // 8)
    show_host()
    found = {
        count: [
            measured(given.images, count, given.lanes, _SLEEP * count / given.workers, given.seconds)
            for _ in range(given.repeat)
        ]
        for count in (few, given.workers)
    }
    ended = min(given.workers, given.lanes or given.workers) / _SLEEP
    what = f"{given.images} tasks, at most {ended:.0f} of which end in a second; {given.seconds} s each"

    def table(title: str, unit: str, figure: Callable[[dict[str, Any]], float]) -> None:
        values = {count: [figure(each) for each in runs] for count, runs in found.items()}
        lines = [Row(f"{count} workers", each, values[few]) for count, each in values.items()]
        show(title, what, unit, f"{few} workers", lines)

    for key, title in _SHARES.items():
        table(f"Luigid's processor time {title}", "percent of a core", itemgetter(key))
    table("Luigid's processor time for being given the tasks", "s", itemgetter("scheduling"))
    table("Luigid's processor time for each task that a worker asks for and ends", "ms", itemgetter("turn"))
    table("Luigid's memory in the end", "MiB", itemgetter("mib"))
    table("The status of the run", "ms", itemgetter("status"))
    table("All that luigid's page asks for", "ms", itemgetter("page"))
    for key, when in {"latencies": "while tasks run", "idle_latencies": "while workers are idle"}.items():
        for name, pick in _PICKED.items():
            title = f"How long get_work takes {when}: {name}"
            table(title, "ms", lambda each, key=key, pick=pick: 1000 * pick(each[key]))


if __name__ == "__main__":
    main()
