"""The library where names of POSIX systems are missing, and where sockets speak Windows' words.

The kernel's sockets stay those of the system that is there: tests/unit/like_windows.py says what is taken away.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import like_windows
import pytest
from cli_pbx import Ami
from fake_network import Network

import ami_client
from ami_client import Pool, Reactor, _platform, reactor
from ami_client.agi import FastAGI
from ami_client.aio import Client
from ami_client.cli import signals
from ami_client.cli.config import others
from ami_client.cli.output import Output
from ami_client.cli.system import run_asyncio
from ami_client.testing import FakeAsterisk

MODULES = [module.name for module in pkgutil.walk_packages(ami_client.__path__, "ami_client.")]

Load = Callable[[str], Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports a module of the library afresh, as on Windows; what it imports of others is there already."""
    ours: dict[str, ModuleType] = {}
    for name in MODULES:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "ami_client"]:
        ours[name] = sys.modules.pop(name)
    modules: dict[str, Any] = {}
    like_windows.take_away(partial(monkeypatch.setattr, raising=False), monkeypatch.delattr, modules)
    for name, missing in modules.items():
        monkeypatch.setitem(sys.modules, name, missing)

    def load(name: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "platform", "win32")
            return importlib.import_module(name)

    yield load
    for name in [name for name in sys.modules if name.partition(".")[0] == "ami_client"]:
        del sys.modules[name]
    sys.modules.update(ours)


def test_every_module_but_the_screen_s_is_imported(load: Load) -> None:
    refused = []
    for name in MODULES:
        try:
            load(name)
        except ImportError as error:
            refused.append((name, error.name))
    assert refused == [("ami_client.cli.screen", "termios")]


def test_a_session_with_callbacks(load: Load) -> None:
    library, testing = load("ami_client"), load("ami_client.testing")
    assert library.Pool is not Pool
    answers: list[Any] = []
    with library.Reactor() as loop, testing.FakeAsterisk(loop) as server:
        pool = library.Pool(reactor=loop)
        pool.get_connection(server.url, lambda conn: conn.action("Ping", lambda conn, packet: answers.append(packet)))
        while not answers:
            assert loop.run_once(10)
        pool.finish()
    assert answers[0]["ping"] == "pong"


def test_a_session_that_blocks(load: Load) -> None:
    library, blocking, testing = load("ami_client"), load("ami_client.blocking"), load("ami_client.testing")
    with library.Reactor() as loop, testing.FakeAsterisk(loop) as server:
        thread = threading.Thread(target=loop.run)
        thread.start()
        with blocking.Client(server.url) as pbx:
            assert pbx.action("Ping")["ping"] == "Pong"
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def test_a_refused_connection_has_the_system_s_words(load: Load) -> None:
    library = load("ami_client")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    errors: list[Any] = []
    with library.Reactor() as loop:
        pool = library.Pool(reactor=loop)
        pool.get_connection(f"tcp://admin:secret@127.0.0.1:{port}", lambda conn: errors.append(conn.error))
        while not errors:
            loop.run_once(10)
    assert str(errors[0]) == f"cannot connect to 127.0.0.1:{port}: Connection refused"


# -- sockets


def test_the_connector_goes_on_where_connecting_would_block(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errno, "WSAEWOULDBLOCK", like_windows.WSAEWOULDBLOCK, raising=False)
    assert runpy.run_path(_platform.__file__)["IN_PROGRESS"] == {errno.EINPROGRESS, like_windows.WSAEWOULDBLOCK}


def test_a_unix_socket_that_is_busy_is_no_attempt_that_goes_on() -> None:
    assert {errno.EINPROGRESS} == _platform.IN_PROGRESS


