"""Record the picture of docs/cluster.md: luigid's page in a browser, during a build of the demonstration.

    python docs/luigid_picture.py

The parts of the run are processes on this machine, as without Slurm. They stop when the picture has been taken.
"""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from report_pictures import ARGUMENTS, COLOURS, PICTURES, WIDTH
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tol_luigi.cluster.client import Scheduler
from tol_luigi.cluster.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARTS = ("luigid", "foreman", "worker", "worker")
SETTINGS = "[dataset]\nroot = build\ntag = dev\n"
STAGE = "WriteShards"
"""The stage that is at work in the picture."""

PAGE = "static/visualiser/index.html#tab=tasks&order=0%2Cdesc"
HEIGHT, MOST_SECONDS = 800, 120.0
HOME = "/home/ana"
SHOWN = "for (const cell of document.querySelectorAll('td')) cell.innerHTML = cell.innerHTML.replace(arguments[0], arguments[1])"
"""Shows another folder than the temporary one."""


@contextlib.contextmanager
def started(folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the parts of a run, and end them."""
    (folder / "run.cfg").write_text(SETTINGS, encoding="utf-8")
    tol, parts = Path(sys.executable).with_name("tol"), list[subprocess.Popen[bytes]]()
    try:
        for part in PARTS:
            command = [tol, part, "--config", "run.cfg"]
            with (folder / f"{part}.log").open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 (a command of this program)
                    command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            parts.append(process)
            wait_for(lambda: run_of(folder).read_address() is not None)
        yield parts
    finally:
        for process in reversed(parts):
            process.kill()  # also one that has been stopped
            process.wait()


def run_of(folder: Path) -> Run:
    """Return the run of the build in a folder."""
    return Run(folder / "build" / "dev" / "run")


def wait_for(is_true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + MOST_SECONDS
    while not is_true():
        if time.monotonic() > end:
            raise SystemExit("The build is not at work. Record again.")
        time.sleep(0.02)


def record(run: Run, folder: Path) -> bytes:
    """Return what the page shows as PNG."""
    address = run.read_address()
    if address is None:
        raise SystemExit("luigid has ended.")
    password = run.password.read_text(encoding="utf-8").strip()
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ARGUMENTS:
        options.add_argument(f"--{argument}")
    with webdriver.Chrome(options, Service("/usr/bin/chromedriver")) as driver:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(f"http://tol:{password}@{address.host}:{address.port}/{PAGE}")
        wait_for(lambda: STAGE in driver.find_element(By.ID, "taskTable").text)
        driver.execute_script(SHOWN, str(folder), HOME)
        return driver.get_screenshot_as_png()


def main() -> None:
    """Build, stop the workers where they are, and write the picture."""
    with tempfile.TemporaryDirectory() as name, started(folder := Path(name)) as parts:
        run = run_of(folder)
        scheduler = Scheduler(run, patience=MOST_SECONDS)
        wait_for(lambda: [task.family for task in scheduler.status().running].count(STAGE) > 1)
        for process in parts[-2:]:
            process.send_signal(signal.SIGSTOP)
        shown = record(run, folder)
    target = PICTURES / "luigid.png"
    with Image.open(io.BytesIO(shown)) as image:
        image.convert("RGB").quantize(COLOURS).save(target, optimize=True)
    sys.stdout.write(f"{target.name}: {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
