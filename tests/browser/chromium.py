"""A headless Chromium, driven by Debian's chromium-driver: loopback only, a profile of its own."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, Callable, TypeVar

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

T = TypeVar("T")

LIMIT = 20.0  # seconds
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
)

# The colours of each text with its background, as a person sees them, and their contrast after WCAG 2.1.
CONTRASTS = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function rgba(color) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}
function luminance(color) {
  const linear = one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = color.map(one => linear(one / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(element) {
  for (let one = element; one; one = one.parentElement) {
    const color = rgba(getComputedStyle(one).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255, 255];
}
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
  if (!text || !element.checkVisibility() || ["SCRIPT", "NOSCRIPT"].includes(element.tagName)) continue;
  const [one, other] = [rgba(getComputedStyle(element).color), ground(element)].map(luminance).sort((a, b) => b - a);
  found.push([text.slice(0, 40), Math.round((one + 0.05) / (other + 0.05) * 100) / 100]);
}
return found;
"""


class Chromium:
    """A browser: ``open`` a page, ``wait`` for what it shows."""

    def __init__(self, profile: Path) -> None:
        found = shutil.which("chromedriver"), shutil.which("chromium")
        if None in found:
            pytest.fail("these tests need a browser: install the packages chromium and chromium-driver", pytrace=False)
        options = Options()
        options.binary_location = str(found[1])
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(found[0]))
        self.driver.set_page_load_timeout(LIMIT)

    def open(self, url: str) -> None:
        self.driver.get(url)

    def run(self, script: str, *args: Any) -> Any:
        """Run JavaScript, a function's body."""
        return self.driver.execute_script(script, *args)

    def text(self, selector: str = "body") -> str:
        """The text that is to be seen in the first element; ``""`` where there is none."""
        return str(self.run("return (document.querySelector(arguments[0])?.innerText ?? '').toWellFormed()", selector))

    def texts(self, selector: str) -> list[str]:
        """The texts of all such elements."""
        found = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText.toWellFormed())", selector
        )
        return [str(one) for one in found]

    def wait(self, happened: Callable[[], T], within: float = LIMIT) -> T:
        """Wait until that is true, and return it."""
        deadline = time.monotonic() + within
        while True:
            value = happened()
            if value:
                return value
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within:g} s; the page shows:\n{self.text()}")
            time.sleep(0.02)  # a page tells nobody when it changes

    def wait_text(self, text: str, selector: str = "body", within: float = LIMIT) -> None:
        self.wait(lambda: text in self.text(selector), within)

    def look(self, **features: str) -> None:
        """As who likes it so: ``look(prefers_color_scheme="dark")``."""
        told = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": told})

    def resize(self, width: int, height: int, scale: float = 1, mobile: bool = False) -> None:
        """A screen of so many pixels of CSS."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def picture(self, path: Path) -> None:
        """Keep what is to be seen as a PNG."""
        assert self.driver.save_screenshot(str(path))

    def complaints(self) -> list[str]:
        """What the browser has logged since the last time, above the level of information."""
        logged: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(one["message"]) for one in logged if one["level"] in ("SEVERE", "WARNING")]

    def contrasts(self) -> dict[str, float]:
        """Of each text that is to be seen, the contrast with its background."""
        return dict(self.run(CONTRASTS))

    def close(self) -> None:
        self.driver.quit()
