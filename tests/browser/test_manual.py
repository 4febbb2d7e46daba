"""The built manual on a desk and on a telephone: no page is wider than its screen.

``python3 tasks.py browser`` builds it first, ``--pictures DIR`` keeps a picture of each page.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import Chromium

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"
WIDTHS = {"desk": 1280, "telephone": 400}

#: What is beyond the right edge, unless a box inside the article scrolls it or cuts it off. The theme's own boxes do so
#: with everything: the page itself is never too wide.
BEYOND = """
const width = document.documentElement.clientWidth;
const inBox = one => {
  for (let box = one.parentElement; box.tagName !== "ARTICLE"; box = box.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(box).overflowX)) return true;
  return false;
};
return [...document.querySelectorAll("article *")]
  .filter(one => one.getBoundingClientRect().right > width + 1 && !inBox(one))
  .map(one => `${one.tagName}: ${one.textContent.trim().slice(0, 60)}`);
"""


def pages() -> list[Path]:
    found = [page for page in sorted(MANUAL.rglob("*.html")) if "_static" not in page.parts]
    if not found:
        pytest.fail("the manual is not built: python3 tasks.py docs", pytrace=False)
    return found


@pytest.mark.parametrize("screen", list(WIDTHS))
def test_no_page_is_wider_than_the_screen(screen: str, chromium: Chromium, pictures: Path) -> None:
    chromium.resize(WIDTHS[screen], 900)
    wide: dict[str, list[str]] = {}
    for page in pages():
        chromium.open(page.as_uri())
        name = page.relative_to(MANUAL).with_suffix("").as_posix().replace("/", "_")
        found = chromium.run(BEYOND)
        if found:
            wide[name] = found
        chromium.picture(pictures / f"manual-{screen}-{name}.png")
    assert wide == {}


def test_a_page_that_is_too_wide_is_found(chromium: Chromium) -> None:
    chromium.resize(400, 900)
    chromium.open((MANUAL / "index.html").as_uri())
    chromium.run("document.querySelector('article p').style.width = '700px'")
    assert chromium.run(BEYOND)


def test_the_search_finds_actions_and_events(chromium: Chromium) -> None:
    for name in ("queuepause", "newchannel", "authlimit"):
        chromium.open((MANUAL / "search.html").as_uri() + f"?q={name}")
        chromium.wait(lambda: chromium.texts("#search-results li a"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_wallboards_picture_is_that_of_the_scheme(scheme: str, chromium: Chromium) -> None:
    chromium.look(prefers_color_scheme=scheme)
    chromium.open((MANUAL / "wallboard.html").as_uri())
    shown = chromium.run(
        "return [...document.querySelectorAll('article img')].filter(one => one.checkVisibility()).map(one => one.src)"
    )
    names = [Path(source).name for source in shown]
    assert names == [
        "wallboard-desk.png" if scheme == "light" else "wallboard-desk-dark.png",
        "wallboard-telephone.png",
    ]
