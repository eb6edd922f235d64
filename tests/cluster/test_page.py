"""Luigid's page in a real browser, during a build, under a password."""

from __future__ import annotations

import contextlib
import os
import signal
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from PIL import Image
from processes import QUICK, Crew
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import (
    element_to_be_clickable,
    text_to_be_present_in_element,
)
from selenium.webdriver.support.ui import WebDriverWait

from tol_luigi.cluster.client import RemoteRunScheduler
from tol_luigi.core.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Sections
    from selenium import webdriver
    from selenium.webdriver.remote.webelement import WebElement

PAGE_SECONDS = 30

TASKS = """
import time
from pathlib import Path
import luigi

HERE = Path(__file__).parent

class Half(luigi.Task):
    name = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(HERE / f"{self.name}.made")
    def run(self):
        print("halfway")
        self.set_status_message("21 of 42 images in 5 s, 4 a second")
        self.set_progress_percentage(50)
        while not (HERE / "go").exists():
            time.sleep(0.05)
        Path(self.output().path).touch()

class Root(luigi.WrapperTask):
    def requires(self):
        return Half(name="half")
"""


def wait_for(driver: webdriver.Chrome, selector: str, text: str) -> None:
    WebDriverWait(driver, PAGE_SECONDS).until(
        text_to_be_present_in_element((By.CSS_SELECTOR, selector), text), f"{selector} does not show {text!r}"
    )


