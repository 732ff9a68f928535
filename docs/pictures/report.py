"""Takes a picture of a run's report.html in the Chromium of ./just browser.

    python -m docs.pictures.report runs/demo1/cv/report.html

It is not drawn with the others: the page holds what was measured, and comes from a run of the demo.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

BROWSER = Path(".tools/browser")
OUT = Path(__file__).parent / "report.png"
SIZE = {"width": 1280, "height": 900}


def main(page: Path) -> None:
    """Write docs/pictures/report.png, the beginning of the page."""
    own = {"LD_LIBRARY_PATH": str(BROWSER.resolve() / "lib"), "FONTCONFIG_FILE": str(BROWSER.resolve() / "fonts.conf")}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER / "chromium", env={**os.environ, **own}, args=["--no-sandbox"]
        )
        tab = browser.new_page(viewport=SIZE)
        tab.goto(page.resolve().as_uri())
        tab.wait_for_timeout(2000)  # milliseconds, for the charts to be drawn
        tab.screenshot(path=OUT)
        browser.close()
    print(f"written to {OUT}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
