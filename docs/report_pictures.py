"""Record the pictures of docs/report.md: the report on a dataset in a browser.

    python docs/report_pictures.py build/dev

The images of the demonstration are drawn, so the pictures may be published.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PICTURES = Path(__file__).resolve().parent / "pictures"
WIDTH, HEIGHT = 1180, 620
COLOURS = 64
ARGUMENTS = ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", f"window-size={WIDTH},{HEIGHT}")

REPORT = "224x224/report/report.html"
SCRIPTS = {
    "report": (REPORT, "return 0"),
    "report-excluded": ("logs/excluded.html", "return 0"),
    "report-tree": (
        REPORT,
        """
        document.querySelector("#icicle [data-column='1']").click();
        document.activeElement.blur();
        return document.getElementById("tree").getBoundingClientRect().top + scrollY;
    """,
    ),
}
"""The page of each picture, and what is done before; the picture begins at the height that is returned."""


def main() -> None:
    """Open the report of a dataset, and write the pictures."""
    dataset = Path(sys.argv[1]).absolute()
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ARGUMENTS:
        options.add_argument(f"--{argument}")
    with webdriver.Chrome(options, Service("/usr/bin/chromedriver")) as driver:
        for name, (page, script) in SCRIPTS.items():
            driver.get((dataset / page).as_uri())
            top = driver.execute_script(script)
            clip = {"x": 0, "y": top, "width": WIDTH, "height": HEIGHT, "scale": 1}
            options_of_picture = {"captureBeyondViewport": True, "clip": clip}
            shown = driver.execute_cdp_cmd("Page.captureScreenshot", options_of_picture)
            target = PICTURES / f"{name}.png"
            with Image.open(io.BytesIO(base64.b64decode(shown["data"]))) as image:
                image.convert("RGB").quantize(COLOURS).save(target, optimize=True)
            sys.stdout.write(f"{target.name}: {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
