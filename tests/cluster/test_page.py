"""Luigid's page in a real browser, during a build, under a password."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from processes import Crew
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from pathlib import Path

    from selenium import webdriver

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
