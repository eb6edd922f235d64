"""What does fetching images by URL cost, and how does it compare with img2dataset?"""

from __future__ import annotations

import asyncio
import csv
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from _image_origin import origins
from _pictures import EOL, INAT21, photograph, photographs
from _table import Row, arguments, show, show_host

from tol_luigi.bench.measure import processor_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SERVERS = [f"127.0.0.{number}" for number in range(2, 10)]
CONNECTIONS = 8
"""The connections to each server."""

FEW = 16
"""The images of the run that is subtracted: what starting takes."""

_PROCESSES = os.cpu_count() or 1
"""The processes of both programs."""

SIDE, QUALITY = 1024, 95

OTHER = "IMG2DATASET_PYTHON"
"""The environment variable with the path of a Python that has img2dataset, in an environment of its own."""

_TABLE = """
[dataset]
root = {folder}
tag = built
[table]
images = {folder}/urls.csv
partitions = {partitions}
[fetch]
contact = me@example.org
connections = {connections}
requests_per_second = 1000
private_networks = 127.0.0.0/8
store = {store}
resized_size = {side}
resized_quality = {quality}
"""

_IMG2DATASET = """
from img2dataset import download
if __name__ == "__main__":
    download(
        url_list={urls!r}, input_format="csv", url_col="url", output_folder={folder!r}, output_format="webdataset",
        processes_count={processes}, thread_count={threads}, number_sample_per_shard={shard},
        image_size={side}, resize_mode={mode!r}, resize_only_if_bigger=True, skip_reencode=True, encode_quality={quality},
    )
"""


class Case(NamedTuple):
    """What is fetched, and how it is stored: the images, how many, and ``[fetch] store``."""

    title: str
    images: list[bytes]
    count: int
    store: str


class Taken(NamedTuple):
    """What a run takes: seconds of the processor, and by the clock."""

    processor: float
    clock: float


def fetched(urls: Path, case: Case) -> list[str]:
    """Return the command that fetches with this project, in as many workers as there are cores."""
    text = _TABLE.format(
        folder=urls.parent,
        partitions=_PROCESSES,
        connections=CONNECTIONS,
        store=case.store,
        side=SIDE,
        quality=QUALITY,
    )
    (urls.parent / "bench.cfg").write_text(text, encoding="utf-8")
    return [sys.executable, __file__, "fetch", str(urls.parent / "bench.cfg")]


def by_img2dataset(urls: Path, case: Case, count: int) -> list[str]:
    """Return the command that fetches with img2dataset, in as many processes as there are cores."""
    program = _IMG2DATASET.format(
        urls=str(urls),
        folder=str(urls.parent / "img2dataset"),
        processes=_PROCESSES,
        threads=CONNECTIONS * len(SERVERS) // _PROCESSES,
        shard=-(-count // _PROCESSES),
        side=SIDE,
        quality=QUALITY,
        mode="keep_ratio_largest" if case.store == "resized" else "no",
    )
    path = urls.parent / "by_img2dataset.py"
    path.write_text(program, encoding="utf-8")
    return [os.environ[OTHER], str(path)]


def taken(command: Sequence[str]) -> Taken:
    """Run a command to its end."""
    clock, processor = time.monotonic(), processor_seconds()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"},
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}{command[0]} ended with {done.returncode}")
    return Taken(processor_seconds() - processor, time.monotonic() - clock)


def per_image(command: Callable[[Path, int], list[str]], servers: list[str], count: int) -> Taken:
    """Return what an image takes, without what starting takes."""
    found = []
    for number in (FEW, count):
        with tempfile.TemporaryDirectory() as name:
            urls = Path(name) / "urls.csv"
            with urls.open("w", newline="", encoding="utf-8") as file:
                lines = csv.writer(file)
                lines.writerow(["url", "species"])
                pairs = zip(itertools.cycle(servers), range(number), strict=False)
                lines.writerows([f"{server}/{one}.jpg", "Apis mellifera"] for server, one in pairs)
            found.append(taken(command(urls, number)))
    few, many = found
    return Taken(*((more - less) / (count - FEW) for less, more in zip(few, many, strict=True)))


