"""SIP telephones for the live tests: they ring, answer, refuse, forward, hold and transfer, as they are told.

All of them share one UDP socket on loopback and a thread that reads it. They never register: a server
finds them at ``sip:NAME@127.0.0.1:PORT``. On loopback nothing is lost, so nothing is sent twice. They
say nothing, but send silence while they are up: without media Asterisk leaves Local channels as they are.
"""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

HOST = "127.0.0.1"
LIMIT = 10.0  # seconds

RINGING, OK, BUSY, REJECTED = "180 Ringing", "200 OK", "486 Busy Here", "603 Decline"
CONGESTED, UNKNOWN, NOT_THERE = "503 Service Unavailable", "404 Not Found", "480 Temporarily Unavailable"
CANCELLED = "487 Request Terminated"

_SDP = """v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"""


@dataclass
class Message:
    """A SIP message: its first line, and its headers in order."""

    first: str
    headers: list[tuple[str, str]]
    body: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Message:
        head, _, body = data.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        return cls(
            first, [(name.strip().lower(), value.strip()) for name, _, value in (x.partition(":") for x in lines)], body
        )

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def is_response(self) -> bool:
        return self.first.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        return int(self.first.split()[1])

    @property
    def method(self) -> str:
        return self.get("cseq").split()[-1] if self.is_response else self.first.split()[0]


@dataclass
class Dialog:
    """One side of one call. ``state`` is ``calling``, ``ringing``, ``up`` or ``ended``."""

    phone: Telephone
    call_id: str
    remote: str  # URI that requests go to
    local_tag: str
    state: str
    local_uri: str
    remote_uri: str
    is_caller: bool
    remote_tag: str = ""
    sequence: int = 1
    invite: Message | None = None  # the request that the server sent
    branch: str = ""
    status: int = 0  # of the last answer to our INVITE
    media: int = 0  # port that the server hears us at
    packets: int = 0  # of media sent

    def answer(self) -> None:
        """Take the call that rings here."""
        assert self.invite is not None
        self.state = "up"
        self.phone.kit.respond(self, self.invite, OK, sdp=True)

    def refuse(self, how: str, *headers: tuple[str, str]) -> None:
        """Turn down the call that rings here."""
        assert self.invite is not None
        self.state = "ended"
        self.phone.kit.respond(self, self.invite, how, extra=headers)

    def cancel(self) -> None:
        """Give up a call that nobody has answered yet."""
        self.phone.kit.request(self, "CANCEL", sequence=self.sequence, branch=self.branch, remote_tag=False)

    def hang_up(self, *headers: tuple[str, str]) -> None:
        """End it, whatever its state is."""
        if self.state == "up":
            self.state = "ended"
            self.phone.kit.request(self, "BYE", extra=headers)
        elif self.state in ("calling", "ringing"):
            if self.is_caller:
                self.cancel()
            else:
                self.refuse(BUSY)

    def hold(self) -> None:
        """Put the other side on hold."""
        self.phone.kit.request(self, "INVITE", sdp="sendonly")

    def unhold(self) -> None:
        """Speak with the other side again."""
        self.phone.kit.request(self, "INVITE", sdp="sendrecv")

    def transfer(self, number: str) -> None:
        """Blind transfer: the other side is to call that number in our place."""
        self.phone.kit.request(self, "REFER", extra=[("Refer-To", f"<sip:{number}@{HOST}>")])

    def transfer_to(self, other: Dialog) -> None:
        """Attended transfer: the other side is to speak with that of another dialog in our place."""
        tags = f"{other.call_id};to-tag={other.remote_tag};from-tag={other.local_tag}"
        target = f"<{other.remote_uri}?Replaces={quote(tags, safe='')}>"
        self.phone.kit.request(self, "REFER", extra=[("Refer-To", target)])

    def until(self, *states: str, limit: float = LIMIT) -> Dialog:
        """Wait for one of these states."""
        self.phone.kit.until(lambda: self.state in states, f"{self.phone.name} {self.state}, not {states}", limit)
        return self


