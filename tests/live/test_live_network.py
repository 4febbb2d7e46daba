"""Faults of the network, in namespaces of the tests' own, and a reader that is too slow."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from typing import Callable, NamedTuple

import pytest
from daemon import RECONNECTS, Daemon
from netns import Namespace, Network
from servers import AsteriskServer

from ami_client import ConnectFailed, Connection, ConnectionLost, ConnectTimeout, Packet, SilenceTimeout

# Seconds.
SILENCE = 0.6
CONNECT_TIMEOUT = 0.2
# Of a callback that stops the loop, while the server waits a tenth of a second for the reader.
SLOWNESS = 1.5
# Small ones, so that the server has to wait soon. Bytes: at least, at first, at most.
BUFFERS = "4096 16384 16384"
ENTRIES = 400


class Site(NamedTuple):
    """A server at one end of a cable; the test is at the other."""

    network: Network
    server: AsteriskServer


@pytest.fixture(params=["16", "22"])
def site(request: pytest.FixtureRequest, expect_log: Callable[[str], None]) -> Iterator[Site]:
    """A running server on the other machine; the test runs on the client's."""
    expect_log(RECONNECTS)
    with Network() as network:
        server = AsteriskServer(request.param, network.SERVER)
        with network.server:
            server.start()
        with network.client:
            yield Site(network, server)
        server.kill()
        server.stop()


def test_the_cable_is_cut(site: Site) -> None:
    with Daemon(site.server, timeout=SILENCE, connect_timeout=CONNECT_TIMEOUT) as daemon:
        daemon.connect()
        daemon.load()
        daemon.check()
        site.network.cut()
        once, again = daemon.once("Ping"), daemon.once("Ping that is sent again")
        daemon.conn.ping(once)
        daemon.conn.ping(again, retry=True)
        lost = daemon.until_lost()
        assert isinstance(lost.error, SilenceTimeout)
        assert isinstance(once.result.error, SilenceTimeout)
        assert isinstance(daemon.login().error, ConnectTimeout)
        assert not again.calls
        site.network.mend()
        daemon.until_back(lost)
        daemon.until_called(again)
        assert again.result["ping"] == "pong"
        daemon.settle()


def test_the_network_device_goes_down(site: Site) -> None:
    with Daemon(site.server, timeout=SILENCE) as daemon:
        daemon.connect()
        daemon.load()
        daemon.check()
        site.network.take_down()
        lost = daemon.until_lost()
        assert isinstance(lost.error, SilenceTimeout)
        failure = daemon.login().error
        assert isinstance(failure, ConnectFailed)
        assert isinstance(failure.cause, OSError)
        assert failure.cause.errno == errno.ENETUNREACH
        site.network.bring_up()
        daemon.until_back(lost)
        daemon.settle()


def test_a_half_open_connection(site: Site) -> None:
    """The server is replaced while the cable is cut: the next byte is answered by a reset."""
    with Daemon(site.server) as daemon:
        daemon.connect()
        daemon.check()
        again = daemon.once("Ping that is sent again")
        # A socket that closes with bytes unread ends with a reset, which is lost on its way, and nothing more. All
        # others would go on saying good-bye until the client has heard it.
        site.server.freeze()
        daemon.conn.ping(again, retry=True)
        site.network.cut()
        site.server.kill()
        with site.network.server:
            site.server.start()
        site.network.mend()
        once = daemon.once("Ping")
        half_open = daemon.conn
        assert half_open.connected
        half_open.ping(once)
        lost = daemon.until_lost()
        assert lost is half_open
        assert isinstance(lost.error, ConnectionLost)
        assert isinstance(lost.error.cause, ConnectionResetError)
        assert once.result.error is lost.error
        daemon.until_back(lost)
        daemon.until_called(again)
        assert again.result["ping"] == "pong"
        daemon.settle()


@pytest.mark.parametrize("version", ["16", "22"])
def test_a_reader_that_is_too_slow(version: str, expect_log: Callable[[str], None]) -> None:
    """Asterisk cuts a list short, ends it as if it were whole, and then the connection (ami-protocol.md, 11)."""
    expect_log(RECONNECTS)
    expect_log("^WARNING: .*block took 1")
    namespace = Namespace()
    namespace.set_sysctl("net/ipv4/tcp_wmem", BUFFERS)
    namespace.set_sysctl("net/ipv4/tcp_rmem", BUFFERS)
    with namespace, AsteriskServer(version) as server:
        url = server.url.replace("bench:secret", "impatient:impatient")
        with Daemon(server, url, events="user", slow_handler=1.0) as daemon:
            daemon.connect()
            for number in range(ENTRIES):
                put = {"Family": "slow", "Key": str(number), "Val": "x" * 200}
                daemon.conn.action("DBPut", daemon.once("DBPut"), put)
            daemon.answer(daemon.conn.ping)
            # Nothing is to be sent behind it: a server that closes with bytes unread takes back what it wrote.
            tree = daemon.once("DBGetTree")
            known_at_the_end: list[bool] = []
            daemon.pool.on("disconnect", lambda conn: known_at_the_end.append(tree.result.suspect))
            daemon.conn.ping(block)
            daemon.conn.action("DBGetTree", tree, {"Family": "slow"})
            lost = daemon.until_lost()
            packet: Packet = tree.result
            assert packet.error is None
            assert packet.complete is not None
            assert len(packet.events) < ENTRIES
            # 22 says how many there were. 16 always says 1: what gives it away is the end behind it.
            assert packet.complete["listitems"] == {"16": "1", "22": str(ENTRIES)}[version]
            assert packet.suspect
            assert known_at_the_end == [True]
            assert lost.suspect is packet
            assert daemon.pool.stats.suspects == 1
            daemon.until_back(lost)
            assert daemon.conn.suspect is None
            daemon.settle()
    namespace.close()


def block(conn: Connection, packet: Packet) -> None:
    time.sleep(SLOWNESS)
