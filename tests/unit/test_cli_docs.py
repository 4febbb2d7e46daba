"""The manual of the command line: what its sessions show is what the commands print, and nothing is left out."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from cli_pbx import Ami, Pbx, Said
from programs import ROOT

PAGE = ROOT / "docs" / "cli.rst"
MAN_PAGE = ROOT / "docs" / "man" / "ami-client.1"
ADDRESS = "192.0.2.1:5038"  # the manual's server
WIDTH = "90"
PROFILE = "[pbx1]\nurl = tcp://{address}\nusername = admin\nsecret = secret\n"

CALL = {
    "Event": "Newchannel",
    "Privilege": "call,all",
    "Channel": "PJSIP/front-desk-00000007",
    "ChannelState": "4",
    "ChannelStateDesc": "Ring",
    "CallerIDNum": "100",
    "CallerIDName": "Front desk",
    "Exten": "200",
    "Context": "office",
    "Uniqueid": "1795401651.12",
}
HANGUP = {
    "Event": "Hangup",
    "Privilege": "call,all",
    "Channel": "PJSIP/front-desk-00000007",
    "CallerIDNum": "100",
    "Uniqueid": "1795401651.12",
    "Cause": "16",
    "Cause-txt": "Normal Clearing",
}


class Example(NamedTuple):
    """A command of a session in the manual, and what the page shows below it."""

    line: int
    command: str
    shown: str


def examples() -> Iterator[Example]:
    """All commands in blocks of the language "console", in order."""
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    start, inside = 0, False
    for number, line in enumerate([*lines, "end"], 1):
        is_prompt = inside and line.startswith("   $ ")
        over = inside and line != "" and not line.startswith("   ")
        if start and (is_prompt or over):
            shown = "\n".join(text[3:] for text in lines[start : number - 1]).strip("\n")
            yield Example(start, lines[start - 1][5:], shown)
            start = 0
        if is_prompt:
            start = number
        inside = line == ".. code-block:: console" or (inside and not over)


EXAMPLES = list(examples())


@pytest.fixture
def at_a_terminal(pbx: Pbx, ami: Ami, clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Ami:
    """The command where somebody sits, with the manual's profile and a server on which something happens."""
    monkeypatch.delenv("AMI_URL")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setenv("TERM", "xterm")
    clean_environment.write_text(PROFILE.format(address=pbx.address))
    clean_environment.chmod(0o600)
    pbx.bustle(CALL, HANGUP)

    def call(*args: str) -> Said:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)  # pytest's, which comes after the fixtures
        return ami(*args)

    return call


def printed(ami: Ami, pbx: Pbx, command: str) -> str:
    program, *args = shlex.split(command, comments=True)
    assert program == "ami-client"
    said = ami(*args)
    text = said.out + said.err
    if said.status:
        text += f"[exit status {said.status}]\n"
    return re.sub(r"\x1b\[[\d;]*m", "", text).replace(pbx.address, ADDRESS)


def normalized(text: str) -> str:
    """Without what differs from run to run: numbers, and the blanks that a column is filled with."""
    return "\n".join(re.sub(" +", " ", re.sub(r"\d+", "0", line)).rstrip() for line in text.strip().split("\n"))


def test_the_sessions_of_the_manual(at_a_terminal: Ami, pbx: Pbx) -> None:
    """They are run in order, against one server."""
    assert len(EXAMPLES) > 15
    for example in EXAMPLES:
        text = printed(at_a_terminal, pbx, example.command)
        assert normalized(text) == normalized(example.shown), f"cli.rst:{example.line}: {example.command}"


def words_of(command: click.Command) -> Iterator[str]:
    """Whatever can be typed: the command and its options."""
    yield command.name or ""
    for param in command.params:
        if isinstance(param, click.Option):
            yield from param.opts


def test_the_manual_has_every_command() -> None:
    from ami_client.cli.app import cli

    text = PAGE.read_text(encoding="utf-8")
    for name in cli.commands:
        assert re.search(rf"^{name}\n\^+$", text, re.MULTILINE), name
        assert re.search(rf"(^   \$ |``)ami-client {name}\b", text, re.MULTILINE), name


def test_the_man_page_has_every_command_and_option() -> None:
    """It is made of the manual by ``tasks.py docs``, and is committed: an installation makes nothing."""
    from ami_client.cli.app import cli
    from ami_client.cli.failures import Status

    text = MAN_PAGE.read_text(encoding="utf-8").replace("\\-", "-").replace("\\fP", "").replace("\\fB", "")
    assert text.count("\n.SS ami-client ") + text.count('\n.SS "ami-client ') == len(cli.commands)
    for command in (cli, *cli.commands.values()):
        for word in words_of(command):
            assert word in text, f"{command.name}: {word}"
    for status in Status:
        assert re.search(rf"^{int(status)}$", text, re.MULTILINE), status
