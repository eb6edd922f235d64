"""The page of the report in a real browser."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_core_python
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tol_luigi.core.shards import Shard
from tol_luigi.report.build_figures import BuildFigures, CatalogData, Group, Thumbnail
from tol_luigi.report.build_page import page_text
from tol_luigi.report.excluded_page import excluded_page
from tol_luigi.report.sprites import sprite_sheets
from tol_luigi.report.taxon_tree import taxon_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium import webdriver

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
SERIOUS = {"serious", "critical"}
WIDTHS = {"laptop": 1366, "phone": 390}
SCROLLS_ACROSS = "return document.documentElement.scrollWidth > innerWidth"
HOSTILE = "<img src=x onerror=alert(1)>'\"&\u2028</script><b>\x1b[31m\u202eX"


def focused(driver: webdriver.Chrome) -> str:
    return str(driver.switch_to.active_element.get_attribute("aria-label"))


def faults(driver: webdriver.Chrome) -> list[str]:
    driver.execute_script(AXE)
    done = driver.execute_async_script("axe.run().then(arguments[0])")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html']}"
        for fault in done["violations"]
        if fault["impact"] in SERIOUS
    ]


def requested(driver: webdriver.Chrome) -> set[str]:
    """The addresses that the page has asked for, by the log of the browser's network."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return {one["request"]["url"] for one in sent if not one["request"]["url"].startswith("data:")}


@pytest.fixture
def show(chromium: webdriver.Chrome) -> Iterator[Any]:
    def opened(page: Path, width: int, scheme: str = "light") -> webdriver.Chrome:
        size = {"width": width, "height": 850, "deviceScaleFactor": 1, "mobile": width < 500}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        chromium.get_log("performance")
        chromium.get(page.as_uri())
        return chromium

    yield opened
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(("device", "scheme"), [("laptop", "light"), ("phone", "dark")])
def test_the_page_of_the_sample_is_whole_on_every_screen(
    device: str, scheme: str, build_with_page: Path, show: Any
) -> None:
    page = build_with_page / "224x224" / "report" / "report.html"
    driver = show(page, WIDTHS[device], scheme)

    assert "Complete" in driver.find_element(By.TAG_NAME, "h1").text
    assert driver.get_log("browser") == []
    assert requested(driver) == {page.as_uri()}
    assert driver.execute_script(SCROLLS_ACROSS) is False
    assert faults(driver) == []
    assert page.stat().st_size < 15_000_000


def test_the_page_of_build_times_is_whole_on_a_phone(build_with_page: Path, show: Any) -> None:
    driver = show(build_with_page / "logs" / "times.html", WIDTHS["phone"], "dark")

    assert "WriteShards" in driver.find_element(By.TAG_NAME, "main").text
    assert driver.get_log("browser") == []
    assert driver.execute_script(SCROLLS_ACROSS) is False
    assert faults(driver) == []


def test_the_tree_and_the_images_react_to_clicks_and_keys(build_with_page: Path, show: Any) -> None:
    driver = show(build_with_page / "224x224" / "report" / "report.html", WIDTHS["laptop"])

    def heading() -> str:
        return str(driver.find_element(By.CSS_SELECTOR, "#taxon h3").text)

    def press(*keys: str) -> None:
        ActionChains(driver).send_keys(*keys).perform()

    assert heading() == "All life"
    driver.find_element(By.CSS_SELECTOR, "#icicle [data-column='1']").click()
    assert heading() == "Animalia"
    press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    second = focused(driver).split(",")[0]
    press(Keys.ENTER)
    assert heading() == second
    crumbs = driver.find_element(By.ID, "crumbs").text
    assert crumbs.split(" \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ") == [
        "All life",
        "Animalia",
        second,
    ]
    press(Keys.ESCAPE)
    assert heading() == "Animalia"
    assert focused(driver).startswith(second)

    driver.find_element(By.ID, "search").send_keys("honey bee")
    found = driver.find_element(By.CSS_SELECTOR, "#found button")
    assert "Apis mellifera" in found.text
    found.click()
    assert "honey bee" in driver.find_element(By.CSS_SELECTOR, "#taxon dl").text

    driver.find_element(By.ID, "search").send_keys("chord")
    driver.find_element(By.CSS_SELECTOR, "#found button").click()
    assert heading() == "Chordata"

    image = driver.find_element(By.CSS_SELECTOR, "#taxon .t")
    image.send_keys(Keys.ENTER)
    detail = driver.find_element(By.ID, "detail")
    assert detail.get_attribute("open") is not None
    assert "shard" in detail.text
    press(Keys.ESCAPE)
    assert detail.get_attribute("open") is None
    assert driver.get_log("browser") == []


