"""A session with a server as a file: JSON lines, one packet a line.

The first line says what it is, ``{"ami-recording": 1, ...}``. Each other one is a packet, a request, or an end::

    {"t": 0.101, "from": "client", "packet": [["Action", "Ping"], ["ActionID", "a-1"]]}
    {"t": 0.103, "from": "server", "packet": [["Response", "Success"], ["ActionID", "a-1"], ["Ping", "Pong"]]}
    {"t": 9.500, "from": "server", "end": "closed"}

``t`` is in seconds since the start. What is no plain header lines, as the banner, stands as text in ``raw`` instead of
``packet``. Bytes that are not UTF-8 are written ``\\udc80`` to ``\\udcff``. ``link`` is the number of the connection,
left out for the first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Optional, Union

from ..encode import ENCODING, ENCODING_ERRORS

#: A path, or a text file that is open.
File = Union[str, "os.PathLike[str]", IO[str]]

VERSION = 1
_EOL = "\r\n"


@dataclass(frozen=True)
class Record:
    """What passed by: ``time`` in seconds since the start, ``source`` is ``server`` or ``client``.

    ``data`` are the bytes of one packet or request, its blank line included; ``end`` instead says how that side ended.
    ``link`` is the number of the connection, from 1.
    """

    time: float
    source: str
    data: bytes = b""
    link: int = 1
    end: str = ""

    def to_line(self) -> str:
        """Return it as a line of JSON, without its end."""
        line: dict[str, object] = {"t": round(self.time, 3), "from": self.source}
        if self.link != 1:
            line["link"] = self.link
        if self.end:
            line["end"] = self.end
        else:
            headers = read_headers(self.data)
            line["raw" if headers is None else "packet"] = _text(self.data) if headers is None else headers
        return _dump(line)

    @classmethod
    def from_line(cls, line: str) -> Record:
        """Read a line of JSON; ValueError for anything else."""
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        time, source, link = fields.get("t"), fields.get("from"), fields.get("link", 1)
        if isinstance(time, bool) or not isinstance(time, (int, float)) or not 0 <= time < float("inf"):
            raise ValueError('"t" is to be seconds since the start')
        if source not in ("server", "client"):
            raise ValueError('"from" is to be "server" or "client"')
        if isinstance(link, bool) or not isinstance(link, int) or link < 1:
            raise ValueError('"link" is to be a whole number from 1')
        data, end = _data_of(fields), str(fields.get("end", ""))
        if bool(end) == (data is not None):
            raise ValueError('one of "packet", "raw" and "end" is needed')
        return cls(float(time), source, data or b"", link, end)


class Recording:
    """A recorded session, or several connections at a time.

    ``records`` in the order of the file; ``info`` is what its first line says.
    """

    def __init__(self, records: Iterable[Record], info: Optional[Mapping[str, object]] = None) -> None:
        self.records = list(records)
        self.info = dict(info or {})

    def __repr__(self) -> str:
        return f"<Recording of {len(self.records)} records, {self.duration:.3f} s>"

    @classmethod
    def load(cls, file: File) -> Recording:
        """Read a file. Raises OSError, and ValueError that names the line for what is no recording."""
        with _opened(file, "r") as lines:
            name = getattr(lines, "name", "recording")
            try:
                return cls._read(lines, str(name))
            except UnicodeDecodeError as error:
                raise ValueError(f"{name}: not UTF-8: {error.reason} at byte {error.start}") from None

    @classmethod
    def _read(cls, lines: Iterable[str], name: str) -> Recording:
        info: Optional[Mapping[str, object]] = None
        records = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                if info is None:
                    info = _read_info(line)
                else:
                    records.append(Record.from_line(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{name}:{number}: {error}") from None
        if info is None:
            raise ValueError(f"{name}: not a recording: it is empty")
        return cls(records, info)

    def save(self, file: File) -> None:
        """Write it to a file; secrets that are in it stay in it. Raises OSError."""
        with _opened(file, "w") as out:
            writer = RecordingWriter(out, self.info)
            for record in self.records:
                writer.write(record)

    @property
    def banner(self) -> str:
        """The server's first line, without its end; empty when none came."""
        first = self.data("server").partition(b"\n")[0]
        return "" if first.startswith((b"Response:", b"Event:")) else _text(first).strip()

    @property
    def duration(self) -> float:
        """Seconds up to the last record."""
        return max((record.time for record in self.records), default=0.0)

    @property
    def links(self) -> int:
        """How many connections there were."""
        return len({record.link for record in self.records})

    def link(self, number: int) -> list[Record]:
        """Return the records of one connection, from 1 in the order of their numbers."""
        numbers = sorted({record.link for record in self.records})
        return [record for record in self.records if record.link == numbers[number - 1]]

    def data(self, source: str, link: int = 1) -> bytes:
        """Return all bytes of one side of a connection."""
        return b"".join(one.data for one in self.records if (one.source, one.link) == (source, link))


