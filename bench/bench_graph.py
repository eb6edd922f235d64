"""What does the graph cost, apart from the work in its tasks, and how does that grow with their number?"""

from __future__ import annotations

import contextlib
import functools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import luigi
import luigi.scheduler
import luigi.worker
from _table import Row, arguments, in_a_process, show, show_host
from PIL import Image

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.bench.pictures import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

OTHERS, TO_A_PARTITION = 12, 6
"""The tasks of a dataset: ``WriteShards`` and ``CheckShards`` of three splits for each partition, and others."""

STEPS = (8, 4, 2, 1)
SIDE = 32
NOWHERE = "nowhere"

DRAWN_UP = {
    "done": "when all of it is done",
    "lacking": "when a shard of a finished dataset is gone",
    "begun": "when nothing is done",
}
"""What there is when luigi draws up the graph: it asks every task that it comes across whether it is complete."""

BUILT = "built"


class Bare(luigi.Task):
    """A task that has one file."""

    folder: str = luigi.Parameter()
    number: int = luigi.IntParameter()

    def output(self) -> luigi.LocalTarget:
        """The file."""
        return luigi.LocalTarget(f"{self.folder}/{self.number}")

    def run(self) -> None:
        """Make it."""
        Path(self.output().path).touch()


class BareRoot(luigi.WrapperTask):
    """The root of so many tasks."""

    folder: str = luigi.Parameter()
    count: int = luigi.IntParameter()

    def requires(self) -> list[Bare]:
        """Have all of them."""
        return [Bare(folder=self.folder, number=number) for number in range(self.count)]


class Work:
    """The processor time that tasks take in ``run``.

    Attributes:
        seconds: All of it so far.
    """

    def __init__(self, families: Iterable[type[luigi.Task]]) -> None:
        self.seconds = 0.0
        for family in families:
            family.run = self._timed(family.run)

    def _timed(self, run: Callable[[luigi.Task], None]) -> Callable[[luigi.Task], None]:
        @functools.wraps(run)
        def timed(task: luigi.Task) -> None:
            start = processor_seconds()
            run(task)
            self.seconds += processor_seconds() - start

        return timed


def child(what: str, root: Callable[[], luigi.Task], families: Iterable[type[luigi.Task]]) -> None:
    """Do what is asked with a graph, and print the seconds that it took, without the work in its tasks."""
    work, start = Work(families), processor_seconds()
    if what == BUILT:
        if not luigi.build([root()], workers=1, local_scheduler=True, log_level="WARNING"):
            raise SystemExit(1)
    else:
        luigi.worker.Worker(scheduler=luigi.scheduler.Scheduler()).add(root())
    print(processor_seconds() - start - work.seconds)


class Graph:
    """A dataset of so many tasks, and as many bare ones.

    Args:
        folder: Where everything goes.
        partitions: How many the dataset has.

    Attributes:
        ours: The seconds of each run, by what was measured.
        bare: The same, of the bare tasks.
    """

    def __init__(self, folder: Path, partitions: int) -> None:
        from _builds import configured  # noqa: PLC0415 (it reads the settings, too)

        folder.mkdir()
        self.folder, self.tasks = folder, OTHERS + TO_A_PARTITION * partitions
        self.ours: dict[str, list[float]] = {what: [] for what in (*DRAWN_UP, BUILT)}
        self.bare: dict[str, list[float]] = {what: [] for what in self.ours}
        pictures = (jpeg(Image.new("RGB", (SIDE, SIDE), number)) for number in range(2 * partitions))
        self.config, self.begun = configured(folder, pictures, partitions), folder / "begun.cfg"
        text = f"{self.config.read_text(encoding='utf-8')}[images]\nwidth = {SIDE}\nheight = {SIDE}\n"
        self.config.write_text(text, encoding="utf-8")
        self.begun.write_text(text.replace("tag = built\n", "tag = begun\n"), encoding="utf-8")
        self.files = folder / "files"
        self.files.mkdir()

    def build(self) -> None:
        """Build both from end to end."""
        self.ours[BUILT] += self._of_ours(BUILT, self.config)
        self.bare[BUILT] += self._of_bare(BUILT, self.files)

    def draw_up(self) -> None:
        """Have both drawn up in each of the states, in turn."""
        self.ours["done"] += self._of_ours("drawn up", self.config)
        self.bare["done"] += self._of_bare("drawn up", self.files)
        with self._lacking(max((self.folder / "built" / f"{SIDE}x{SIDE}" / "train").iterdir())):
            self.ours["lacking"] += self._of_ours("drawn up", self.config)
        with self._lacking(self.files / "0"):
            self.bare["lacking"] += self._of_bare("drawn up", self.files)
        self.ours["begun"] += self._of_ours("drawn up", self.begun)
        self.bare["begun"] += self._of_bare("drawn up", NOWHERE)

    @contextlib.contextmanager
    def _lacking(self, path: Path) -> Iterator[None]:
        aside = path.rename(self.folder / "aside")
        yield
        aside.rename(path)

    @staticmethod
    def _of_ours(what: str, config: Path) -> list[float]:
        return in_a_process(__file__, "child", what, LUIGI_CONFIG_PATH=str(config))

    def _of_bare(self, what: str, files: Path | str) -> list[float]:
        return in_a_process(__file__, "child", what, str(files), str(self.tasks - 1))


def rows(graphs: list[Graph], what: str) -> list[Row]:
    """Make a line for each number of tasks, of this graph and of the bare one."""
    made = []
    for graph in graphs:
        ours, bare = ([1000 * each / graph.tasks for each in of[what]] for of in (graph.ours, graph.bare))
        made += [Row(f"{graph.tasks:,} tasks", ours, bare, f"{min(graph.ours[what]):.2f} s in all")]
        made += [Row(f"{graph.tasks:,} bare tasks", bare, bare, f"{min(graph.bare[what]):.2f} s in all")]
    return made


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        _, _, what, *bare = sys.argv
        if bare:
            if bare[2:]:  # with the scheduler of this package
                import tol_luigi.tasks  # noqa: F401, PLC0415 (replaces Luigi's)
            child(what, functools.partial(BareRoot, bare[0], int(bare[1])), [Bare, BareRoot])
            return
        from tol_luigi.tasks import public  # noqa: PLC0415 (only a child needs it)

        child(what, public.BuildCatalog, [getattr(public, name) for name in public.__all__])
        return
    given = arguments(f"{__doc__} --images is the number of tasks.", 2000, repeat=3)
    show_host()
    counts = sorted({max(1, (given.images // step - OTHERS) // TO_A_PARTITION) for step in STEPS})
    with tempfile.TemporaryDirectory() as name:
        graphs = [Graph(Path(name) / str(partitions), partitions) for partitions in counts]
        for graph in graphs:
            graph.build()
        for _ in range(given.repeat):
            for graph in graphs:
                graph.draw_up()
    unit = "s of processor time for 1,000 tasks"
    baseline = "as many tasks with one file each"
    for what, when in DRAWN_UP.items():
        show(f"The graph drawn up {when}", "as in the lines", unit, baseline, rows(graphs, what))
    title = (
        "A build from end to end with the embedded scheduler and one worker, without the work in its tasks"
    )
    show(title, "as in the lines", unit, baseline, rows(graphs, BUILT))


if __name__ == "__main__":
    main()