def jpeg(colour: str) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (224, 224), colour).save(written, "JPEG")
    return written.getvalue()


def hostile_page() -> str:
    ranks = (HOSTILE, *[""] * 6)
    figures = BuildFigures(
        version="1",
        digest="0",
        sources=["eol"],
        states={("written", "eol"): 1, ("unreadable", "eol"): 1},
        shards={"train": [Shard("shard-000000.tar", 10_240, "", 1)]},
        reports={
            "taxa": {"checks": {}, "rules": {HOSTILE: 1}},
            "matches": {"matches": []},
            "settings": {"folder.name": HOSTILE},
            "near_duplicates": {
                "images": 2,
                "in_clusters": 2,
                "clusters": 1,
                "bits": 4,
                "crossing_splits": 0,
                "label_conflicts": {"genus": 1},
            },
            "features": {
                HOSTILE: {
                    "columns": {
                        "sharpness": {
                            "known": 3,
                            "least": 1.0,
                            "greatest": 9.0,
                            "quantiles": {"0.5": 2.0},
                            "histogram": {"edges": [1.0, 5.0, 9.0], "counts": [2, 1]},
                        },
                        "text": {"values": {HOSTILE: 1}},
                        "is_grey": {"true": 1, "known": 3},
                        "none": {"known": 0},
                    }
                }
            },
        },
    )
    data = CatalogData(
        samples={("train", "eol"): 1},
        stats=[{"source": "all", "images": 1, "lineages": 1, **dict.fromkeys(LABELS, 0)}],
        tree=taxon_tree([(ranks, 1, 0)]),
        by_source=np.array([[1], [1]]),
        commons={1: HOSTILE},
        species=np.array([1]),
        flags={(HOSTILE, "eol"): 1},
        modes=[(HOSTILE, 1)],
        formats=[],
        sides=[],
        aspects=[],
        thumbnails=[Thumbnail(1, HOSTILE, {"owner": HOSTILE})],
        sheets=list(sprite_sheets([jpeg("red")])),
        groups=[
            Group("flag", HOSTILE, 1, [0]),
            Group("near", HOSTILE, 2, [0, 0]),
        ],
        excluded=[
            {
                "state": "unreadable",
                "source": "eol",
                "partition": "p",
                "name": HOSTILE,
                "reason": HOSTILE,
                "unshown": HOSTILE,
            }
        ],
    )
    return page_text(figures, data)


LABELS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")


def test_hostile_names_are_shown_as_text(tmp_path: Path, show: Any) -> None:
    page = tmp_path / f"{HOSTILE.replace('/', '')}.html"
    page.write_text(hostile_page(), encoding="utf-8")
    driver = show(page, WIDTHS["phone"])
    visible = HOSTILE.replace("\u2028", "\\u2028").replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")

    assert driver.get_log("browser") == []
    assert driver.find_elements(By.CSS_SELECTOR, "img, b, body script[src]") == []
    assert driver.execute_script(SCROLLS_ACROSS) is False
    driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    for selector in (
        "#look h4",
        ".examples li",
        "#properties",
        ".settings td",
        "#checks",
        "#features",
        ".pair",
    ):
        assert visible in driver.find_element(By.CSS_SELECTOR, selector).text, selector
    histogram = driver.find_element(By.CSS_SELECTOR, ".histogram div").get_attribute("aria-label")
    assert histogram == f"Histogram of {visible}: sharpness: 2, 1"
    driver.find_element(By.CSS_SELECTOR, "#icicle [data-column='1']").click()
    assert driver.find_element(By.CSS_SELECTOR, "#taxon h3").text == visible
    driver.find_element(By.CSS_SELECTOR, "#look .t").click()
    assert driver.find_element(By.ID, "detail-name").text == visible
    assert driver.find_element(By.CSS_SELECTOR, "#detail dd").text == visible
    assert faults(driver) == []


def test_images_in_no_shard_are_shown_with_hostile_names_as_text(tmp_path: Path, show: Any) -> None:
    row = {"state": "truncated", "source": "eol", "partition": HOSTILE, "name": HOSTILE, "reason": HOSTILE}
    page = tmp_path / "excluded.html"
    page.write_text(
        excluded_page([row, row], [jpeg("red"), f"no {HOSTILE}"], {"truncated": 2}), encoding="utf-8"
    )
    driver = show(page, WIDTHS["phone"], "dark")

    assert driver.get_log("browser") == []
    assert driver.find_element(By.TAG_NAME, "main").text.count("<img src=x onerror=alert(1)>") == 7
    assert driver.find_elements(By.CSS_SELECTOR, "img, b, script") == []
    assert driver.execute_script(SCROLLS_ACROSS) is False
    assert faults(driver) == []
