"""The page moves, says when it cannot know, and comes back by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import office_events as office
import pytest
from board import Board
from chromium import Chromium
from office_events import SERVER
from proxy import behind
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ami_client.web import app, broadcast

TOKEN = "0123456789abcdef"


def rows(chromium: Chromium) -> list[str]:
    return chromium.texts("#calls tr")


def test_it_moves_within_a_second_of_what_happens(board: Board, chromium: Chromium) -> None:
    chromium.open(board.url)
    chromium.wait_text("No calls.")
    for number in range(1, 4):
        board.do(office.call, number, f"Caller {number}")
        chromium.wait_text(f"Caller {number}", "#calls", within=1)
    assert "Caller 3 5550003" in rows(chromium)[0]  # the latest first
    board.do(office.join, 3)
    chromium.wait(lambda: rows(chromium)[0].startswith("Waiting"), within=1)
    assert chromium.texts(".card h3") == ["support"]
    assert chromium.text(".card .waiting dd") == "1"
    board.do(office.hang_up, 3)
    chromium.wait(lambda: len(rows(chromium)) == 2, within=1)
    assert chromium.complaints() == []


def test_clocks_move_by_themselves(board: Board, chromium: Chromium) -> None:
    board.ago = 59
    board.do(office.call, 1)
    board.ago = 0
    chromium.open(board.url)
    chromium.wait(lambda: rows(chromium))
    assert re.search(r"\b0:59|1:0[01]", chromium.text("#calls"))
    chromium.wait(lambda: re.search(r"\b1:0[2-9]", chromium.text("#calls")))


def test_what_is_there_keeps_its_place_and_its_focus(board: Board, chromium: Chromium) -> None:
    board.do(office.call, 1)
    chromium.open(board.url)
    chromium.wait(lambda: rows(chromium))
    chromium.run("window.row = document.querySelector('#calls tr'); document.querySelector('.scrolls').focus()")
    board.do(office.call, 2)
    chromium.wait(lambda: len(rows(chromium)) == 2)
    assert chromium.run("return window.row === document.querySelector('#calls tr:nth-child(2)')")
    assert chromium.run("return document.activeElement.className") == "scrolls"


def test_it_says_that_a_server_is_lost(board: Board, chromium: Chromium) -> None:
    board.do(office.call, 1)
    board.do(office.join, 1)
    chromium.open(board.url)
    chromium.wait(lambda: rows(chromium))
    assert chromium.text("#trouble") == ""
    board.do(lambda model: model.lose(SERVER))
    chromium.wait_text("pbx.example.com:5038: no connection since", "#trouble", within=1)
    assert chromium.run("return document.title") == "⚠ Wallboard"
    assert chromium.run("return document.querySelectorAll('.card.old, #calls tr.old').length") == 2
    clock = chromium.text(".card .longest dd")
    board.do(office.call, 2)  # the page has moved since
    chromium.wait(lambda: len(rows(chromium)) == 2)
    assert chromium.text(".card .longest dd") == clock  # what was true then


def test_it_comes_back_after_a_restart_of_the_wallboard(board: Board, chromium: Chromium) -> None:
    board.do(office.call, 1, "Before")
    chromium.open(board.url)
    chromium.wait(lambda: rows(chromium))
    board.stop()
    chromium.wait_text("No connection to the wallboard since", "#trouble")
    assert "Before" in chromium.text("#calls")
    assert chromium.run("return document.querySelectorAll('#calls tr.old').length") == 1
    board.start()
    board.do(office.call, 2, "After")
    chromium.wait(lambda: chromium.text("#trouble") == "")
    assert [row for row in rows(chromium) if "Before" in row] == []
    chromium.wait_text("After", "#calls", within=1)


def test_it_notices_that_nobody_speaks(board: Board, chromium: Chromium, monkeypatch: pytest.MonkeyPatch) -> None:
    chromium.open(board.url)
    chromium.wait_text("No calls.")
    monkeypatch.setattr(broadcast, "BEAT", 1e9)  # as when a cable is out
    chromium.run("""
        const trouble = document.getElementById("trouble"), real = Date.now;
        window.said = "";
        new MutationObserver(() => { window.said += trouble.textContent }).observe(trouble, { childList: true });
        Date.now = () => real() + 16_000;
    """)
    chromium.wait(lambda: "No connection to the wallboard since" in chromium.run("return window.said"))
    chromium.wait_text("No server is known yet.", "#trouble")  # it has asked again, and was answered


def test_a_page_that_is_older_than_the_wallboard_loads_itself(
    board: Board, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium.open(board.url)
    chromium.wait_text("No calls.")
    chromium.run("window.old = true")
    board.stop()
    monkeypatch.setattr("ami_client.web.state.__version__", "999")
    board.start()
    chromium.wait(lambda: not chromium.run("return window.old"))
    chromium.wait_text("No calls.")


@pytest.fixture
def guarded() -> Iterator[Board]:
    """A wallboard that asks for a token."""
    board = Board(token=TOKEN)
    yield board
    board.close()


def test_the_token_is_typed_once(guarded: Board, chromium: Chromium) -> None:
    guarded.do(office.call, 1)
    chromium.open(guarded.url)
    field = chromium.driver.find_element(By.ID, "token")
    field.send_keys("wrong", Keys.ENTER)
    chromium.wait_text("This is not the token.")
    chromium.driver.find_element(By.ID, "token").send_keys(TOKEN, Keys.ENTER)
    chromium.wait(lambda: len(rows(chromium)) == 1)
    chromium.open(guarded.url)
    chromium.wait(lambda: len(rows(chromium)) == 1)


def test_no_secret_is_in_the_page_nor_in_its_address(guarded: Board, chromium: Chromium) -> None:
    guarded.do(office.call, 1)
    chromium.open(f"{guarded.url}?token={TOKEN}")
    chromium.wait(lambda: len(rows(chromium)) == 1)
    assert chromium.driver.current_url == guarded.url
    held = chromium.run(
        "return JSON.stringify([document.documentElement.outerHTML, document.cookie, {...localStorage}, location.href,"
        "performance.getEntries().map(one => one.name)])"
    )
    assert TOKEN not in json.loads(held)[0] + json.loads(held)[1] + json.dumps(json.loads(held)[2:4])
    assert "admin" not in held
    loaded = [name for name in json.loads(held)[4] if name.startswith("http")]
    assert loaded and all(name.startswith(guarded.url) for name in loaded)  # nothing of other hosts


def test_the_policy_lets_no_script_in(board: Board, chromium: Chromium) -> None:
    chromium.open(board.url)
    chromium.wait_text("No calls.")
    chromium.run("""
        const script = document.createElement("script");
        script.textContent = "window.let_in = 1";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='let_in = 1'>");
    """)
    assert any("Content Security Policy" in one for one in chromium.wait(chromium.complaints))
    assert chromium.run("return window.let_in ?? null") is None
    assert "img-src 'self'" in app.HEADERS["Content-Security-Policy"]


def test_language_and_theme_by_keyboard_and_they_are_kept(board: Board, chromium: Chromium) -> None:
    board.do(office.call, 1)
    chromium.open(board.url)
    chromium.wait(lambda: rows(chromium))
    body = chromium.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert chromium.run("return document.activeElement.id") == "language"
    chromium.driver.switch_to.active_element.send_keys(Keys.ENTER)
    chromium.wait_text("Звонки", "h2#calls-title")
    assert rows(chromium)[0].startswith("Новый")
    assert chromium.run("return document.documentElement.lang") == "ru"
    assert chromium.run("return document.title") == "Табло"
    chromium.driver.switch_to.active_element.send_keys(Keys.TAB)
    for theme in ("light", "dark"):
        chromium.driver.switch_to.active_element.send_keys(Keys.SPACE)
        assert chromium.run("return document.documentElement.dataset.theme") == theme
    chromium.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert chromium.run("return document.activeElement.className") == "scrolls"  # the table can be scrolled by keys
    chromium.open(board.url)
    chromium.wait_text("Звонки", "h2#calls-title")
    assert chromium.run("return getComputedStyle(document.body).colorScheme") == "dark"


def test_a_television_is_told_by_the_address(board: Board, chromium: Chromium) -> None:
    chromium.open(f"{board.url}?lang=ru&theme=dark")
    chromium.wait_text("Звонков нет.")
    assert chromium.run("return getComputedStyle(document.body).colorScheme") == "dark"


def test_every_language_has_all_words(board: Board, chromium: Chromium) -> None:
    chromium.open(board.url)
    script = """
    const { WORDS } = await import("./static/words.js");
    const keys = (words, path) => Object.entries(words).flatMap(([name, value]) =>
      typeof value === "object" ? keys(value, path + name + ".") : [path + name + ":" + typeof value]);
    arguments[arguments.length - 1](Object.values(WORDS).map(words => keys(words, "").sort()));
    """
    script = f"const go = async (...args) => {{ {script.replace('arguments[arguments.length - 1]', 'args[0]')} }};"
    first, *others = chromium.driver.execute_async_script(f"{script} go(arguments[0])")
    assert first and all(one == first for one in others)


def test_what_a_screen_reader_is_told(board: Board, chromium: Chromium) -> None:
    board.fill()
    chromium.open(board.url)
    chromium.wait(lambda: len(rows(chromium)) == 8)
    board.do(lambda model: model.lose(SERVER))
    chromium.wait_text("no connection since", "#trouble")
    tree = chromium.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node.get("ignored", False)
    }
    assert {
        ("heading", "Wallboard"),
        ("heading", "Queues 3"),
        ("heading", "support"),
        ("columnheader", "Duration"),
        ("button", "Русский"),
        ("button", "Theme: auto"),
        ("list", "Agents"),
    } <= found
    assert {"main", "banner", "table", "article", "alert", "region"} <= {role for role, _ in found}
    assert not [role for role, name in found if role in ("button", "link", "image") and not name]
    # What moves twice a second is read to nobody who has not asked for it.
    alive = chromium.run(
        "return [...document.querySelectorAll('[aria-live], [role=alert], [role=status]')].map(e => e.id)"
    )
    assert alive == ["trouble"]


def test_behind_the_path_of_a_proxy(guarded: Board, chromium: Chromium) -> None:
    guarded.do(office.call, 1)
    with behind(guarded.port, "/pbx/board/") as url:
        chromium.open(f"{url}?token={TOKEN}")
        chromium.wait(lambda: len(rows(chromium)) == 1)
        assert chromium.driver.current_url == url
        (cookie,) = chromium.driver.get_cookies()
        assert cookie["path"].startswith("/pbx/board") and cookie["httpOnly"]
        guarded.do(office.call, 2)
        chromium.wait(lambda: len(rows(chromium)) == 2, within=1)


def test_it_comes_back_though_a_proxy_has_said_no(board: Board, chromium: Chromium) -> None:
    with behind(board.port, "/board/") as url:
        chromium.open(url)
        chromium.wait_text("No calls.")
        chromium.run("""
            const real = window.EventSource;
            window.EventSource = class extends real { constructor(...args) { super(...args); window.last = this; } };
        """)
        board.stop()
        # A browser does not ask again after an answer that is no event stream.
        chromium.wait(lambda: chromium.run("return window.last?.readyState === EventSource.CLOSED"), within=10)
        board.start()
        board.do(office.call, 1)
        chromium.wait(lambda: len(rows(chromium)) == 1)
        assert chromium.text("#trouble") == ""
