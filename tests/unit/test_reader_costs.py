"""What a hostile server may cost: memory and the processor's time, whatever it sends and however it cuts it."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import pytest
from engine_client import message

from ami_client._engine.packet import PacketReader
from ami_client.errors import ProtocolError

BANNER = b"Asterisk Call Manager/2.10.6\r\n"  # one whose old Command answers are read as such


def peak(pieces: Iterable[bytes], **options: Any) -> tuple[int, int, ProtocolError | None]:
    """The largest memory that reading took beside the pieces, how many packets came, and the error."""
    reader = PacketReader(**options)
    reader.feed(BANNER)
    count = 0
    tracemalloc.start()
    try:
        for piece in pieces:
            reader.feed(piece)
            count += sum(1 for _ in iter(reader.next_packet, None))
        return tracemalloc.get_traced_memory()[1], count, None
    except ProtocolError as error:
        return tracemalloc.get_traced_memory()[1], count, error
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("byte", [b"x", b"\xff", b" ", b":", b"\0"])
def test_a_line_of_ten_mebibytes_takes_a_few_times_its_size(byte: bytes) -> None:
    piece = byte * 65536
    memory, count, error = peak([b"Event: ", *[piece] * 160, b"\r\n\r\n"])
    assert (count, error) == (1, None)
    assert memory < 12 * 160 * 65536


def test_a_million_headers_are_refused_at_little_cost() -> None:
    header = b"Header-000000: value\r\n"
    piece = header * 1000
    memory, count, error = peak([b"Event: A\r\n", *[piece] * 700, b"\r\n"])
    assert (count, error and error.limit) == (0, "max_lines")
    assert memory < 4 * 700 * len(piece)
    memory, count, error = peak([b"Event: A\r\n", *[piece] * 1000, b"\r\n"])
    assert (count, error and error.limit) == (0, "max_packet")


@pytest.mark.parametrize("flood", [b"\r\n", b"\n", b"\r", b"Event: A\r\n\r\n", b"junk\r\n\r\n", b"Event: A\r\n\n"])
def test_a_flood_without_an_end_takes_no_memory(flood: bytes) -> None:
    memory, _count, error = peak([flood * (5_000 // len(flood))] * 12)
    assert error is None
    assert memory < 30_000  # half of it


def cpu(pieces: list[bytes], banner: bytes) -> float:
    """Seconds of the processor for reading all packets, by the byte."""
    reader = PacketReader()
    reader.feed(banner)
    begin = time.thread_time()
    for piece in pieces:
        reader.feed(piece)
        for _packet in iter(reader.next_packet, None):
            pass
    return (time.thread_time() - begin) / sum(map(len, pieces))


@lru_cache
def ordinary_cpu(banner: bytes) -> float:
    return min(cpu([ORDINARY * (300_000 // len(ORDINARY))], banner) for _ in range(3))


ORDINARY = message("Event: Newexten", "Privilege: dialplan,all", "Channel: SIP/100-00000001", "Uniqueid: 1700000000.1")
HOSTILE = {
    "the rarer blank line": [b"Event: A\r\n\n" * 27_000],
    "old answers with it": [b"Response: Follows\r\n--END COMMAND--\r\n\n" * 8000],
    "blank lines": [b"\r\n" * 150_000],
    "a line of blanks": [b"ActionID:\n" + b" " * 300_000 + b"\r\n\r\n"],
    "half a packet behind many": [b"Event: A\r\n\r\n" * 10_000, b"Event: " + b"x" * 200_000, *[b"x" * 100] * 500],
    "a packet in drops that begins with a blank": [b" Event: " + b"x" * 1_000_000, *[b"x" * 20] * 10_000],
    "lines of junk": [b"j\r\n" * 100_000 + b"\r\n"],
    "junk before each packet": [b"j\r\nEvent: A\r\n\r\n" * 17_000],
}


@pytest.mark.parametrize("banner", [BANNER, b"Asterisk Call Manager/11.0.0\r\n"], ids=["old", "modern"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_stream_costs_much_more_than_an_ordinary_one(name: str, banner: bytes) -> None:
    """Compared by the byte; tiny packets cost up to twenty times as much, what was quadratic several hundred times."""
    limit = 60 * ordinary_cpu(banner)
    assert any(cpu(HOSTILE[name], banner) < limit for _ in range(3)), "thrice, so that other programs do not count"
