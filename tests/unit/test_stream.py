"""Stream: one socket and its buffers, TLS in between; bytes in, bytes out."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from wire import Wire, stream_on

from ami_client._transport.stream import LINGER, RECV_BUDGET, RECV_SIZE

TLS = Path(__file__).resolve().parent.parent / "data" / "tls"


def test_it_is_open_at_once_and_tells_what_arrives(wire: Wire) -> None:
    _, sock, log = stream_on(wire)
    assert log == ["open"]
    wire.say(b"one", sock)
    wire.say(b"two", sock)
    assert log == ["open", b"one", b"two"]


def test_writes_go_out_at_once(wire: Wire) -> None:
    stream, sock, _ = stream_on(wire)
    stream.write(b"hello")
    assert (sock.sent, stream.buffered) == (b"hello", 0)


def test_partial_sends_lose_and_double_nothing(wire: Wire) -> None:
    stream, sock, _ = stream_on(wire)
    sock.write_size = 7
    data = bytes(range(256))
    stream.write(data)
    stream.write(data)
    wire.pump()
    assert sock.sent == data * 2


def test_what_would_block_is_sent_when_there_is_room_in_order(wire: Wire) -> None:
    stream, sock, _ = stream_on(wire)
    sock.room = 3
    stream.write(b"abcdef")
    stream.write(b"ghi")
    assert (sock.take(), stream.buffered) == (b"abc", 6)
    wire.pump()
    assert sock.sent == b""
    sock.room = 4
    wire.pump()
    assert sock.sent == b"defg"
    sock.room = None
    wire.pump()
    assert (sock.sent, stream.buffered) == (b"defghi", 0)


def test_without_anything_to_send_the_loop_is_not_woken(wire: Wire) -> None:
    stream, sock, _ = stream_on(wire)
    sock.room = 0
    stream.write(b"x")
    sock.room = None
    wire.pump()
    assert not wire.reactor.run_once(0)


def test_writes_while_data_is_handled_go_out_joined(wire: Wire) -> None:
    sends: list[bytes] = []

    def answer(data: bytes) -> None:
        stream.write(b"one ")
        stream.write(b"two")
        sends.append(sock.sent)

    stream, sock, _ = stream_on(wire, on_data=answer)
    wire.say(b"ask", sock)
    assert (sends, sock.sent) == ([b""], b"one two")


def test_an_end_comes_after_the_data_and_once(wire: Wire) -> None:
    _, sock, log = stream_on(wire)
    sock.feed(b"last words")
    sock.eof()
    wire.pump()
    assert log == ["open", b"last words", ("lost", None)]
    assert sock.closed


def test_a_reset_comes_after_the_data_with_its_error(wire: Wire) -> None:
    _, sock, log = stream_on(wire)
    sock.feed(b"last words")
    sock.reset()
    wire.pump()
    assert log.data == b"last words"
    assert [getattr(error, "errno", None) for error in log.losses] == [errno.ECONNRESET]
    assert sock.closed


def test_a_failed_send_is_told_from_the_loop_after_what_was_received(wire: Wire) -> None:
    stream, sock, log = stream_on(wire)
    sock.feed(b"goodbye")
    sock.reset()
    stream.write(b"x")
    stream.write(b"y")
    assert log == ["open"]
    wire.pump()
    assert log.data == b"goodbye"
    assert [getattr(error, "errno", None) for error in log.losses] == [errno.ECONNRESET]


def test_a_write_that_fails_while_the_last_words_are_handled_is_no_second_loss(wire: Wire) -> None:
    stream, sock, log = stream_on(wire, on_data=lambda data: stream.write(b"reply"))
    sock.feed(b"goodbye")
    sock.reset()
    stream.write(b"x")
    wire.pump()
    assert (log.data, len(log.losses)) == (b"goodbye", 1)


def test_a_long_farewell_is_heard_whole_though_a_send_failed(wire: Wire) -> None:
    stream, sock, log = stream_on(wire)
    words = b"w" * (RECV_SIZE * RECV_BUDGET * 3)
    sock.feed(words)
    sock.reset()
    stream.write(b"x")
    wire.pump()
    assert (len(log.data), len(log.losses)) == (len(words), 1)


def test_a_busy_link_leaves_the_loop_after_its_budget(wire: Wire) -> None:
    _, sock, log = stream_on(wire)
    sock.feed(b"x" * (RECV_SIZE * (RECV_BUDGET + 1)))
    wire.reactor.run_once(0)
    assert len(log.data) == RECV_SIZE * RECV_BUDGET
    wire.pump()
    assert len(log.data) == RECV_SIZE * (RECV_BUDGET + 1)


def test_close_sends_what_is_buffered_and_then_closes(wire: Wire) -> None:
    stream, sock, log = stream_on(wire)
    sock.room = 2
    stream.write(b"abcd")
    stream.close()
    stream.write(b"too late")
    assert not sock.closed
    sock.room = None
    sock.feed(b"nobody listens")
    wire.pump()
    assert (sock.sent, sock.closed, log) == (b"abcd", True, ["open"])


def test_close_with_nothing_buffered_closes_at_once(wire: Wire) -> None:
    stream, sock, _ = stream_on(wire)
    stream.close()
    stream.close()
    stream.abort()
    assert sock.closed
    assert wire.reactor.run_once(0) is False


def test_close_waits_for_a_server_that_does_not_read_but_not_for_ever(wire: Wire) -> None:
    stream, sock, log = stream_on(wire)
    sock.room = 0
    stream.write(b"abcd")
    stream.close()
    wire.wait(LINGER - 0.1)
    assert not sock.closed
    wire.wait(0.2)
    assert (sock.closed, log) == (True, ["open"])


def test_a_send_that_fails_after_close_is_the_end_and_told_to_nobody(wire: Wire) -> None:
    stream, sock, log = stream_on(wire)
    sock.room = 0
    stream.write(b"abcd")
    stream.close()
    sock.reset()
    wire.pump()
    assert (sock.closed, log) == (True, ["open"])


def test_abort_closes_at_once(wire: Wire) -> None:
    stream, sock, log = stream_on(wire)
    sock.room = 0
    stream.write(b"abcd")
    sock.feed(b"unread")
    stream.abort()
    stream.write(b"more")
    assert (sock.closed, stream.buffered) == (True, 0)
    wire.pump()
    assert (sock.sent, log) == (b"", ["open"])


@pytest.mark.parametrize("end", ["close", "abort"])
def test_nothing_comes_after_the_handler_has_closed(wire: Wire, end: str) -> None:
    stream, sock, log = stream_on(wire, on_data=lambda data: getattr(stream, end)())
    sock.read_size = 3
    sock.feed(b"abcdef")
    sock.eof()
    wire.pump()
    assert (log, sock.closed) == (["open", b"abc"], True)


def test_a_loss_that_is_known_but_not_told_yet_is_not_told_after_close(wire: Wire) -> None:
    stream, sock, log = stream_on(wire)
    sock.eof()
    wire.reactor.run_once(0)  # the end is read, on_lost is due in the next iteration
    assert sock.closed
    stream.close()
    wire.pump()
    assert log == ["open"]


@pytest.mark.parametrize("room", [None, 3, 0])
def test_it_closes_when_the_loop_is_closed_already(wire: Wire, room: int | None) -> None:
    stream, sock, log = stream_on(wire)
    wire.reactor.close()
    sock.room = 0
    with pytest.raises(RuntimeError):
        stream.write(b"hello")
    sock.room = room
    stream.close()
    assert (sock.sent, sock.closed, log.losses) == (b"hello"[:room], True, [])