def test_the_page_shows_running_tasks_under_a_password(tmp_path: Path, chromium: webdriver.Chrome) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        crew.start("luigid")
        foreman = crew.start("foreman")
        crew.start("worker")
        crew.wait_for(lambda: [task for task in crew.status().running if task.percentage])
        address = crew.run.read_address()
        assert address is not None
        place = f"static/visualiser/index.html#{urlencode({'tab': 'tasks', 'family': 'Half'})}"

        chromium.get(f"http://tol:wrong@{address.host}:{address.port}/{place}")
        assert "Half" not in chromium.page_source

        password = crew.run.password.read_text(encoding="utf-8").strip()
        chromium.get(f"http://tol:{password}@{address.host}:{address.port}/{place}")
        wait_for(chromium, "#taskTable tbody", "half")
        row = chromium.find_element(By.CSS_SELECTOR, "#taskTable tbody tr")
        cells = [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
        assert cells[:2] == ["RUNNING", "Half"]
        chromium.save_screenshot(str(tmp_path / "running.png"))
        row.find_element(By.CSS_SELECTOR, "button.statusMessage").click()
        wait_for(chromium, "#statusMessageModal pre", "21 of 42 images in 5 s, 4 a second")
        wait_for(chromium, "#statusMessageModal .progress-bar", "50%")

        link = row.find_element(By.CSS_SELECTOR, "a[href*='/logs/']").get_attribute("href")
        chromium.get(str(link))
        wait_for(chromium, "body", "halfway")

        chromium.get(f"http://{address.host}:{address.port}/static/visualiser/index.html#tab=workers")
        wait_for(chromium, ".taskProgressBar", "50%")
        chromium.save_screenshot(str(tmp_path / "workers.png"))

        (tmp_path / "go").touch()
        assert crew.end_of(foreman) == 0, crew.output()


BUILD = """
import time
from pathlib import Path
import luigi
from tol_luigi.core.errors import ArchiveError
from tol_luigi.tasks import progress
from tol_luigi.tasks.base import DatasetTask

HERE = Path(__file__).parent
progress._REPORT_SECONDS = 0.1

class Stage(DatasetTask):
    def output(self):
        return luigi.LocalTarget(HERE / f"{self.task_family}.made")

class Counting(Stage):
    def run(self):
        with self.progress("images", 42) as reach:
            while not (HERE / "go").exists():
                reach(21)
                time.sleep(0.05)
        Path(self.output().path).touch()

class Damaged(Stage):
    def run(self):
        raise ArchiveError("/data/image_set_07.tar.gz", "is incomplete or damaged: it ends too early", "Fetch it again")

class Root(luigi.WrapperTask):
    def requires(self):
        return [Counting(), Damaged()]
"""


def test_the_page_shows_causes_of_failures_and_images_done(
    tmp_path: Path, chromium: webdriver.Chrome
) -> None:
    with Crew(tmp_path, tasks=BUILD) as crew:
        crew.start("luigid")
        foreman = crew.start("foreman")
        for _ in range(2):
            crew.start("worker")
        address = crew.wait_for(crew.run.read_address)
        crew.wait_for(
            lambda: crew.status().failures and [task for task in crew.status().running if task.percentage]
        )
        page = f"http://tol:{crew.run.read_password()}@{address.host}:{address.port}/static/visualiser/index.html"

        chromium.get("about:blank")
        chromium.get(f"{page}#{urlencode({'tab': 'tasks', 'family': 'Damaged'})}")
        for box, count in {"FAILED": "1", "UPSTREAM_FAILED": "1", "DISABLED": "0", "RUNNING": "1"}.items():
            wait_for(chromium, f"#{box}_info .info-box-number", count)
        wait_for(chromium, "#taskTable tbody", "Damaged")
        row = chromium.find_element(By.CSS_SELECTOR, "#taskTable tbody tr")
        assert [cell.text for cell in row.find_elements(By.TAG_NAME, "td")][:2] == ["FAILED", "Damaged"]
        row.find_element(By.CSS_SELECTOR, "button.showError").click()
        cause = "/data/image_set_07.tar.gz: is incomplete or damaged: it ends too early. Fetch it again."
        wait_for(chromium, "#errorModal", cause)
        chromium.save_screenshot(str(tmp_path / "failed.png"))

        chromium.get("about:blank")
        chromium.get(f"{page}#{urlencode({'tab': 'tasks', 'family': 'Counting'})}")
        wait_for(chromium, "#taskTable tbody", "Counting")
        chromium.find_element(By.CSS_SELECTOR, "#taskTable tbody button.statusMessage").click()
        wait_for(chromium, "#statusMessageModal pre", "21 of 42 images in ")
        wait_for(chromium, "#statusMessageModal .progress-bar", "50%")

        (tmp_path / "go").touch()
        assert crew.end_of(foreman) == 30, crew.output()


SPECIES = ("Corvus_corax", "Apis_mellifera")
COPIES = 4_000
"""Far more images than are packed in the five seconds before the first report of progress."""


def photographs(folder: Path) -> Sections:
    """Draw two collections, one of them with files that are no images; returns the sections of both."""
    sections: Sections = {"dataset": {"val_percent": 0, "train_small_percent": 0}}
    for name, size in (("whole", (2400, 1600)), ("broken", None)):
        first = folder / name / SPECIES[0] / "0.jpg"
        first.parent.mkdir(parents=True)
        if size:
            Image.linear_gradient("L").resize(size).convert("RGB").save(first)
        else:
            first.write_bytes(b"no image")
        for number in range(1, COPIES if size else 4):
            copy = folder / name / SPECIES[number % 2] / f"{number}.jpg"
            copy.parent.mkdir(exist_ok=True)
            copy.hardlink_to(first)
        sections[f"imagefolder:{name}"] = {"images": folder / name, "partitions": 1}
    return sections


def row_in_state(driver: webdriver.Chrome, page: str, state: str) -> WebElement:
    """Open a page of tasks, and return the row of the first task in a state."""
    driver.get("about:blank")
    driver.get(page)
    wait_for(driver, "#taskTable tbody", state)
    rows = driver.find_elements(By.CSS_SELECTOR, "#taskTable tbody tr")
    return next(row for row in rows if row.text.startswith(f"{state} "))


def test_the_page_shows_a_real_build_at_work_and_its_failure(
    tmp_path: Path, chromium: webdriver.Chrome
) -> None:
    patient = {"cluster": {**QUICK, "lost_seconds": 600}}
    with Crew(tmp_path, {**photographs(tmp_path), **patient}) as crew:
        crew.start("luigid")
        crew.start("foreman")
        workers = [crew.start("worker") for _ in range(2)]
        address = crew.wait_for(crew.run.read_address)
        crew.wait_for(
            lambda: crew.status().failures and [task for task in crew.status().running if task.percentage]
        )
        for worker in workers:  # so that the page can be looked at for any time
            os.killpg(worker.pid, signal.SIGSTOP)
        page = f"http://tol:{crew.run.read_password()}@{address.host}:{address.port}/static/visualiser/index.html"

        shards = f"{page}#{urlencode({'tab': 'tasks', 'family': 'WriteShards'})}"
        row_in_state(chromium, shards, "RUNNING").find_element(By.CSS_SELECTOR, ".statusMessage").click()
        wait_for(chromium, "#statusMessageModal pre", f" of {COPIES:,} images in ")
        wait_for(chromium, "#statusMessageModal .progress-bar", "%")

        failed = row_in_state(chromium, shards, "FAILED")
        assert "source=imagefolder-broken" in failed.text
        failed.find_element(By.CSS_SELECTOR, ".showError").click()
        wait_for(chromium, "#errorModal", "4 of 4 images are broken, the first one: ")


HOSTILE = "'><img src=x onerror=document.title='run'>"
HARMLESS = "Half"
GRAPHS = {
    "svg": ("#graphPlaceholder .graph-node-a", ".popover-title"),
    "d3": ("#mysvg g.node", ".tipsy-inner"),
}
"""The two ways to draw the graph: its nodes, and what is shown over them."""
SLOW = {"cluster": {"lost_seconds": 600}}


def say_hostile_things(crew: Crew) -> str:
    """Report tasks that bear HTML wherever there is a text, and a script for a link; gives the id of one that runs."""
    follower = RemoteRunScheduler(crew.run, patience=20)
    worker = f"node:{HOSTILE}"
    follower.add_worker(worker=worker, info={"workers": 1, "first_task": f"Root_{HOSTILE}"})
    for family, name in ((HARMLESS, "Half_1"), (HOSTILE, f"{HOSTILE}_2")):
        follower.add_task(
            task_id=name,
            worker=worker,
            status="PENDING",
            family=family,
            module=HOSTILE,
            params={HOSTILE: HOSTILE},
            resources={HOSTILE: 1} if family == HOSTILE else {},
            deps=["Half_3", f"{HOSTILE}_2", f"{HOSTILE}(unknown)"] if family == HARMLESS else [],
            accepts_messages=True,
        )
    running = str(follower.get_work(worker=worker, host=HOSTILE)["task_id"])
    follower.add_task(task_id="Half_3", worker=worker, family=HARMLESS, status=HOSTILE)
    with contextlib.suppress(ClusterError):  # luigid cannot compare it, but keeps it
        follower.add_task(task_id="Half_4", worker=worker, family=HARMLESS, priority=HOSTILE)
    follower.set_task_status_message(task_id=running, status_message=HOSTILE)
    follower.set_task_progress_percentage(task_id=running, progress_percentage=50)
    follower.add_task(
        task_id=running,
        worker=worker,
        status="RUNNING",
        family=HOSTILE,
        tracking_url="javascript:document.title='run'",
        accepts_messages=True,
    )
    return running


def answer(crew: Crew, task_id: str) -> None:
    """Answer the message that the page has sent to a task."""
    follower = RemoteRunScheduler(crew.run, patience=20)
    (message,) = crew.wait_for(lambda: follower.ping(f"node:{HOSTILE}")["rpc_messages"])
    follower.add_scheduler_message_response(
        task_id=task_id, message_id=message["kwargs"]["message_id"], response=HOSTILE
    )


def shows_over_a_node(driver: webdriver.Chrome, nodes: str, tip: str, text: str) -> bool:
    """Go from node to node until one shows a text; the page may be drawing the graph once more."""
    with contextlib.suppress(StaleElementReferenceException):
        for node in driver.find_elements(By.CSS_SELECTOR, nodes):
            ActionChains(driver).move_to_element(node).pause(0.3).perform()
            if any(text in shown.text for shown in driver.find_elements(By.CSS_SELECTOR, tip)):
                return True
    return False


def nothing_has_come_in(driver: webdriver.Chrome) -> bool:
    """Whether all that was reported is text: no element of it is on the page, and no script of it has run."""
    found = driver.find_elements(By.CSS_SELECTOR, "img[src='x'], [onerror], a[href^='javascript']")
    return not found and driver.title == "Luigi Task Visualiser"


def test_what_tasks_say_stays_text(tmp_path: Path, chromium: webdriver.Chrome) -> None:
    with Crew(tmp_path, SLOW) as crew:
        crew.start("luigid")
        address = crew.wait_for(crew.run.read_address)
        running = say_hostile_things(crew)
        page = f"http://tol:{crew.run.read_password()}@{address.host}:{address.port}/static/visualiser/index.html"

        chromium.get(f"{page}#tab=tasks")
        wait_for(chromium, "#taskTable tbody", HOSTILE)
        wait_for(chromium, ".sidebar", HOSTILE.partition(".")[0])  # a folder, as a dot is in its name
        assert nothing_has_come_in(chromium)
        chromium.find_element(By.CSS_SELECTOR, "#taskTable button.statusMessage").click()
        wait_for(chromium, "#statusMessageModal pre", HOSTILE)
        assert nothing_has_come_in(chromium)

        chromium.get("about:blank")
        chromium.get(f"{page}#tab=tasks")
        WebDriverWait(chromium, PAGE_SECONDS).until(
            element_to_be_clickable((By.CSS_SELECTOR, "#taskTable button.schedulerMessage"))
        ).click()
        asking = WebDriverWait(chromium, PAGE_SECONDS).until(
            element_to_be_clickable((By.CSS_SELECTOR, "#schedulerMessageInput"))
        )
        asking.send_keys("how are you?")
        chromium.find_element(By.CSS_SELECTOR, "#schedulerMessageAwaitResponse").click()
        chromium.find_element(By.CSS_SELECTOR, "#schedulerMessageButton").click()
        answer(crew, running)
        wait_for(chromium, "#schedulerMessageResponse pre", HOSTILE)
        assert nothing_has_come_in(chromium)

        for visualisation, (nodes, tip) in GRAPHS.items():
            graph = {"tab": "graph", "taskId": "Half_1", "visType": visualisation}
            chromium.get("about:blank")
            chromium.get(f"{page}#{urlencode(graph)}")
            wait_for(chromium, nodes, HARMLESS)
            crew.wait_for(partial(shows_over_a_node, chromium, nodes, tip, HOSTILE))
            assert nothing_has_come_in(chromium)

        chromium.get("about:blank")
        chromium.get(f"{page}#tab=workers")
        wait_for(chromium, "#workerList", HOSTILE)
        assert nothing_has_come_in(chromium)


def test_the_buttons_of_the_page_change_what_they_are_for(tmp_path: Path, chromium: webdriver.Chrome) -> None:
    with Crew(tmp_path, SLOW) as crew:
        crew.start("luigid")
        address = crew.wait_for(crew.run.read_address)
        follower = RemoteRunScheduler(crew.run, patience=20)
        follower.add_task(task_id="Half_1", worker="node:1", status="PENDING", family="Half", params={})
        follower.get_work(worker="node:1", host="node")
        page = f"http://tol:{crew.run.read_password()}@{address.host}:{address.port}/static/visualiser/index.html"
        chromium.get("about:blank")
        chromium.get(f"{page}#tab=tasks")
        for button in ("#taskTable .markAsDone", "#pause-form .toggle"):
            WebDriverWait(chromium, PAGE_SECONDS).until(
                element_to_be_clickable((By.CSS_SELECTOR, button))
            ).click()
        crew.wait_for(lambda: crew.status().counts == {"Half": {"DONE": 1}})
        crew.wait_for(lambda: follower.is_paused() == {"paused": True})
