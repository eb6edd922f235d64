"""The page of ``tol browse`` as users start it: its answers, and what a real browser shows of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import axe_core_python
import pytest
from browsed_images import HOSTILE, MISSING, OWNER
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tol_luigi.browse.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium import webdriver
    from selenium.webdriver.remote.webelement import WebElement

    from tol_luigi.browse.opened import BrowsedDataset

SECONDS = 30

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def url(folders: tuple[Path, Path], cache: Path) -> Iterator[str]:
    """The address of both datasets, until Ctrl-C."""
    command = [sys.executable, "-m", "tol_luigi", "browse", *folders, "--cache", cache, "--no-open"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Browse at http://127.0.0.1:")
            yield line.split()[2]
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def ask(url: str) -> Callable[..., tuple[int, dict[str, str], bytes]]:
    """Send a request exactly as it is given; return status, headers and body."""

    def send(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    return send


def test_images_are_the_files_of_the_shards_and_may_be_kept(ask: Any, first: BrowsedDataset) -> None:
    path = f"/image/{first.key}/0"
    status, headers, body = ask(path)
    assert (status, body) == (200, first.pictures.image_file(first.index.record(0)))
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert ask(path, If_None_Match=headers["Etag"])[0] == 304
    head = ask(path, "HEAD")
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, str(len(body)), b"")
    assert (ask("/api/rows", "HEAD")[0], ask("/", "HEAD")[0]) == (200, 200)


@pytest.mark.parametrize("path", ["/", "/static/browse.js", "/api/datasets", "/image/0/0", "/none"])
def test_every_answer_has_the_headers_that_keep_a_browser_safe(path: str, ask: Any) -> None:
    _, headers, _ = ask(path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/", "GET", {"Host": "evil.example"}, 421),
        ("/", "GET", {"Host": "127.0.0.1.evil.example:80"}, 421),
        ("/api/rows", "GET", {"Host": "evil.example:80"}, 421),
        ("/", "GET", {"Host": "localhost:9"}, 200),
        ("/api/rows", "GET", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("/api/rows", "GET", {"Sec_Fetch_Site": "same-origin"}, 200),
        ("/", "GET", {"Sec_Fetch_Site": "cross-site"}, 200),
        ("/api/rows", "POST", {"Content_Length": "0"}, 405),
        ("/", "DELETE", {}, 405),
        ("/", "OPTIONS", {}, 405),
        ("/static/../application.py", "GET", {}, 404),
        ("/static/%2e%2e/application.py", "GET", {}, 404),
        ("/static/..%2fapplication.py", "GET", {}, 404),
        ("/static//etc/passwd", "GET", {}, 404),
        ("//etc/passwd", "GET", {}, 404),
        ("/image/../../dataset.json", "GET", {}, 404),
        ("/image/0123456789abcdef/0", "GET", {}, 404),
        ("/api/rows?d=2", "GET", {}, 400),
        ("/api/rows?count=1000000", "GET", {}, 400),
        ("/api/rows?from=-1", "GET", {}, 400),
        ("/api/rows?from=99999999999999999999", "GET", {}, 400),
        ("/api/life?row=100000", "GET", {}, 400),
        (f"/api/rows?where={quote('width > (SELECT 1)')}", "GET", {}, 400),
    ],
)
def test_only_reading_of_what_there_is_from_this_machine_is_answered(
    path: str, method: str, headers: dict[str, str], status: int, ask: Any
) -> None:
    found, _, body = ask(path, method, **headers)
    assert found == status
    if status >= 400:
        assert body.count(b"\n") == 1
        assert b"Traceback" not in body


def test_what_is_no_dataset_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tol_luigi", "browse", tmp_path, "--no-open"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (40, "")
    assert done.stderr.count("\n") == 1
    assert "is not a dataset" in done.stderr


def until(driver: webdriver.Chrome, condition: Callable[[], Any]) -> Any:
    return WebDriverWait(driver, SECONDS, poll_frequency=0.05).until(lambda _: condition())


def all_of(driver: webdriver.Chrome, selector: str) -> list[WebElement]:
    return driver.find_elements(By.CSS_SELECTOR, selector)


def labels(driver: webdriver.Chrome, grid: int = 0) -> list[str]:
    """Return the labels of the tiles of a grid, in order."""
    script = """return [...document.querySelectorAll(`#grid${arguments[0]} .tile`)]
        .sort((one, other) => one.dataset.index - other.dataset.index)
        .map((tile) => tile.getAttribute("aria-label"))"""
    found: list[str] = driver.execute_script(script, grid)  # type: ignore[no-untyped-call]
    return found


def text_of(driver: webdriver.Chrome, selector: str) -> str:
    return " ".join(each.text for each in all_of(driver, selector))


def outside(driver: webdriver.Chrome, url: str) -> list[str]:
    """Return the requests that have left the page, and what the console has said."""
    wrong = []
    for entry in driver.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked = message["params"]["request"]["url"]
            if not asked.startswith((url, "data:", "chrome")):
                wrong.append(asked)
        elif message["method"] in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            wrong.append(str(message["params"]))
    return wrong


HUGE_GRID = """
const [total, done] = arguments;
const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
(async () => {
  const { Grid } = await import("/static/grid.js");
  const place = document.createElement("div");
  place.className = "grid";
  place.id = "huge";
  place.style.cssText = "position: fixed; inset: 0 auto auto 0; width: 600px; height: 400px";
  document.body.append(place);
  const faults = [];
  const fetch = async (from, count) => {
    const rows = Array.from({ length: Math.max(0, Math.min(count, total - from)) }, (_, number) => from + number);
    return { total, rows };
  };
  const grid = new Grid(place, {
    label: "huge", fetch, open() {}, moved() {}, fault: (error) => faults.push(String(error)),
    fill: (tile, record) => { tile.textContent = String(record); },
  });
  await grid.load();
  const visible = async () => {
    for (let turn = 0; turn < 4; turn += 1) await frame();
    const box = place.getBoundingClientRect();
    return [...place.querySelectorAll(".tile")]
      .filter((tile) => {
        const own = tile.getBoundingClientRect();
        return own.bottom > box.top + 1 && own.top < box.bottom - 1;
      })
      .map((tile) => Number(tile.textContent))
      .sort((one, other) => one - other);
  };
  const found = { columns: grid.columns, start: await visible(), steps: [] };
  place.scrollTop = place.scrollHeight / 2;  // as the bar is dragged
  found.middle = await visible();
  for (let step = 0; step < 6; step += 1) {
    place.scrollTop += grid.rowHeight;
    found.steps.push((await visible())[0]);
    if (step === 2) grid.rested();  // as after a pause
  }
  found.rested = (await visible())[0];
  grid.pressed(new KeyboardEvent("keydown", { key: "End" }));
  found.end = await visible();
  grid.pressed(new KeyboardEvent("keydown", { key: "Home" }));
  found.again = await visible();
  found.faults = faults;
  place.remove();
  done(found);
})().catch((error) => done({ faults: [String(error)] }));
"""
"""Scroll through a grid that is higher than a browser allows, with made-up rows."""


def accessibility_faults(driver: webdriver.Chrome) -> list[str]:
    """Return what axe finds serious or critical."""
    driver.execute_script(AXE)  # type: ignore[no-untyped-call]
    done = driver.execute_async_script("axe.run().then(arguments[0])")  # type: ignore[no-untyped-call]
    return [
        f"{fault['id']}: {node['html']}"
        for fault in done["violations"]
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"]
    ]


def test_one_searches_scrolls_opens_and_goes_back_by_keys_alone(
    url: str, chromium: webdriver.Chrome, first: BrowsedDataset, tmp_path: Path
) -> None:
    chromium.get(f"{url}?other=none")
    until(chromium, lambda: "58 images" in text_of(chromium, ".pane h2"))
    until(
        chromium,
        lambda: chromium.execute_script(  # type: ignore[no-untyped-call]
            "return [...document.images].some((each) => each.naturalWidth === 32)"
        ),
    )
    body = chromium.find_element(By.TAG_NAME, "body")

    body.send_keys("/")
    typed = chromium.switch_to.active_element
    assert typed.get_attribute("id") == "q"
    typed.send_keys("Corvus corax", Keys.ENTER)
    until(
        chromium,
        lambda: "q=Corvus+corax" in chromium.current_url and "12 images" in text_of(chromium, ".pane h2"),
    )
    assert all(label.startswith("Corvus corax") for label in until(chromium, lambda: labels(chromium)))
    assert "Aves" not in text_of(chromium, "#facets")
    assert accessibility_faults(chromium) == []
    chromium.save_screenshot(str(tmp_path / "search.png"))

    grid = chromium.find_element(By.ID, "grid0")
    grid.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    dialog = chromium.find_element(By.ID, "life")
    until(chromium, lambda: dialog.get_attribute("open") and "Corvus corax" in dialog.text)
    _, rows = first.page(Query.of({"q": "corvus corax"}), 0, 3)
    assert rows[2]["id"] in dialog.text
    assert "split from" in dialog.text
    assert accessibility_faults(chromium) == []
    chromium.save_screenshot(str(tmp_path / "life.png"))
    assert f"life=0.{rows[2]['row']}" in chromium.current_url
    dialog.send_keys(Keys.ESCAPE)
    until(chromium, lambda: not dialog.get_attribute("open") and "life=" not in chromium.current_url)
    assert chromium.switch_to.active_element.get_attribute("id") == "grid0"

    chromium.find_element(By.LINK_TEXT, "Animalia\n12").click()
    until(chromium, lambda: "kingdom=Animalia" in chromium.current_url)
    chromium.back()
    chromium.back()
    chromium.back()
    chromium.back()
    until(chromium, lambda: "58 images" in text_of(chromium, ".pane h2") and "q=" not in chromium.current_url)
    total = 30_000_000
    huge = chromium.execute_async_script(HUGE_GRID, total)  # type: ignore[no-untyped-call]
    assert huge["faults"] == []
    columns = huge["columns"]
    assert huge["start"] == huge["again"] == list(range(len(huge["start"])))
    assert abs(huge["middle"][0] / total - 0.5) < 0.01
    assert huge["middle"] == list(range(huge["middle"][0], huge["middle"][-1] + 1))
    assert huge["steps"] == [huge["middle"][0] + columns * step for step in range(1, 7)]
    assert huge["rested"] == huge["steps"][-1]
    assert huge["end"] == list(range(huge["end"][0], total))
    assert outside(chromium, url) == []


def test_hostile_names_are_text_rejected_images_have_reasons_and_differences_are_marked(
    url: str, chromium: webdriver.Chrome, tmp_path: Path
) -> None:
    chromium.set_window_size(500, 900)
    chromium.get(f"{url}?{urlencode({'state': 'any', 'q': '<img'})}")
    until(chromium, lambda: all("1 image" in each.text for each in all_of(chromium, ".pane h2")))
    assert HOSTILE[0] in until(chromium, lambda: labels(chromium))[0]
    assert chromium.title == "first and second - tol browse"

    chromium.get(f"{url}?{urlencode({'q': HOSTILE[1], 'd': 1})}")
    until(chromium, lambda: "\u241b[31mred\u241b[0m" in "".join(labels(chromium)))

    chromium.get(f"{url}?{urlencode({'state': 'any', 'q': '<b>'})}")
    until(chromium, lambda: "unreadable" in text_of(chromium, "#grid0 .reason strong"))
    assert "exact duplicate of" in text_of(chromium, "#grid0 .reason")
    assert "labels.csv lists it, but it is missing" in text_of(chromium, "#grid1 .reason")

    chromium.get(f"{url}?{urlencode({'state': 'any', 'only': 1})}")
    until(chromium, lambda: "not in second" in text_of(chromium, ".badge"))
    assert (len(labels(chromium)), labels(chromium, 1)) == (len(MISSING), [])
    assert accessibility_faults(chromium) == []
    chromium.save_screenshot(str(tmp_path / "differences.png"))

    all_of(chromium, "#grid0 .tile.alone")[0].click()
    until(chromium, lambda: "not in second" in text_of(chromium, "#life .reason"))
    summary = all_of(chromium, "#life details summary")[0]
    assert summary.text == "Licence and owner in first"
    summary.click()
    until(chromium, lambda: OWNER in text_of(chromium, "#life details[open]"))
    chromium.find_element(By.ID, "close").click()
    where = chromium.find_element(By.ID, "where")
    where.send_keys("width > (SELECT 1)", Keys.ENTER)
    until(chromium, lambda: "it cannot contain a query" in text_of(chromium, "#fault"))
    assert [entry for entry in outside(chromium, url) if "400" not in entry] == []
