"""Stream: one socket and its buffers, TLS in between; bytes in, bytes out."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from fake_network import Network, stream_on

from ami_client._transport.stream import LINGER, RECV_BUDGET, RECV_SIZE

TLS = Path(__file__).resolve().parent.parent / "data" / "tls"


def test_it_is_open_at_once_and_tells_what_arrives(network: Network) -> None:
    _, sock, log = stream_on(network)
    assert log == ["open"]
    network.say(b"one", sock)
    network.say(b"two", sock)
    assert log == ["open", b"one", b"two"]


def test_writes_go_out_at_once(network: Network) -> None:
    stream, sock, _ = stream_on(network)
    stream.write(b"hello")
    assert (sock.sent, stream.buffered) == (b"hello", 0)


def test_partial_sends_lose_and_double_nothing(network: Network) -> None:
    stream, sock, _ = stream_on(network)
    sock.write_size = 7
    data = bytes(range(256))
    stream.write(data)
    stream.write(data)
    network.pump()
    assert sock.sent == data * 2


def test_what_would_block_is_sent_when_there_is_room_in_order(network: Network) -> None:
    stream, sock, _ = stream_on(network)
    sock.room = 3
    stream.write(b"abcdef")
    stream.write(b"ghi")
    assert (sock.take(), stream.buffered) == (b"abc", 6)
    network.pump()
    assert sock.sent == b""
    sock.room = 4
    network.pump()
    assert sock.sent == b"defg"
    sock.room = None
    network.pump()
    assert (sock.sent, stream.buffered) == (b"defghi", 0)


def test_without_anything_to_send_the_loop_is_not_woken(network: Network) -> None:
    stream, sock, _ = stream_on(network)
    sock.room = 0
    stream.write(b"x")
    sock.room = None
    network.pump()
    assert not network.reactor.run_once(0)


def test_writes_while_data_is_handled_go_out_joined(network: Network) -> None:
    sends: list[bytes] = []

    def answer(data: bytes) -> None:
        stream.write(b"one ")
        stream.write(b"two")
        sends.append(sock.sent)

    stream, sock, _ = stream_on(network, on_data=answer)
    network.say(b"ask", sock)
    assert (sends, sock.sent) == ([b""], b"one two")


def test_an_end_comes_after_the_data_and_once(network: Network) -> None:
    _, sock, log = stream_on(network)
    sock.feed(b"last words")
    sock.eof()
    network.pump()
    assert log == ["open", b"last words", ("lost", None)]
    assert sock.closed


def test_a_reset_comes_after_the_data_with_its_error(network: Network) -> None:
    _, sock, log = stream_on(network)
    sock.feed(b"last words")
    sock.reset()
    network.pump()
    assert log.data == b"last words"
    assert [getattr(error, "errno", None) for error in log.losses] == [errno.ECONNRESET]
    assert sock.closed


def test_a_failed_send_is_told_from_the_loop_after_what_was_received(network: Network) -> None:
    stream, sock, log = stream_on(network)
    sock.feed(b"goodbye")
    sock.reset()
    stream.write(b"x")
    stream.write(b"y")
    assert log == ["open"]
    network.pump()
    assert log.data == b"goodbye"
    assert [getattr(error, "errno", None) for error in log.losses] == [errno.ECONNRESET]


def test_a_write_that_fails_while_the_last_words_are_handled_is_no_second_loss(network: Network) -> None:
    stream, sock, log = stream_on(network, on_data=lambda data: stream.write(b"reply"))
    sock.feed(b"goodbye")
    sock.reset()
    stream.write(b"x")
    network.pump()
    assert (log.data, len(log.losses)) == (b"goodbye", 1)


def test_a_long_farewell_is_heard_whole_though_a_send_failed(network: Network) -> None:
    stream, sock, log = stream_on(network)
    words = b"w" * (RECV_SIZE * RECV_BUDGET * 3)
    sock.feed(words)
    sock.reset()
    stream.write(b"x")
    network.pump()
    assert (len(log.data), len(log.losses)) == (len(words), 1)


def test_a_busy_link_leaves_the_loop_after_its_budget(network: Network) -> None:
    _, sock, log = stream_on(network)
    sock.feed(b"x" * (RECV_SIZE * (RECV_BUDGET + 1)))
    network.reactor.run_once(0)
    assert len(log.data) == RECV_SIZE * RECV_BUDGET
    network.pump()
    assert len(log.data) == RECV_SIZE * (RECV_BUDGET + 1)


def test_close_sends_what_is_buffered_and_then_closes(network: Network) -> None:
    stream, sock, log = stream_on(network)
    sock.room = 2
    stream.write(b"abcd")
    stream.close()
    stream.write(b"too late")
    assert not sock.closed
    sock.room = None
    sock.feed(b"nobody listens")
    network.pump()
    assert (sock.sent, sock.closed, log) == (b"abcd", True, ["open"])


def test_close_with_nothing_buffered_closes_at_once(network: Network) -> None:
    stream, sock, _ = stream_on(network)
    stream.close()
    stream.close()
    stream.abort()
    assert sock.closed
    assert network.reactor.run_once(0) is False


def test_close_waits_for_a_server_that_does_not_read_but_not_for_ever(network: Network) -> None:
    stream, sock, log = stream_on(network)
    sock.room = 0
    stream.write(b"abcd")
    stream.close()
    network.wait(LINGER - 0.1)
    assert not sock.closed
    network.wait(0.2)
    assert (sock.closed, log) == (True, ["open"])


def test_a_send_that_fails_after_close_is_the_end_and_told_to_nobody(network: Network) -> None:
    stream, sock, log = stream_on(network)
    sock.room = 0
    stream.write(b"abcd")
    stream.close()
    sock.reset()
    network.pump()
    assert (sock.closed, log) == (True, ["open"])


def test_abort_closes_at_once(network: Network) -> None:
    stream, sock, log = stream_on(network)
    sock.room = 0
    stream.write(b"abcd")
    sock.feed(b"unread")
    stream.abort()
    stream.write(b"more")
    assert (sock.closed, stream.buffered) == (True, 0)
    network.pump()
    assert (sock.sent, log) == (b"", ["open"])


@pytest.mark.parametrize("end", ["close", "abort"])
def test_nothing_comes_after_the_handler_has_closed(network: Network, end: str) -> None:
    stream, sock, log = stream_on(network, on_data=lambda data: getattr(stream, end)())
    sock.read_size = 3
    sock.feed(b"abcdef")
    sock.eof()
    network.pump()
    assert (log, sock.closed) == (["open", b"abc"], True)


def test_a_loss_that_is_known_but_not_told_yet_is_not_told_after_close(network: Network) -> None:
    stream, sock, log = stream_on(network)
    sock.eof()
    network.reactor.run_once(0)  # the end is read, on_lost is due in the next iteration
    assert sock.closed
    stream.close()
    network.pump()
    assert log == ["open"]


@pytest.mark.parametrize("room", [None, 3, 0])
def test_it_closes_when_the_loop_is_closed_already(network: Network, room: int | None) -> None:
    stream, sock, log = stream_on(network)
    network.reactor.close()
    sock.room = 0
    with pytest.raises(RuntimeError):
        stream.write(b"hello")
    sock.room = room
    stream.close()
    assert (sock.sent, sock.closed, log.losses) == (b"hello"[:room], True, [])
