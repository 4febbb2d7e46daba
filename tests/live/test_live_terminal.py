"""The command line as a person uses it, in a real terminal (tmux), against real servers."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest
from servers import AsteriskServer
from terminal.tmux import Terminal, terminal  # the fixture is named here to be found

__all__ = ["terminal"]

CALL = "ami-client originate Local/101@default/n 100@default"


@pytest.fixture
def person(asterisk: AsteriskServer, terminal: Terminal) -> Iterator[Terminal]:
    """A terminal in which the environment names the server; all calls are hung up at the end."""
    settings = f"AMI_URL=tcp://{asterisk.host}:{asterisk.port} AMI_USERNAME={asterisk.username}"
    terminal.enter(f"export {settings}; export AMI_SECRET={asterisk.secret}; clear")
    terminal.prompt()
    yield terminal
    terminal.enter("clear; ami-client action Hangup Channel=/.*/; echo all hung up")
    terminal.wait("^all hung up$")


def address_of(server: AsteriskServer) -> str:
    return f"{server.host}:{server.port}"


def test_the_secret_is_asked_for(asterisk: AsteriskServer, person: Terminal) -> None:
    person.enter("unset AMI_SECRET; clear; ami-client ping -c 2 -i 0.1")
    person.wait(f"^Secret of tcp://{asterisk.username}@{re.escape(address_of(asterisk))}:")
    person.enter(asterisk.secret)
    text = person.wait("2 sent, 2 answered")
    assert asterisk.secret not in text.partition("Secret of")[2]
    assert person.status() == 0
    person.enter(f"export AMI_SECRET={asterisk.secret}; clear")


def test_a_wrong_secret_is_told_with_what_to_try(person: Terminal) -> None:
    person.enter("clear; AMI_SECRET=wrong ami-client ping")
    text = person.wait("login refused")
    assert "manager.conf" in text and "Traceback" not in text
    assert person.status() == 4


def test_a_command_of_asterisks_own(asterisk: AsteriskServer, person: Terminal) -> None:
    person.enter("clear; ami-client command 'core show channels'")
    person.wait(r"^\d+ active channels$")
    assert person.status() == 0
    person.enter("clear; ami-client command 'core show version'")
    person.wait(rf"^Asterisk {asterisk.version}\.")


def test_a_call_is_placed_and_seen(person: Terminal) -> None:
    person.enter(f"clear; {CALL}")
    person.wait(r"^answered: Local/101@default-[0-9a-f]+;1$")
    assert person.status() == 0
    person.enter("clear; ami-client channels")
    text = person.wait("^2 channels, 1 call$")
    assert re.search(r"^Channel +State +", text, re.MULTILINE)
    assert len(re.findall(r"^Local/101@default-[0-9a-f]+;[12] +Up ", text, re.MULTILINE)) == 2


def test_events_are_watched_until_ctrl_c(person: Terminal) -> None:
    person.enter("clear; ami-client events")
    person.wait(r"^\d\d:\d\d:\d\d\.\d\d\d FullyBooted ")
    person.press("C-c")
    assert person.status() == 128 + signal.SIGINT


def test_events_into_a_pipe_that_is_closed(person: Terminal) -> None:
    person.enter("clear; ami-client events --json | head -1; echo ends ${PIPESTATUS[*]}")
    text = person.wait("^ends")
    assert '{"Event": "FullyBooted"' in text and "Traceback" not in text
    assert "ends 141 0" in text


def test_the_live_screen(asterisk: AsteriskServer, person: Terminal) -> None:
    person.enter(f"{CALL}; clear; ami-client top --interval 0.2")
    person.wait(r"2 channels, 1 call, \d+\.\d events/s")
    assert person.alternate and not person.cursor_shown
    person.resize(70, 20)
    text = person.wait_until(lambda text: max(map(len, text.splitlines()), default=0) <= 70, "70 columns")
    assert address_of(asterisk) in text
    person.press("q")
    assert person.status() == 0
    assert not person.alternate and person.cursor_shown


def test_ctrl_c_on_the_live_screen(person: Terminal) -> None:
    person.enter("clear; ami-client top")
    person.wait("q: end")
    person.press("C-c")
    assert person.status() == 128 + signal.SIGINT
    assert not person.alternate and person.cursor_shown