@dataclass
class Telephone:
    """A telephone. ``on_ring(dialog)`` is called in the thread when it is called; by default it rings and no more."""

    kit: Telephones
    name: str
    port: int  # where its server listens
    dialogs: list[Dialog] = field(default_factory=list)
    on_ring: Callable[[Dialog], None] | None = None

    def call(self, number: str, name: str = "") -> Dialog:
        """Call a number."""
        own = f"sip:{self.name}@{HOST}:{self.port}"
        target = f"sip:{number}@{HOST}:{self.port}"
        dialog = Dialog(self, self.kit.token(), target, self.kit.token(), "calling", own, target, is_caller=True)
        self.kit.add(dialog)
        self.kit.request(dialog, "INVITE", sdp="sendrecv")
        return dialog

    def answers(self) -> None:
        """From now on take every call as soon as it has rung."""
        self.on_ring = Dialog.answer

    def refuses(self, how: str, *headers: tuple[str, str]) -> None:
        """From now on turn down every call."""
        self.on_ring = lambda dialog: dialog.refuse(how, *headers)

    def rings(self) -> None:
        """From now on let every call ring."""
        self.on_ring = None

    @property
    def dialog(self) -> Dialog:
        """The latest call that has not ended; waits for one."""
        self.kit.until(lambda: any(one.state != "ended" for one in self.dialogs), f"a call at {self.name}")
        return next(one for one in reversed(self.dialogs) if one.state != "ended")

    def until_ringing(self) -> Dialog:
        """Wait until it is called, and return that call."""
        found: list[Dialog] = []

        def rings() -> bool:
            found[:] = [one for one in self.dialogs if one.state == "ringing" and not one.is_caller]
            return bool(found)

        self.kit.until(rings, f"{self.name} to ring")
        return found[-1]


