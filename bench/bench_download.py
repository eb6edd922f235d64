"""How fast is a file fetched from a server on the same machine, and how much memory does that take?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _table import Row, arguments, in_a_process, peak_mib, show, show_host

from tol_luigi.downloads.catalogue import Remote
from tol_luigi.downloads.origins import HttpConfig
from tol_luigi.downloads.transfer import FetchConfig, fetch

BLOCK = 1 << 23


def child(url: str, folder: str, connections: str) -> None:
    """Fetch, and print the seconds, those until the last byte has come, and the MiB that it took at the most."""
    before = peak_mib()
    start = time.monotonic()
    path = Path(folder)
    remote = Remote("eol", "file", url, path / "file")
    config = FetchConfig(http=HttpConfig(), connections=int(connections))
    came: list[float] = [0]

    def tell(_: int) -> None:
        came[0] = time.monotonic() - start

    fetch(remote, path / "sources.lock", config, tell)
    print(time.monotonic() - start, came[0], peak_mib() - before)


def timed(*command: str) -> float:
    """Run a program."""
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def others(url: str, folder: Path) -> dict[str, list[str]]:
    """Give the commands of the programs that are there, by what they do."""
    found = {}
    if curl := shutil.which("curl"):
        found["curl"] = [curl, "-s", "-o", str(folder / "file"), url]
        both = f"{curl} -s -o {folder / 'file'} {url} && sha256sum {folder / 'file'}"
        found["curl, then sha256sum"] = ["sh", "-c", both]
    if aria := shutil.which("aria2c"):
        plain = [
            "-q",
            "--file-allocation=none",
            "--allow-overwrite=true",
            "-d",
            str(folder),
            "-o",
            "file",
            url,
        ]
        found["aria2c, 1 connection"] = [aria, *plain]
        found["aria2c, 4 connections"] = [aria, "-x4", "-s4", "-k1M", *plain]
    return found


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:])
        return
    given = arguments(str(__doc__), 64, repeat=3)
    show_host()
    # in memory where that can be had: this asks for the transfer, not for the disk
    memory_disk = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)
    with tempfile.TemporaryDirectory(dir=memory_disk if memory_disk.is_dir() else None) as name:
        folder = Path(name)
        sizes = {"whole": given.images * BLOCK, "quarter": given.images * BLOCK // 4}
        taken: dict[str, list[float]] = {}
        memory: dict[str, list[float]] = {}
        for which, size in sizes.items():
            content = folder / which
            with content.open("wb") as file:
                for _ in range(size // (1 << 20)):
                    file.write(bytes(1 << 20))
            server = Path(__file__).with_name("_site.py")
            with subprocess.Popen(
                [sys.executable, server, content], stdout=subprocess.PIPE, text=True
            ) as site:
                try:
                    assert site.stdout is not None  # noqa: S101 (for the type checker)
                    url = f"http://127.0.0.1:{site.stdout.readline().strip()}/file"
                    measure(url, folder, which, given.repeat, taken, memory)
                finally:
                    site.terminate()
            content.unlink()
        size = sizes["whole"] / 1e6
    speeds = {what: [size / seconds for seconds in runs] for what, runs in taken.items()}
    programs = [what for what in speeds if not what.startswith("ours")]
    best = max(
        programs, key=lambda what: sorted(speeds[what])[len(speeds[what]) // 2], default="ours, 1 connection"
    )
    rows = [Row(what, runs, speeds[best]) for what, runs in speeds.items()]
    show(
        str(__doc__),
        f"a file of {size:,.0f} MB",
        "MB/s by the wall clock; ours with SHA-256",
        best,
        rows,
    )
    rows = [Row(what, runs, memory["quarter"]) for what, runs in memory.items()]
    show("Does memory grow with the file?", "one file", "MiB above the start", "a quarter of the file", rows)


def measure(  # noqa: PLR0917 (a step of main)
    url: str,
    folder: Path,
    which: str,
    repeat: int,
    taken: dict[str, list[float]],
    memory: dict[str, list[float]],
) -> None:
    """Fetch with everything in turn."""
    target = folder / "there"
    variants = [*others(url, target), "ours, 1 connection", "ours, 4 connections"]
    for _ in range(repeat):
        for what in variants:
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            if what.startswith("ours"):
                connections = what.split()[1]
                seconds, until_last, peak = in_a_process(__file__, "child", url, str(target), connections)
                if which == "whole":
                    taken.setdefault(f"{what}, until the last byte", []).append(until_last)
                if connections == "4":
                    memory.setdefault(which, []).append(peak)
            elif which == "whole":
                seconds = timed(*others(url, target)[what])
            if which == "whole":
                taken.setdefault(what, []).append(seconds)


if __name__ == "__main__":
    main()
