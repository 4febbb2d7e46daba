"""Recordings: a session with a server as a file of JSON lines, one packet per line.

The first line identifies the format: ``{"ami-recording": 1, ...}``. Each other line is a packet, a request or an end::

    {"t": 0.101, "from": "client", "packet": [["Action", "Ping"], ["ActionID", "a-1"]]}
    {"t": 0.103, "from": "server", "packet": [["Response", "Success"], ["ActionID", "a-1"], ["Ping", "Pong"]]}
    {"t": 9.500, "from": "server", "end": "closed"}

``t`` is in seconds since the start. Data that is not plain header lines, such as the banner, is text in ``raw`` instead
of ``packet``. Bytes that are not UTF-8 are written as ``\\udc80`` to ``\\udcff``. Characters that could control a
terminal are escaped too. ``link`` is the number of the connection; the first one has none.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Optional, Union

from .._engine.text import ENCODING, ENCODING_ERRORS, printable
from .framing import MAX_HELD

#: A path, or an open text file.
File = Union[str, "os.PathLike[str]", IO[str]]

VERSION = 1
#: Maximum number of characters of a recording that is read. A line counts as at least :data:`MIN_LINE`, the memory that
#: it takes.
MAX_SIZE = 1024 * 1024 * 1024
MIN_LINE = 256
#: Maximum number of characters of a line. A recorder holds back this many bytes of a packet, and JSON may need six
#: characters for each.
MAX_LINE = 6 * MAX_HELD + 4 * 1024 * 1024
#: The same for the first line, which identifies the format: other files, such as ``/dev/zero``, may have no line end.
MAX_FIRST_LINE = 1024 * 1024
#: Maximum time in a recording, in seconds: 31 years.
MAX_TIME = 1e9
# Maximum digits of a number. Floats have a limit, and Python needs minutes for a million digits.
_MAX_DIGITS = 300
_MAX_LINK = 1_000_000_000
_EOL = "\r\n"


@dataclass(frozen=True)
class Record:
    """One recorded item. ``time`` is in seconds since the start, ``source`` is ``server`` or ``client``.

    ``data`` are the bytes of one packet or request, including its blank line. ``end`` says instead how that side ended
    the connection. ``link`` is the number of the connection, from 1.
    """

    time: float
    source: str
    data: bytes = b""
    link: int = 1
    end: str = ""

    def to_line(self) -> str:
        """Return the record as a line of JSON, without a line end."""
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
        """Parse a line of JSON. Raises ValueError for anything else."""
        fields = _load(line)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        time, source, link, end = fields.get("t"), fields.get("from"), fields.get("link", 1), fields.get("end", "")
        if isinstance(time, bool) or not isinstance(time, (int, float)) or not 0 <= time <= MAX_TIME:
            raise ValueError(f'"t" must be seconds since the start, from 0 to {MAX_TIME:.0f}')
        if source not in ("server", "client"):
            raise ValueError('"from" must be "server" or "client"')
        if isinstance(link, bool) or not isinstance(link, int) or not 1 <= link <= _MAX_LINK:
            raise ValueError('"link" must be a whole number from 1')
        if not isinstance(end, str):
            raise ValueError('"end" must be a text')
        data = _data_of(fields)
        if bool(end) == (data is not None):
            raise ValueError('one of "packet", "raw" and "end" is required')
        return cls(float(time), source, data or b"", link, end)


class Recording:
    """A recording of one or more connections.

    Attributes: ``records``, in the order of the file; ``info``, the content of its first line.
    """

    def __init__(self, records: Iterable[Record], info: Optional[Mapping[str, object]] = None) -> None:
        self.records = list(records)
        self.info = dict(info or {})

    def __repr__(self) -> str:
        return f"<Recording of {len(self.records)} records, {self.duration:.3f} s>"

    @classmethod
    def load(cls, file: File, *, max_size: int = MAX_SIZE) -> Recording:
        """Read a file. Raises OSError, and ValueError with the line number if it is not a recording.

        It also raises ValueError if the file is longer than ``max_size`` characters, because all of it is kept in
        memory.
        """
        with _opened(file, "r") as lines:
            name = getattr(lines, "name", "recording")
            try:
                return cls._read(_lines_of(lines, max_size), str(name))
            except UnicodeDecodeError as error:
                raise ValueError(f"{name}: not UTF-8: {error.reason} at byte {error.start}") from None

    @classmethod
    def _read(cls, lines: Iterable[str], name: str) -> Recording:
        info: Optional[Mapping[str, object]] = None
        records = []
        number = 1  # of the current line
        try:
            for line in lines:
                if info is None and line.strip():
                    info = _read_info(line)
                elif line.strip():
                    records.append(Record.from_line(line))
                number += 1
        except UnicodeDecodeError:
            raise
        except RecursionError:
            raise ValueError(f"{name}:{number}: nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"{name}:{number}: {error}") from None
        if info is None:
            raise ValueError(f"{name}: not a recording: the file is empty")
        return cls(records, info)

    def save(self, file: File) -> None:
        """Write the recording to a file, including any secrets in it. Raises OSError."""
        with _opened(file, "w") as out:
            writer = RecordingWriter(out, self.info)
            for record in self.records:
                writer.write(record)

    @property
    def banner(self) -> str:
        """The server's first line, without its end; ``""`` if there is none."""
        first = self.data("server").partition(b"\n")[0]
        return "" if first.startswith((b"Response:", b"Event:")) else _text(first).strip()

    @property
    def duration(self) -> float:
        """Time of the last record, in seconds."""
        return max((record.time for record in self.records), default=0.0)

    @property
    def links(self) -> int:
        """Number of connections."""
        return len({record.link for record in self.records})

    def link(self, number: int) -> list[Record]:
        """Return the records of one connection. Numbers start at 1."""
        numbers = sorted({record.link for record in self.records})
        return [record for record in self.records if record.link == numbers[number - 1]]

    def data(self, source: str, link: int = 1) -> bytes:
        """Return all bytes that one side of a connection sent."""
        return b"".join(one.data for one in self.records if (one.source, one.link) == (source, link))


