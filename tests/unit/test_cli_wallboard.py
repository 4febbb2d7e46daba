"""``ami-client wallboard`` against the embedded server."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from cases import for_each
from cli_pbx import Ami, ExpectLog, Pbx
from commands import Command, Commands
from wallboard_page import messages, pages, states, until_ready

FREE = ("--listen", "127.0.0.1:0")
TOKEN = "0123456789abcdef"


def start(commands: Commands, pbx: Pbx, *args: str) -> tuple[Command, str]:
    """The command, and where its page is."""
    command = commands.start("wallboard", *FREE, *args, env={"AMI_URL": pbx.url})
    return command, command.stdout.readline().strip()


def test_the_page_shows_what_goes_on_at_the_server(pbx: Pbx, ami: Ami, commands: Commands) -> None:
    command, url = start(commands, pbx)
    assert url.startswith("http://127.0.0.1:")
    whole = until_ready(url)
    assert [one["name"] for one in whole["queues"].values()] == ["helpline", "night"]
    assert "secret" not in json.dumps(whole) and "admin" not in json.dumps(whole)
    page = pages(url)
    next(page)
    ami("originate", "PJSIP/front-desk", "101@office", "--caller-id", "Door <8>")
    (call,) = next(one["calls"] for one in page if one["calls"]).values()
    assert call["caller"] == ["Door", "8"]
    command.send_signal(signal.SIGTERM)
    assert command.communicate() == ("", "")
    assert command.returncode == -signal.SIGTERM or command.returncode == 128 + signal.SIGTERM
    assert pbx.server.received_actions[-1] == "Logoff"


def test_it_stays_through_a_restart_of_the_server(pbx: Pbx, commands: Commands) -> None:
    command, url = start(commands, pbx)
    until_ready(url)
    shown = (states(page) for page in pages(url))
    assert next(shown) == {"ready"}
    pbx.do(pbx.server.close)
    assert {"stale"} in shown
    pbx.do(pbx.server.start)
    assert {"ready"} in shown
    command.send_signal(signal.SIGTERM)
    lost, back = command.communicate()[1].splitlines()
    assert lost.endswith("; reconnecting") and back.endswith("connected again")


def test_it_waits_for_a_server_that_is_not_there_yet(pbx: Pbx, commands: Commands) -> None:
    pbx.do(pbx.server.close)
    command, url = start(commands, pbx)
    assert next(messages(url))["servers"][0]["state"] == "stale"
    assert "Connection refused" in command.stderr.readline()
    pbx.do(pbx.server.start)
    until_ready(url)


def test_several_servers_are_on_one_page(pbx: Pbx, commands: Commands) -> None:
    other = Pbx()
    try:
        command = commands.start("wallboard", *FREE, pbx.url, other.url)
        url = command.stdout.readline().strip()
        assert [one["name"] for one in next(messages(url))["servers"]] == [pbx.address, other.address]
    finally:
        other.close()


def test_it_ends_after_a_while_and_says_where_it_is(pbx: Pbx, ami: Ami) -> None:
    said = ami("wallboard", *FREE, "--timeout", "0.1")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("http://127.0.0.1:")
    (line,) = ami("wallboard", *FREE, "--timeout", "0.1", "--json").objects
    assert line["url"].startswith("http://127.0.0.1:")


def test_without_a_token_it_listens_on_loopback_only(pbx: Pbx, ami: Ami, tmp_path: Path) -> None:
    said = ami("wallboard", "--listen", "0.0.0.0:0")
    assert said.status == 2 and "0.0.0.0 can be reached from elsewhere: --token-file FILE" in said.err
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    said = ami("wallboard", "--listen", "0.0.0.0:0", "--token-file", str(token), "--timeout", "0.1")
    assert said.status == 0 and said.out.startswith("http://0.0.0.0:")
    assert TOKEN not in said.out + said.err


def test_a_short_token_is_none(pbx: Pbx, ami: Ami, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("short")
    token.chmod(0o600)
    said = ami("wallboard", *FREE, "--token-file", str(token))
    assert said.status == 2 and "shorter than 16 characters" in said.err


@for_each("address", ["8080", "localhost:", ":8080", "127.0.0.1:http", "127.0.0.1:99999", "::1:8080"])
def test_what_is_no_address_is_refused(address: str, pbx: Pbx, ami: Ami) -> None:
    said = ami("wallboard", "--listen", address)
    assert said.status == 2 and "is not HOST:PORT" in said.err


def test_an_address_that_is_taken(pbx: Pbx, ami: Ami) -> None:
    said = ami("wallboard", "--listen", pbx.address)
    assert said.status == 2 and f"cannot listen on {pbx.address}: " in said.err


def test_a_login_that_is_refused_ends_it(pbx: Pbx, ami: Ami, expect_log: ExpectLog) -> None:
    expect_log("login refused")
    said = ami("wallboard", *FREE, pbx.url.replace(":secret@", ":wrong@"))
    assert said.status == 4 and "check user and secret" in said.err


def test_it_says_what_is_to_be_installed(pbx: Pbx, ami: Ami, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_client.cli.wallboard.find_spec", lambda name: None)
    said = ami("wallboard")
    assert said.status == 2 and "pip install 'ami-client[cli,web]'" in said.err
