"""The build with a real luigid: its result, and what luigid and its page in a real browser tell of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium import webdriver

SAMPLE = {
    "eol": {
        "images": "eol-original",
        "taxon_tab": "metadata/eol/dh21/taxon.tab",
        "scraped_page_ids": "metadata/eol/scraped_page_ids.csv",
        "vernacular_names": "metadata/eol/vernacularnames.csv",
        "media_manifests": "metadata/eol/media_manifest",
    },
    "inat21": {
        "images": "inat21",
        "taxa": "metadata/inat/dwca/taxa.csv",
        "vernacular_names": "metadata/inat/dwca/VernacularNames-english.csv",
    },
    "bioscan": {
        "images": "bioscan",
        "metadata": "metadata/bioscan/BIOSCAN_Insect_Dataset_metadata.jsonld",
    },
    "itis": {"chains": "metadata/itis/species_level_taxonomy_chains.csv"},
    "resolved": {"jsonl": "metadata/resolved.jsonl"},
    "rare_species": {
        "seen": "metadata/rarespecies/seen_in_training.json",
        "unseen": "metadata/rarespecies/unseen_in_training.json",
    },
    "published": {"mapping": "metadata/mapping.sqlite"},
}
"""Where the settings find their files in the sample."""


FONTS = "https://fonts.googleapis.com/"
"""The one thing that a style sheet of Luigi's page asks for elsewhere; the page is whole without it."""

BUILD_SECONDS = 240
PAGE_SECONDS = 30


@dataclass(frozen=True)
class Luigid:
    """A luigid that listens on this machine only."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, **arguments: str) -> Any:
        opener = build_opener(ProxyHandler({}))
        query = urlencode({"data": json.dumps(arguments)})
        with opener.open(f"{self.url}/api/{method}?{query}", timeout=PAGE_SECONDS) as answer:
            return json.load(answer)["response"]

    def tasks(self, dataset: Path, status: str = "") -> dict[str, dict[str, Any]]:
        """Give the tasks of one dataset, by id."""
        tasks = self.ask("task_list", status=status, upstream_status="")
        return {name: task for name, task in tasks.items() if task["params"]["dataset"] == str(dataset)}


@dataclass(frozen=True)
class Run:
    """A finished command, and the dataset that it was about."""

    dataset: Path
    exit_code: int
    output: str


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def environment(**others: str) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("LUIGI_")}
    return {**inherited, "no_proxy": "127.0.0.1", **others}


def build(folder: Path, sample: Path, tag: str, *arguments: str, **rare_species: str) -> Run:
    """Build the sample as a user does."""
    settings = ConfigParser(interpolation=None)
    settings["dataset"] = {"root": "built", "tag": tag}
    for section, places in SAMPLE.items():
        settings[section] = {key: str(sample / place) for key, place in places.items()}
    settings["inat21"]["partitions"] = "4"
    settings["rare_species"].update(rare_species)
    with (folder / f"{tag}.cfg").open("w", encoding="utf-8") as file:
        settings.write(file)
    done = subprocess.run(
        [program("luigi"), "--module", "tol_luigi", "BuildCatalog", *arguments],
        cwd=folder,
        env=environment(LUIGI_CONFIG_PATH=f"{tag}.cfg"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    return Run(folder / "built" / tag, done.returncode, done.stdout)


def with_luigid(luigid: Luigid) -> list[str]:
    return ["--workers", "2", "--scheduler-host", "127.0.0.1", "--scheduler-port", str(luigid.port)]


@pytest.fixture(scope="module")
def luigid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Luigid]:
    folder = tmp_path_factory.mktemp("luigid")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program("luigid"), "--address", "127.0.0.1", "--port", str(port)]
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "--state-path", str(folder / "state.pickle")],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            if not listens(port, process):
                pytest.fail(f"luigid does not listen:\n{log.read_text(encoding='utf-8')}")
            yield Luigid(port)
        finally:
            process.terminate()


def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the port is open; False if the process ends before, or takes too long."""
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
            return False
    return False


