"""The local address of connections: which of the server's addresses are tried from it, and one that is no address."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator

import pytest
from fake_network import Calls, Network

from ami_client import ConnectFailed, Connection, Pool, Reactor
from ami_client._transport.connector import Connector
from ami_client.testing import FakeAsterisk

V4, V6 = socket.AF_INET, socket.AF_INET6
BOTH = [(V6, ("2001:db8::1", 5038, 0, 0)), (V4, ("192.0.2.1", 5038))]
OWN = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"  # elsewhere loopback has the one
NOWHERE = "192.0.2.99"  # for documentation: of no machine


def attempt(network: Network, local: tuple[str, int] | None, host: str = "pbx.test") -> list[object]:
    """What an attempt reports; the name has an address of each family, the IPv6 one first."""
    got: list[object] = []
    connector = Connector(
        network.reactor,
        host,
        5038,
        timeout=10,
        local=local,
        on_connected=lambda sock, *address: got.append((sock.family, address)),
        on_failed=got.append,
    )
    connector._resolved(list(BOTH), None) if host == "pbx.test" else connector.start()
    network.pump()
    return got


@pytest.mark.parametrize(
    ("local", "family", "reached"),
    [
        (("192.0.2.9", 0), V4, "192.0.2.1"),
        (("0.0.0.0", 0), V4, "192.0.2.1"),
        (("2001:db8::9", 0), V6, "2001:db8::1"),
        (("::", 0), V6, "2001:db8::1"),
    ],
)
def test_the_family_of_the_local_address_is_used(
    network: Network, local: tuple[str, int], family: int, reached: str
) -> None:
    assert attempt(network, local) == [(family, (reached, 5038))]
    (sock,) = network.sockets
    assert isinstance(sock.bound, tuple) and sock.bound[:2] == local
    assert (socket.SOL_SOCKET, socket.SO_REUSEADDR) not in sock.options


def test_the_other_family_is_not_tried_after_a_refusal(network: Network) -> None:
    network.prepare().refuse()
    (error,) = attempt(network, ("192.0.2.9", 0))
    assert isinstance(error, ConnectionRefusedError) and len(network.sockets) == 1


def test_without_one_nothing_is_bound(network: Network) -> None:
    attempt(network, None)
    assert [sock.bound for sock in network.sockets] == [None]


def test_a_port_may_be_in_use_by_the_connection_before(network: Network) -> None:
    attempt(network, ("192.0.2.9", 4000))
    (sock,) = network.sockets
    assert sock.bound == ("192.0.2.9", 4000)
    assert sock.options[socket.SOL_SOCKET, socket.SO_REUSEADDR] == 1


@pytest.mark.parametrize(("local", "host"), [("192.0.2.9", "2001:db8::1"), ("2001:db8::9", "192.0.2.1")])
def test_a_server_without_an_address_of_the_family(network: Network, local: str, host: str) -> None:
    (error,) = attempt(network, (local, 0), host)
    assert isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL
    shown = f"[{local}]" if ":" in local else local
    assert error.strerror == f"the host has no address in the family of local_addr {shown}"
    assert network.sockets == []


def test_an_interface_that_is_not_there(network: Network) -> None:
    (error,) = attempt(network, ("fe80::1%nosuch0", 0))
    assert isinstance(error, OSError) and "local_addr [fe80::1%nosuch0]: no such interface" in str(error)
    assert [sock.closed for sock in network.sockets] == [True]


def test_a_unix_socket_has_none(network: Network) -> None:
    network.pool(local_addr="192.0.2.9").get_connection("unix:/run/ami", Calls())
    network.pump()
    (sock,) = network.sockets
    assert (sock.family, sock.address, sock.bound) == (socket.AF_UNIX, "/run/ami", None)


def test_a_fragment_sets_it_for_one_url(network: Network) -> None:
    pool = network.pool(local_addr=("192.0.2.9", 4000))
    pool.get_connection("192.0.2.1:5038#local_addr=192.0.2.8", Calls())
    network.pump()
    assert network.sockets[0].bound == ("192.0.2.8", 0)


def test_a_malformed_one_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"local_addr must be an IP address, such as 192\.0\.2\.9 .*, not 'eth0'"):
        Pool(local_addr="eth0")
    with pytest.raises(ValueError, match="local_addr"):
        Pool(server="tcp://pbx#local_addr=eth0")


# On real sockets


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    reactor.close()


def outcome(reactor: Reactor, url: str, **options: object) -> Connection:
    """The connection after its login, or the failure of it."""
    pool = Pool(reactor=reactor, **options)
    found: list[Connection] = []
    pool.get_connection(url, found.append)
    while not found:
        reactor.run_once(5)
    pool.finish()
    return found[0]


def test_the_server_sees_it(reactor: Reactor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        pool = Pool(reactor=reactor, local_addr=OWN)
        pool.get_connection(f"127.0.0.1:{listener.getsockname()[1]}", Calls())
        accepted: list[socket.socket] = []
        reactor.add_reader(listener, lambda: accepted.append(listener.accept()[0]))
        while not accepted:
            reactor.run_once(5)
        with accepted[0] as sock:
            assert sock.getpeername()[0] == OWN
        pool.finish()
        reactor.remove_reader(listener)


def test_an_address_of_another_machine(reactor: Reactor) -> None:
    with FakeAsterisk(reactor) as server:
        error = outcome(reactor, server.url, local_addr=(NOWHERE, 4000)).error
    assert isinstance(error, ConnectFailed) and isinstance(error.cause, OSError)
    assert error.cause.errno == errno.EADDRNOTAVAIL
    assert f"local_addr {NOWHERE}:4000: Cannot assign requested address" in str(error)
    assert str(error).startswith("cannot connect to 127.0.0.1:")