class RecordingWriter:
    """Writes records to an open text file, line by line; what :data:`Recording.info` has goes first."""

    def __init__(self, out: IO[str], info: Optional[Mapping[str, object]] = None) -> None:
        self._out = out
        self._out.write(_dump({"ami-recording": VERSION, **(info or {})}) + "\n")

    def write(self, record: Record) -> None:
        """Write one record."""
        self._out.write(record.to_line() + "\n")

    def flush(self) -> None:
        """Have what was written reach the file."""
        self._out.flush()


def read_headers(data: bytes) -> Optional[list[tuple[str, str]]]:
    """Return the header lines of a packet, from which its bytes can be put together again; None when they cannot."""
    text = _text(data)
    if not text.endswith(2 * _EOL):
        return None
    pairs = [line.partition(": ") for line in text[: -len(2 * _EOL)].split(_EOL)]
    return [(name, value) for name, _, value in pairs] if all(colon for _, colon, _ in pairs) else None


def write_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the bytes of a packet, its blank line included."""
    lines = [f"{name}: {value}{_EOL}" for name, value in headers]
    return "".join([*lines, _EOL]).encode(ENCODING, ENCODING_ERRORS)


@contextmanager
def _opened(file: File, mode: str) -> Iterator[IO[str]]:
    if isinstance(file, (str, os.PathLike)):
        with open_text(file, mode) as opened:
            yield opened
    else:
        yield file


def open_text(path: Union[str, os.PathLike[str]], mode: str) -> IO[str]:
    """Open a recording; a new one can be read by its owner alone."""
    return open(path, mode, encoding="utf-8", newline="\n", opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _read_info(line: str) -> Mapping[str, object]:
    info = json.loads(line)
    if not isinstance(info, dict) or "ami-recording" not in info:
        raise ValueError('not a recording: it is to begin with {"ami-recording": 1}')
    version = info.pop("ami-recording")
    if version != VERSION:
        raise ValueError(f"a recording of version {version}; this reads version {VERSION}")
    return info


def _data_of(fields: Mapping[str, object]) -> Optional[bytes]:
    packet, raw = fields.get("packet"), fields.get("raw")
    if packet is None and raw is None:
        return None
    if isinstance(raw, str) and packet is None:
        return raw.encode(ENCODING, ENCODING_ERRORS)
    if not isinstance(packet, list) or raw is not None:
        raise ValueError('"packet" is to be a list of headers, or "raw" a text')
    pairs = []
    for pair in packet:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise ValueError('a header is to be ["name", "value"]')
        pairs.append((pair[0], pair[1]))
    return write_headers(pairs)


def _text(data: bytes) -> str:
    return data.decode(ENCODING, ENCODING_ERRORS)


def _dump(line: Mapping[str, object]) -> str:
    # What is not UTF-8 stands as a lone surrogate, which is written as JSON's escape of the same form.
    text = json.dumps(line, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