def variants(case: Case) -> dict[str, Callable[[Path, int], list[str]]]:
    """Return the commands to compare, by name."""
    made: dict[str, Callable[[Path, int], list[str]]] = {
        "aiohttp alone": lambda urls, _: [sys.executable, __file__, "alone", str(urls)],
        "FetchPartition": lambda urls, _: fetched(urls, case),
    }
    if OTHER in os.environ:
        made["img2dataset"] = lambda urls, count: by_img2dataset(urls, case, count)
    return made


def compare(case: Case, repeat: int) -> None:
    """Print the table of a case."""
    found: dict[str, list[Taken]] = {name: [] for name in variants(case)}
    with tempfile.TemporaryDirectory() as folder, origins(case.images, SERVERS, Path(folder)) as servers:
        for _ in range(repeat):
            for name, command in variants(case).items():
                found[name].append(per_image(command, servers, case.count))
    baseline = "img2dataset" if "img2dataset" in found else "aiohttp alone"
    base = [1000 * one.processor for one in found[baseline]]
    rows = []
    for name, runs in found.items():
        rates = sorted(1 / one.clock for one in runs)
        values = [1000 * one.processor for one in runs]
        rows.append(Row(name, values, base, f"{rates[len(rates) // 2]:.0f} images per second"))
    show(case.title, f"{case.count} images", "ms of processor time per image", baseline, rows)


def fetch(config: str) -> int:
    """Fetch what the settings say; return the exit status."""
    os.environ["LUIGI_CONFIG_PATH"] = config
    import luigi  # noqa: PLC0415 (it reads the settings)

    from tol_luigi.tasks.urls import FetchPartition  # noqa: PLC0415 (as above)

    tasks = [FetchPartition(source="table", partition=f"{number:05d}") for number in range(_PROCESSES)]
    return 0 if luigi.build(tasks, workers=_PROCESSES, local_scheduler=True, log_level="WARNING") else 1


async def alone(urls: Path) -> None:
    """Request all URLs with as many connections, and drop what is received."""
    import aiohttp  # noqa: PLC0415 (only here)

    with urls.open(encoding="utf-8") as file:
        left = [row["url"] for row in csv.DictReader(file)]

    async def work(session: aiohttp.ClientSession) -> None:
        while left:
            async with session.get(left.pop()) as response:
                await response.read()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS * len(SERVERS)):
            group.create_task(work(session))


def main() -> None:
    """Print the tables."""
    match sys.argv[1:]:
        case ["fetch", config]:
            sys.exit(fetch(config))
        case ["alone", urls]:
            asyncio.run(alone(Path(urls)))
            return
    given = arguments(
        f"{__doc__} --images is the number of large ones; of small ones, ten times as many are fetched; --cases is how many of the four kinds are. "
        f"The environment variable {OTHER} names a Python with img2dataset.",
        400,
        repeat=3,
        cases=4,
    )
    show_host()
    count, shared = given.images, given.shared
    small, large = photographs(INAT21, min(24, count), shared), photographs(EOL, min(24, count), shared)
    largest = [photograph((4032, 3024), number, shared) for number in range(min(4, count // 2))]
    cases = [
        Case("500 pixels, as received", small, 10 * count, "original"),
        Case(f"500 pixels, at most {SIDE} pixels", small, 10 * count, "resized"),
        Case(f"2 to 4 megapixels, at most {SIDE} pixels", large, count, "resized"),
        Case(f"12 megapixels, at most {SIDE} pixels", largest, count // 2, "resized"),
    ]
    for case in cases[: given.cases]:
        compare(case, given.repeat)


if __name__ == "__main__":
    main()