class RecordingWriter:
    """Writes records to an open text file, line by line. The first line has :data:`Recording.info`."""

    def __init__(self, out: IO[str], info: Optional[Mapping[str, object]] = None) -> None:
        self._out = out
        self._out.write(_dump({"ami-recording": VERSION, **(info or {})}) + "\n")

    def write(self, record: Record) -> None:
        """Write one record."""
        self._out.write(record.to_line() + "\n")

    def flush(self) -> None:
        """Flush the file."""
        self._out.flush()


def read_headers(data: bytes) -> Optional[list[tuple[str, str]]]:
    """Return the headers of a packet. None if the packet cannot be restored from them."""
    text = _text(data)
    if not text.endswith(2 * _EOL):
        return None
    pairs = [line.partition(": ") for line in text[: -len(2 * _EOL)].split(_EOL)]
    return [(name, value) for name, _, value in pairs] if all(colon for _, colon, _ in pairs) else None


def write_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the bytes of a packet, including its blank line."""
    lines = [f"{name}: {value}{_EOL}" for name, value in headers]
    return _bytes("".join([*lines, _EOL]))


@contextmanager
def _opened(file: File, mode: str) -> Iterator[IO[str]]:
    if isinstance(file, (str, os.PathLike)):
        with open_text(file, mode) as opened:
            yield opened
    else:
        yield file


def open_text(path: Union[str, os.PathLike[str]], mode: str) -> IO[str]:
    """Open a recording for reading, or create one that only its owner can read.

    An existing file is removed, not overwritten: its mode may be too wide, and another process may have it open. A
    symbolic link raises OSError, because it may point anywhere. A device or a pipe is written to as it is.
    """
    if mode == "w":
        return open(path, "w", encoding="utf-8", newline="\n", opener=_open_anew)
    return open(path, mode, encoding="utf-8", newline="\n")


def _open_anew(path: str, flags: int) -> int:
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except FileNotFoundError:
        kind = stat.S_IFREG
    if kind != stat.S_IFREG:
        return os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC))
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "this is a symbolic link; give the path of the file itself", path)
    with suppress(FileNotFoundError):
        os.unlink(path)
    return os.open(path, flags | os.O_EXCL, 0o600)


def _lines_of(file: IO[str], max_size: int) -> Iterator[str]:
    """Yield the lines of any file. Raises ValueError if a line, or the whole file, is too long."""
    size, most = 0, MAX_FIRST_LINE
    while True:
        line = file.readline(most + 1)
        if not line:
            return
        if len(line) > most:
            raise ValueError(f"a line of more than {most} characters")
        size += max(len(line), MIN_LINE)
        if size > max_size:
            raise ValueError(f"a recording of more than {max_size} characters")
        yield line
        most = MAX_LINE


def _read_info(line: str) -> Mapping[str, object]:
    try:
        info = _load(line)
    except json.JSONDecodeError:
        info = None
    if not isinstance(info, dict) or "ami-recording" not in info:
        raise ValueError('not a recording: it must begin with {"ami-recording": 1}')
    version = info.pop("ami-recording")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"a recording of version {printable(str(version), 40)}; this program reads version {VERSION}")
    return info


def _data_of(fields: Mapping[str, object]) -> Optional[bytes]:
    packet, raw = fields.get("packet"), fields.get("raw")
    if packet is None and raw is None:
        return None
    if isinstance(raw, str) and packet is None:
        return _bytes(raw)
    if not isinstance(packet, list) or raw is not None:
        raise ValueError('"packet" must be a list of headers, "raw" a text')
    pairs = []
    for pair in packet:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise ValueError('a header must be ["name", "value"]')
        pairs.append((pair[0], pair[1]))
    return write_headers(pairs)


def _text(data: bytes) -> str:
    return data.decode(ENCODING, ENCODING_ERRORS)


def _bytes(text: str) -> bytes:
    try:
        return text.encode(ENCODING, ENCODING_ERRORS)
    except UnicodeEncodeError as error:
        raise ValueError(f"a lone surrogate {text[error.start]!r}, which is neither a character nor a byte") from None


def _dump(line: Mapping[str, object]) -> str:
    # Bytes that are not UTF-8 become lone surrogates, which JSON writes as escapes. Escaped as well: characters that
    # control a terminal, for those who view the file there, and characters that some programs take for a line end.
    text = json.dumps(line, ensure_ascii=False)
    return text if text.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _load(line: str) -> Any:
    return json.loads(line, parse_int=_int)


def _int(digits: str) -> int:
    count = len(digits) - digits.startswith("-")
    if count > _MAX_DIGITS:
        raise ValueError(f"a number of {count} digits")
    return int(digits)
