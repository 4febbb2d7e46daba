"""What a hostile server may say: seeds, words of the protocol, and mutations that know lines and packets."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random

DATA = Path(__file__).resolve().parent.parent / "data"
LARGEST_SEED = 700  # bytes: the longer an input, the fewer are tried

# The ActionIDs that the target's own actions have, and others.
IDS = [b"77-%d" % number for number in range(1, 15)] + [b"ID-3", b"foreign-1", b"", b"x" * 70]
NAMES = b"Event Response ActionID Message EventList ListItems Challenge Output JSON Privilege Ping".split()
NAMES += [b"", b" ", b"\0", b"CallerIDName", b"Reason"]
VALUES = b"Success Error Goodbye Follows Pong start Complete Cancelled cancelled PeerEntry PeerlistComplete".split()
VALUES += b"CoreShowChannelsComplete WaitEventComplete OriginateResponse LineEntry FAXSession Failure 0 1 -1".split()
VALUES += [b"", b"9" * 5000, "\u0661".encode(), "ä€😀".encode(), b"\xff\xc3\xf0\x9f", b'{"a":[1,{"a":2}]}', b"[" * 2000]
ENDS = [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n\n", b"\n\n", b"\n\r\n", b"\r\r\n", b""]
SEPARATORS = [b": ", b":", b" : ", b":\t", b"::", b""]
TEXTS = [
    b"--END COMMAND--",
    b"--END COMMAND--\r\n\r\n",
    b"Response: Follows\r\n",
    b"Response: Follows\r\nPrivilege: Command\r\nActionID: 77-7\r\ntext\n\n--END COMMAND--\r\n\r\n",
    b"Asterisk Call Manager/2.10.6\r\n",
    b"Asterisk Call Manager/11.0.0\r\n",
    b"Response: Success\r\nActionID: 77-2\r\nEventList: start\r\n\r\n",
    b"Event: Entry\r\nActionID: 77-2\r\n\r\n",
    b"Event: Done\r\nActionID: 77-2\r\nEventList: Complete\r\nListItems: 1\r\n\r\n",
    b"Response: Success\r\nActionID: 77-4\r\nEventList: start\r\n\r\nEvent: PeerEntry\r\n\r\n",
    b"Event: LineEntry\r\nActionID: 77-9\r\nEvent: LinelistComplete\r\nActionID: 77-9\r\nEventList: Complete\r\n\r\n",
    b"Event: OriginateResponse\r\nActionID: 77-11\r\nResponse: Failure\r\n\r\n",
    b"\x1b[2J",
    b"x" * 300,
]

WORDS = [*IDS, *NAMES, *VALUES, *ENDS, *SEPARATORS, *TEXTS]


def with_our_ids(data: bytes) -> bytes:
    """A stream of the corpus, whose ActionIDs begin with ``id-``, with those that the target's sessions make."""
    return data.replace(b"id-", b"77-")


def seeds() -> list[bytes]:
    """Streams to begin with: the malformed corpus, and the beginnings and ends of real sessions."""
    found = [with_our_ids(path.read_bytes()) for path in sorted((DATA / "malformed").glob("*.bin"))]
    with tarfile.open(DATA / "transcripts.tar.xz") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            if file is not None and entry.name.endswith(".bin"):
                stream = file.read()
                found += [stream[:LARGEST_SEED], stream[-LARGEST_SEED:]]
    return sorted(set(found), key=len)


def mutate(data: bytes, max_size: int, chance: Random) -> bytes:
    """``data`` changed in a few places."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(_MUTATIONS)(data, chance)
    return data[:max_size]


def _place(data: bytes, chance: Random) -> int:
    return chance.randint(0, len(data))


def _put_word(data: bytes, chance: Random) -> bytes:
    place = _place(data, chance)
    return data[:place] + chance.choice(WORDS) + data[place:]


def _put_header(data: bytes, chance: Random) -> bytes:
    lines = data.split(b"\r\n")
    line = chance.choice(NAMES) + chance.choice(SEPARATORS) + chance.choice(VALUES + IDS)
    lines.insert(chance.randint(0, len(lines)), line)
    return b"\r\n".join(lines)


def _give_id(data: bytes, chance: Random) -> bytes:
    """Make a packet the answer to an action of the target's."""
    packets = data.split(b"\r\n\r\n")
    index = chance.randrange(len(packets))
    packets[index] += b"\r\nActionID: " + chance.choice(IDS)
    return b"\r\n\r\n".join(packets)


def _repeat_packet(data: bytes, chance: Random) -> bytes:
    packets = data.split(b"\r\n\r\n")
    packets.insert(chance.randint(0, len(packets)), chance.choice(packets))
    return b"\r\n\r\n".join(packets)


def _drop_line(data: bytes, chance: Random) -> bytes:
    lines = data.split(b"\r\n")
    del lines[chance.randrange(len(lines))]
    return b"\r\n".join(lines)


def _other_end(data: bytes, chance: Random) -> bytes:
    old, new = chance.choice(ENDS[:6]), chance.choice(ENDS)
    return data.replace(old, new, chance.choice((-1, 1, 3)))


def _change_byte(data: bytes, chance: Random) -> bytes:
    place = _place(data, chance)
    return data[:place] + bytes((chance.randrange(256),)) + data[place + 1 :]


def _cut_out(data: bytes, chance: Random) -> bytes:
    begin, end = sorted((_place(data, chance), _place(data, chance)))
    return data[:begin] + data[end:] if end - begin < len(data) // 2 else data[begin:end]


_Mutation = Callable[[bytes, Random], bytes]
_MUTATIONS: list[_Mutation] = [
    _put_word,
    _put_header,
    _give_id,
    _repeat_packet,
    _drop_line,
    _other_end,
    _change_byte,
    _cut_out,
]