@pytest.fixture(scope="module")
def built(luigid: Luigid, light_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("with_luigid")
    return build(folder, light_sample, "sample", *with_luigid(luigid))


@pytest.fixture(scope="module")
def failed(luigid: Luigid, light_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a build whose list of images to leave out is not the right one."""
    folder = tmp_path_factory.mktemp("failing")
    wrong = folder / "wrong.json"
    wrong.write_text(json.dumps({"Nemo nusquam": ["nowhere/1_2_eol-full-size-copy.jpg"]}), encoding="utf-8")
    return build(folder, light_sample, "failing", *with_luigid(luigid), seen=str(wrong))


@dataclass(frozen=True)
class Page:
    """Luigid's page about one family of tasks of one dataset."""

    driver: webdriver.Chrome
    luigid: Luigid
    dataset: Path

    def rows(self, family: str) -> list[list[str]]:
        """Give the table as the user sees it, cell by cell, once it is filled."""
        self.driver.get("about:blank")
        place = urlencode({"tab": "tasks", "length": 100, "family": family})
        self.driver.get(f"{self.luigid.url}/static/visualiser/index.html#{place}")
        self.wait_for("#taskTable tbody", str(self.dataset))
        rows = self.driver.find_elements(By.CSS_SELECTOR, "#taskTable tbody tr")
        cells = [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows]
        return [row for row in cells if str(self.dataset) in row[2]]

    def wait_for(self, selector: str, text: str) -> None:
        WebDriverWait(self.driver, PAGE_SECONDS).until(
            text_to_be_present_in_element((By.CSS_SELECTOR, selector), text),
            f"{selector} does not show {text!r}",
        )


def requests_made(driver: webdriver.Chrome) -> set[str]:
    """Give the addresses that pages have asked for since this was last called."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return {each["request"]["url"] for each in asked if each["documentURL"].startswith("http")}


def test_build_with_luigid_ends_well(built: Run) -> None:
    assert built.exit_code == 0, built.output


def test_build_with_luigid_gives_the_bytes_of_a_local_one(
    built: Run, build_with_page: Path, digests: Callable[[Path], dict[str, str]]
) -> None:
    assert digests(built.dataset) == digests(build_with_page)


def test_luigid_knows_every_task_as_done(built: Run, luigid: Luigid) -> None:
    tasks = luigid.tasks(built.dataset).values()
    assert {task["status"] for task in tasks} == {"DONE"}
    assert {"ScanPartition", "MakeMapping", "WriteShards", "CheckShards", "WriteCatalog", "BuildCatalog"} <= {
        task["name"] for task in tasks
    }


def test_luigid_hears_how_far_tasks_are(built: Run, luigid: Luigid) -> None:
    shares = json.loads((built.dataset / "plan.json").read_text(encoding="utf-8"))
    samples = {(share["split"], share["source"], share["partition"]): share["samples"] for share in shares}
    tasks = [task for task in luigid.tasks(built.dataset).values() if task["name"] == "WriteShards"]
    told = {}
    for task in tasks:
        about = task["params"]["split"], task["params"]["source"], task["params"]["partition"]
        told[about] = task["progress_percentage"], task["status_message"].split(" images in ")[0]
    assert told == {
        about: (100, f"{count} of {count}") if count else (None, "0") for about, count in samples.items()
    }


def test_page_shows_the_tasks_as_done(
    built: Run, luigid: Luigid, chromium: webdriver.Chrome, tmp_path: Path
) -> None:
    page = Page(chromium, luigid, built.dataset)
    tasks = [task for task in luigid.tasks(built.dataset).values() if task["name"] == "WriteShards"]
    rows = page.rows("WriteShards")
    chromium.save_screenshot(str(tmp_path / "write-shards.png"))
    assert [row[:2] for row in rows] == [["DONE", "WriteShards"]] * len(tasks)
    rows = page.rows("BuildCatalog")
    chromium.save_screenshot(str(tmp_path / "build-catalog.png"))
    assert [row[:2] for row in rows] == [["DONE", "BuildCatalog"]]


def test_page_shows_how_far_a_task_is(
    built: Run, luigid: Luigid, chromium: webdriver.Chrome, tmp_path: Path
) -> None:
    page = Page(chromium, luigid, built.dataset)
    page.rows("MakeMapping")
    chromium.find_element(
        By.XPATH, f"//tr[contains(., '{built.dataset}')]//button[contains(@class, 'statusMessage')]"
    ).click()
    page.wait_for("#statusMessageModal pre", "images in")
    chromium.save_screenshot(str(tmp_path / "status-message.png"))


def test_page_needs_nothing_from_elsewhere(built: Run, luigid: Luigid, chromium: webdriver.Chrome) -> None:
    page = Page(chromium, luigid, built.dataset)
    requests_made(chromium)
    assert page.rows("BuildCatalog")
    made = requests_made(chromium)
    scripts = {
        script.get_attribute("src") for script in chromium.find_elements(By.CSS_SELECTOR, "script[src]")
    }
    assert scripts
    assert scripts <= made
    assert {url for url in made if not url.startswith((f"{luigid.url}/", "data:", FONTS))} == set()


def test_failing_build_says_so(failed: Run) -> None:
    assert failed.exit_code == 30, failed.output
    lines = [line for line in failed.output.splitlines() if line.startswith("tol_luigi: ")]
    assert len(lines) == 1
    wrong = failed.dataset.parents[1] / "wrong.json"
    assert lines[0].startswith(f"tol_luigi: PredictCatalog: [rare_species] seen = {wrong}: none of")
    assert "Traceback" not in failed.output


def test_luigid_tells_why_a_task_failed(failed: Run, luigid: Luigid) -> None:
    tasks = luigid.tasks(failed.dataset, "FAILED")
    assert [task["name"] for task in tasks.values()] == ["PredictCatalog"]
    error = json.loads(luigid.ask("fetch_error", task_id=next(iter(tasks)))["error"])
    assert error in failed.output
    assert "none of its images and species is in the dataset" in error
    assert "\n" not in error
    assert "[rare_species] seen = " in error


def test_page_tells_why_a_task_failed(
    failed: Run, luigid: Luigid, chromium: webdriver.Chrome, tmp_path: Path
) -> None:
    page = Page(chromium, luigid, failed.dataset)
    rows = page.rows("PredictCatalog")
    assert [row[:2] for row in rows] == [["FAILED", "PredictCatalog"]]
    chromium.find_element(
        By.XPATH, f"//tr[contains(., '{failed.dataset}')]//button[contains(@class, 'showError')]"
    ).click()
    page.wait_for("#errorModal pre", "wrong.json: none of its images and species is in the dataset")
    chromium.save_screenshot(str(tmp_path / "error.png"))
