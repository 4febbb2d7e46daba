"""TLS: the certificate and its name are checked, unless somebody says in so many words that they are not to be."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from fake_network import Calls, Network
from server_texts import BANNER, WELCOME
from test_stream_tls import TLS, TLSServer

from ami_client import Connection, Pool
from ami_client.errors import TLSFailed
from ami_client.options import Options

ExpectLog = Callable[[str], None]
URL = "tls://joe:s3cr3t@192.0.2.1:5039"  # the address stands in the certificate, which nobody has signed
OTHER = "tls://joe:s3cr3t@192.0.2.99:5039"  # this one does not
TRUSTED = r"WARNING: tls://joe@192\.0\.2\.\d+:5039: .*not checked"


def attempt(network: Network, url: str = URL, **options: Any) -> Connection:
    """Connect to a TLS server, and log in if it comes to that."""
    found: list[Connection] = []
    network.pool(**options).get_connection(url, before_connect=found.append)
    network.pump()
    server = TLSServer(network.sockets[-1], network)
    try:
        server.shake_hands()
        server.write(BANNER)
        server.write(WELCOME)
    except (ssl.SSLError, OSError):
        pass  # the client has hung up; it says why
    return found[0]


def own_context(**attributes: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(TLS / "cert.pem"))
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


# Checked


@pytest.mark.parametrize("options", [{}, {"ssl": True}, {"ssl_verify": True}])
def test_a_certificate_that_nobody_has_signed_is_refused(network: Network, options: dict[str, Any]) -> None:
    conn = attempt(network, **options)
    assert type(conn.error) is TLSFailed and isinstance(conn.error.cause, ssl.SSLCertVerificationError)


def test_nothing_is_sent_to_a_server_that_was_refused(network: Network) -> None:
    attempt(network)
    assert network.sockets[0].closed and b"s3cr3t" not in network.sockets[0].sent


def test_one_that_is_trusted_and_has_the_name_is_taken_without_a_word(network: Network) -> None:
    assert attempt(network, ssl=own_context()).connected


def test_another_name_is_refused(network: Network) -> None:
    conn = attempt(network, OTHER, ssl=own_context())
    assert type(conn.error) is TLSFailed and isinstance(conn.error.cause, ssl.SSLCertVerificationError)


# Not checked


@pytest.mark.parametrize("url", [URL, OTHER])
def test_ssl_verify_off_takes_anybody_and_warns(network: Network, url: str, expect_log: ExpectLog) -> None:
    expect_log(TRUSTED)
    assert attempt(network, url, ssl_verify=False).connected


def test_it_warns_at_each_connection(network: Network, expect_log: ExpectLog, caplog: pytest.LogCaptureFixture) -> None:
    expect_log(TRUSTED)
    for _ in range(3):
        attempt(network, ssl_verify=False)
    assert sum("not checked" in one.getMessage() for one in caplog.records) == 3


def test_it_warns_for_the_option_ssl_as_for_the_url(network: Network, expect_log: ExpectLog) -> None:
    expect_log(r"WARNING: tcp://192\.0\.2\.1.*not checked")
    assert attempt(network, "192.0.2.1", ssl=True, ssl_verify=False).connected


def test_without_tls_there_is_nothing_to_warn_of(network: Network) -> None:
    network.pool(ssl_verify=False).get_connection("192.0.2.1", calls := Calls())
    network.answer_login()
    assert len(calls) == 1


CARELESS: list[dict[str, Any]] = [
    {"check_hostname": False},
    {"check_hostname": False, "verify_mode": ssl.CERT_OPTIONAL},
    {"check_hostname": False, "verify_mode": ssl.CERT_NONE},
]


@pytest.mark.parametrize("attributes", CARELESS)
def test_a_context_of_ones_own_that_checks_less_warns(
    network: Network, attributes: dict[str, Any], expect_log: ExpectLog
) -> None:
    expect_log(TRUSTED)
    assert attempt(network, OTHER, ssl=own_context(**attributes)).connected


def test_the_context_is_left_as_it_was(network: Network) -> None:
    context = own_context()
    attempt(network, ssl=context)
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


# The options


@pytest.mark.parametrize("make", [Options.make, Pool])
def test_both_a_context_and_no_check_contradict_each_other(make: Any) -> None:
    with pytest.raises(ValueError, match="ssl_verify"):
        make(ssl=own_context(), ssl_verify=False)


@pytest.mark.parametrize("wrong", [None, 0, 1, "no", "", ssl.CERT_NONE])
def test_only_false_itself_turns_it_off(wrong: Any) -> None:
    with pytest.raises(TypeError, match="ssl_verify"):
        Options.make(ssl_verify=wrong)


def test_a_url_cannot_turn_it_off(network: Network, expect_log: ExpectLog) -> None:
    expect_log("WARNING: .*unknown parameter 'ssl_verify'")
    conn = attempt(network, URL + "#ssl_verify=0")
    assert type(conn.error) is TLSFailed


@pytest.mark.parametrize("text", ["0", "no"])
def test_nor_can_it_turn_tls_itself_off(network: Network, text: str) -> None:
    conn = attempt(network, f"{URL}#ssl={text}")
    assert type(conn.error) is TLSFailed and b"Action" not in network.sockets[0].sent
