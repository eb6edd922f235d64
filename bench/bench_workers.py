"""With two free cores, how much sooner are two workers done than one, or one worker with two threads?"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from _pictures import EOL, INAT21, photographs
from _table import Row, arguments, in_a_process, show, show_host
from PIL import Image

from tol_luigi.bench.measure import measured

PARTITIONS = 8
SHARES = {INAT21: 1, EOL: 20}
"""Of so many images one is a large photograph, so that each kind takes about as long."""

WORKERS = {"1 worker": (1, 1), "2 workers": (2, 1), "1 worker, 2 threads": (1, 2)}
"""Workers and threads of each."""

COPIED, COPIES = 128 << 20, 8
"""Bytes, and how many times they are copied."""


def child(what: str, *numbers: str) -> None:
    """Plan, or write the shards with so many workers and threads and print how long that took."""
    import _builds  # noqa: PLC0415 (it reads the settings that the environment names)

    if what == "plan":
        _builds.plan()
        print(0)
        return
    workers, threads = map(int, numbers)
    start = time.monotonic()
    _builds.write(workers, threads=threads)
    print(time.monotonic() - start)


def decode(pictures: list[bytes]) -> None:
    """Decode pictures, and nothing else."""
    for content in pictures:
        with Image.open(io.BytesIO(content)) as image:
            image.load()


def copy(times: int) -> None:
    """Copy memory that no cache holds."""
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    for _ in range(times):
        np.copyto(target, source)


def show_machine(pictures: list[bytes], repeat: int) -> None:
    """Print what two processes gain that only decode, or only copy memory: more than that is not to be had."""
    with ProcessPoolExecutor(2) as pool:
        halves = [pictures[::2], pictures[1::2]]
        variants = {
            "decode, 1 process": lambda: list(pool.map(decode, [pictures])),
            "decode, 2 processes": lambda: list(pool.map(decode, halves)),
            "copy, 1 process": lambda: list(pool.map(copy, [COPIES])),
            "copy, 2 processes": lambda: list(pool.map(copy, [COPIES // 2] * 2)),
        }
        taken = measured(variants, repeat, time.monotonic)
    rows = [
        Row(name, seconds, taken[f"{name.split(',')[0]}, 1 process"], _rate(name, min(seconds)))
        for name, seconds in taken.items()
    ]
    what = f"{len(pictures)} images; {COPIES} copies of {COPIED >> 20} MiB"
    show("What does the machine allow?", what, "s by the wall clock", "one process", rows)


def _rate(name: str, seconds: float) -> str:
    return f"{COPIES * COPIED / seconds / 1e9:.1f} GB/s, read and written" if name.startswith("copy") else ""


def show_workers(kind: str, pictures: list[bytes], repeat: int) -> None:
    """Print what two workers and two threads gain."""
    from _builds import configured  # noqa: PLC0415 (as above)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = configured(folder, pictures, PARTITIONS)
        in_a_process(__file__, "child", "plan", LUIGI_CONFIG_PATH=str(config))
        taken: dict[str, list[float]] = {variant: [] for variant in WORKERS}
        for _ in range(repeat):
            for variant, numbers in WORKERS.items():
                shutil.rmtree(folder / "built" / "224x224", ignore_errors=True)
                command = (__file__, "child", "write", *map(str, numbers))
                taken[variant] += in_a_process(*command, LUIGI_CONFIG_PATH=str(config))
    rows = [Row(variant, seconds, taken["1 worker"]) for variant, seconds in taken.items()]
    what = f"{len(pictures)} images of {kind} in {PARTITIONS} partitions"
    show(str(__doc__), what, "s by the wall clock, for all WriteShards", "one worker", rows)


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:])
        return
    given = arguments(str(__doc__), 6400, repeat=2)
    show_host()
    for kind, share in SHARES.items():
        pictures = photographs(kind, max(1, given.images // share), given.shared)
        show_machine(pictures, given.repeat)
        show_workers(kind, pictures, given.repeat)


if __name__ == "__main__":
    main()