def test_without_unix_sockets_their_urls_fail_with_the_reason(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    errors: list[Any] = []
    network.pool().get_connection("unix:/run/asterisk", lambda conn: errors.append(conn.error))
    network.pump()
    assert "this system has no unix sockets; use TCP" in str(errors[0])
    with Reactor() as loop:
        for listen in (lambda: FakeAsterisk(loop, unix_path="/x").start(), lambda: FastAGI("unix:/x", reactor=loop)):
            with pytest.raises(OSError, match="no unix sockets"):
                listen()


def test_two_programs_never_listen_at_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as sock:
        monkeypatch.setattr(os, "name", "nt")
        _platform.reuse_address(sock)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        monkeypatch.setattr(os, "name", "posix")
        _platform.reuse_address(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_a_client_that_is_gone_when_it_is_accepted_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS its socket takes no options any more."""
    with Reactor() as loop, FakeAsterisk(loop) as server, socket.create_connection((server.host, server.port)):
        refused: list[int] = []

        def refuse(sock: socket.socket, level: int, option: int, value: object) -> None:
            refused.append(option)
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(socket.socket, "setsockopt", refuse)
        while not refused:
            assert loop.run_once(10)
        monkeypatch.undo()
    assert refused == [socket.TCP_NODELAY]


# -- loops


def test_select_of_windows_takes_512_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(reactor, "_MOST_ON_WINDOWS", 2)
    first, second = socket.socketpair()
    with first, second, socket.socket() as third, Reactor(selectors.SelectSelector()) as loop:
        for sock in (first, second):
            loop.add_reader(sock, print)
        loop.add_writer(first, print)  # the same socket
        with pytest.raises(ValueError, match="watches 2 sockets at most"):
            loop.add_reader(third, print)


def test_a_closed_socket_is_forgotten_when_select_says_that_it_is_none(expect_log: Callable[[str], None]) -> None:
    class Selector(selectors.SelectSelector):
        def select(self, timeout: float | None = None) -> Any:
            try:
                return super().select(timeout)
            except OSError:
                raise OSError(errno.ENOTSOCK, "not a socket") from None

    expect_log("ERROR: descriptor .* was closed while")
    ours, theirs = socket.socketpair()
    with Reactor(Selector()) as loop, theirs:
        loop.run_once(0)  # makes sockets of its own, which are not to take the place of the closed one
        loop.add_reader(ours, print)
        ours.close()
        called: list[int] = []
        loop.call_soon(called.append, 1)
        loop.run_once(0)
        assert called == [1]


class Proactor(asyncio.BaseEventLoop):
    """A loop without readers, as the default one of Windows."""


def test_a_loop_that_watches_no_sockets_is_refused_with_advice() -> None:
    loop = Proactor()
    try:
        for take in (lambda: Pool(reactor=loop), lambda: FakeAsterisk(loop), lambda: FastAGI(None, reactor=loop)):
            with pytest.raises(TypeError, match=r"Proactor.*run yours on a SelectorEventLoop, asyncio\.run\(main"):
                take()
    finally:
        loop.close()


def test_the_asyncio_client_refuses_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Proactor()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    with pytest.raises(TypeError, match="SelectorEventLoop"):
        Client("tcp://192.0.2.1").pool.reactor  # noqa: B018
    loop.close()


# -- the command


def test_modes_of_files_say_nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o644)
    with (tmp_path / "secret").open() as stream:
        assert others(stream) == "everybody"
        monkeypatch.setattr(os, "name", "nt")
        assert others(stream) == ""


def test_no_pipe_is_watched_there(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with open(reader), open(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert Output().pipe == writer
        monkeypatch.setattr(os, "name", "nt")
        assert Output().pipe is None


def test_top_says_that_it_needs_another_system(ami: Ami, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_client.cli.top.find_spec", lambda name: None)
    said = ami("top", "192.0.2.1")
    assert (said.status, said.err) == (2, "ami-client: top runs on POSIX systems only; there are channels and queues\n")


def test_a_signal_ends_a_loop_that_handles_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise NotImplementedError

    async def main() -> None:
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        monkeypatch.setattr(loop, "add_signal_handler", refuse)
        monkeypatch.setattr(loop, "remove_signal_handler", refuse)
        with signals.stopping(loop, came.set):
            loop.call_soon(signal.raise_signal, signal.SIGTERM)
            await asyncio.wait_for(came.wait(), 10)

    before = signal.getsignal(signal.SIGTERM)
    run_asyncio(main())
    assert signal.getsignal(signal.SIGTERM) is before