class Telephones:
    """All telephones, and the socket that they share. Usable as a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self._phones: dict[str, Telephone] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._changed = threading.Condition(threading.RLock())
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind((HOST, 0))
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._be_silent)]
        self.log: list[str] = []

    def __enter__(self) -> Telephones:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.sendto(b"", (HOST, self.port))  # wakes the thread, to end it
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()
        self._media.close()

    def telephone(self, name: str, port: int) -> Telephone:
        """A telephone of that name at the server with that SIP port; a new one in place of an older."""
        phone = self._phones[name] = Telephone(self, name, port)
        return phone

    def rest(self) -> None:
        """Hang up everywhere; from then on every telephone only rings."""
        for phone in self._phones.values():
            phone.rings()
            for dialog in phone.dialogs:
                if dialog.state != "ended":
                    dialog.hang_up()
            phone.dialogs.clear()

    def until(self, happened: Callable[[], object], what: str, limit: float = LIMIT) -> None:
        """Wait for something."""
        with self._changed:
            assert self._changed.wait_for(happened, limit), f"in {limit:g} s it did not come to: {what}"

    def token(self) -> str:
        return f"{random.getrandbits(64):016x}"

    def add(self, dialog: Dialog) -> None:
        self._dialogs[dialog.call_id] = dialog
        dialog.phone.dialogs.append(dialog)

    # -- what is sent

    def request(
        self,
        dialog: Dialog,
        method: str,
        *,
        sequence: int | None = None,
        branch: str = "",
        remote_tag: bool = True,
        sdp: str = "",
        extra: list[tuple[str, str]] | tuple[tuple[str, str], ...] = (),
    ) -> None:
        if sequence is None:
            dialog.sequence += 1
            sequence = dialog.sequence
        branch = branch or f"z9hG4bK{self.token()}"
        if method == "INVITE":
            dialog.branch = branch
        to = f"<{dialog.remote_uri}>" + (f";tag={dialog.remote_tag}" if dialog.remote_tag and remote_tag else "")
        headers = [
            ("Via", f"SIP/2.0/UDP {HOST}:{self.port};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<{dialog.local_uri}>;tag={dialog.local_tag}"),
            ("To", to),
            ("Call-ID", dialog.call_id),
            ("CSeq", f"{sequence} {method}"),
            ("Contact", f"<sip:{dialog.phone.name}@{HOST}:{self.port}>"),
            *extra,
        ]
        self._send(f"{method} {dialog.remote} SIP/2.0", headers, self._body(dialog, sdp), dialog.phone.port)

    def respond(
        self,
        dialog: Dialog | None,
        message: Message,
        status: str,
        *,
        sdp: bool = False,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> None:
        copied = [(name, value) for name, value in message.headers if name in ("via", "from", "call-id", "cseq")]
        to = message.get("to")
        if dialog is not None and ";tag=" not in to:
            to += f";tag={dialog.local_tag}"
        name = dialog.phone.name if dialog is not None else "anybody"
        own = () if "Contact" in dict(extra) else (("Contact", f"<sip:{name}@{HOST}:{self.port}>"),)
        headers = [*copied, ("To", to), *own, *extra]
        found = re.search(r":(\d+)", message.get("via"))
        assert found is not None
        body = self._body(dialog, "sendrecv") if sdp and dialog is not None else ""
        self._send(f"SIP/2.0 {status}", headers, body, int(found.group(1)))

    def _body(self, dialog: Dialog, direction: str) -> str:
        port = self._media.getsockname()[1]
        return _SDP.format(version=dialog.sequence, direction=direction, port=port) if direction else ""

    def _send(self, first: str, headers: list[tuple[str, str]], body: str, port: int) -> None:
        if body:
            headers = [*headers, ("Content-Type", "application/sdp")]
        lines = [first, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}", "", body]
        self.log.append(f"> {first} {dict(headers).get('Call-ID') or dict(headers).get('call-id')}")
        self._socket.sendto("\r\n".join(lines).encode("utf-8", "surrogateescape"), (HOST, port))

    def _be_silent(self) -> None:
        while not self._ended.wait(0.02):
            with self._changed:
                talking = [one for one in self._dialogs.values() if one.state == "up" and one.media]
            for one in talking:
                one.packets += 1
                header = struct.pack(
                    "!BBHII", 0x80, 0, one.packets & 0xFFFF, one.packets * 160, int(one.local_tag[:8], 16)
                )
                self._media.sendto(header + b"\xff" * 160, (HOST, one.media))

    # -- what comes

    def _read(self) -> None:
        while True:
            data = self._socket.recv(65536)
            if not data:
                return
            message = Message.parse(data)
            self.log.append(f"< {message.first} {message.get('call-id')}")
            with self._changed:
                if message.is_response:
                    self._answered(message)
                else:
                    self._asked(message)
                self._changed.notify_all()

    def _answered(self, message: Message) -> None:
        dialog = self._dialogs.get(message.get("call-id"))
        if dialog is None or message.method != "INVITE":
            return
        self._hear(dialog, message)
        found = re.search(r"tag=([^;>]+)", message.get("to"))
        if found:
            dialog.remote_tag = found.group(1)
        if message.status < 180:
            return
        if dialog.state in ("calling", "ringing"):
            dialog.status = message.status
        if message.status < 200:
            dialog.state = "ringing"
            return
        sequence = int(message.get("cseq").split()[0])
        if message.status < 300:
            contact = re.search(r"<([^>]+)>", message.get("contact"))
            if contact:
                dialog.remote = contact.group(1)
            self.request(dialog, "ACK", sequence=sequence)
            if dialog.state != "ended":
                dialog.state = "up"
        else:
            self.request(dialog, "ACK", sequence=sequence, branch=dialog.branch)
            if dialog.state != "up":
                dialog.state = "ended"

    def _hear(self, dialog: Dialog, message: Message) -> None:
        found = re.search(r"^m=audio (\d+)", message.body, re.MULTILINE)
        if found:
            dialog.media = int(found.group(1))

    def _asked(self, message: Message) -> None:
        dialog = self._dialogs.get(message.get("call-id"))
        if message.method == "INVITE" and dialog is None:
            self._called(message)
        elif message.method == "CANCEL":
            self.respond(dialog, message, OK)
            if dialog is not None and dialog.state == "ringing" and dialog.invite is not None:
                dialog.state = "ended"
                self.respond(dialog, dialog.invite, CANCELLED)
        elif message.method == "ACK":
            pass
        else:
            if dialog is not None:
                self._hear(dialog, message)
            if message.method == "BYE" and dialog is not None:
                dialog.state = "ended"
            self.respond(dialog, message, OK, sdp=message.method in ("INVITE", "UPDATE"))

    def _called(self, message: Message) -> None:
        found = re.match(r"INVITE sips?:([^@;>\s]+)", message.first)
        phone = self._phones.get(found.group(1)) if found else None
        if phone is None:
            self.respond(None, message, UNKNOWN)
            return
        uri, tag = re.search(r"<([^>]+)>", message.get("from")), re.search(r"tag=([^;>]+)", message.get("from"))
        contact = re.search(r"<([^>]+)>", message.get("contact"))
        own = re.search(r"<([^>]+)>", message.get("to"))
        assert uri and tag and contact and own
        dialog = Dialog(
            phone,
            message.get("call-id"),
            contact.group(1),
            self.token(),
            "ringing",
            own.group(1),
            uri.group(1),
            is_caller=False,
            remote_tag=tag.group(1),
            invite=message,
        )
        self.add(dialog)
        self._hear(dialog, message)
        self.respond(dialog, message, RINGING)
        if phone.on_ring is not None:
            phone.on_ring(dialog)


@contextmanager
def telephones() -> Iterator[Telephones]:
    """Telephones for one test."""
    with Telephones() as kit:
        yield kit
