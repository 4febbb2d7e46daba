"""The page on a telephone, a desk and a television: nothing is cut off, and everything can be read."""

from __future__ import annotations

from pathlib import Path

import office_events as office
from board import Board
from chromium import Chromium
from office_events import SERVER

SCREENS = {"telephone": (390, 844, 1.0), "desk": (1280, 800, 1.0), "television": (1920, 1080, 1.0)}
HOSTILE = {
    "markup": "<img src=x onerror=alert(1)><script>alert(2)</script>&amp;",
    "right to left": "\u202eevil\u202c שלום \u2067אבג",
    "long": "W" * 10_000,
    "controls": "a\u0000b\u001b[31mc\u2028d",
    "not UTF-8": "caf\udce9",
}


def wide(chromium: Chromium) -> int:
    """How many pixels of the page are beyond the right edge."""
    return int(chromium.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def cut(chromium: Chromium) -> list[str]:
    """Numbers for which there is not enough room."""
    script = """return [...document.querySelectorAll(".number")]
        .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
        .map(one => one.innerText)"""
    return [str(one) for one in chromium.run(script)]


def show(chromium: Chromium, screen: str, scheme: str) -> None:
    width, height, scale = SCREENS[screen]
    chromium.resize(width, height, scale, mobile=screen == "telephone")
    chromium.look(prefers_color_scheme=scheme)


def test_every_screen_in_light_and_dark_fresh_and_stale(board: Board, chromium: Chromium, pictures: Path) -> None:
    board.fill()
    for language in ("en", "ru"):
        for is_stale in (False, True):
            if is_stale:
                board.do(lambda model: model.lose(SERVER))
            chromium.open(f"{board.url}?lang={language}")
            chromium.wait(lambda: len(chromium.texts("#calls tr")) == 8)
            for screen in SCREENS:
                for scheme in ("light", "dark"):
                    show(chromium, screen, scheme)
                    state = "stale" if is_stale else "fresh"
                    chromium.picture(pictures / f"{screen}-{scheme}-{state}-{language}.png")
                    assert wide(chromium) <= 0, (screen, language)
                    assert cut(chromium) == [], (screen, language)
                    low = {text: contrast for text, contrast in chromium.contrasts().items() if contrast < 4.5}
                    assert low == {}, (screen, scheme, is_stale)
        board.do(lambda model: model.picture(SERVER).set_state("ready", model.now()))
        board.do(lambda model: model.tell("ready", SERVER))


def test_hostile_names_are_text(board: Board, chromium: Chromium, pictures: Path) -> None:
    for number, name in enumerate(HOSTILE.values(), 1):
        board.do(office.call, number, name)
        board.do(office.join, number, name)
        board.do(office.member, name, 1, name)
        board.do(office.telephone, name, "INUSE")
    chromium.open(board.url)
    chromium.wait(lambda: len(chromium.texts("#calls tr")) == len(HOSTILE))
    assert HOSTILE["markup"] in chromium.texts(".card h3")
    assert HOSTILE["markup"] in chromium.text("#calls")
    assert chromium.run("return document.querySelectorAll('img, main script, #calls *:not(tr, td, bdi)').length") == 0
    for screen in SCREENS:
        show(chromium, screen, "light")
        assert wide(chromium) <= 0, screen
        chromium.picture(pictures / f"{screen}-hostile.png")
    assert chromium.complaints() == []
