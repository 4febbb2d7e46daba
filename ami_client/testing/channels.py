"""Channels, and their headers in events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from .script import Value

#: Channel states in a call, with Asterisk's texts.
DOWN, RING, RINGING, UP, BUSY = 0, 4, 5, 6, 7
STATE_TEXTS = {DOWN: "Down", RING: "Ring", RINGING: "Ringing", UP: "Up", BUSY: "Busy"}
#: Hangup causes (Q.931) of calls, with Asterisk's texts.
CAUSE_TEXTS = {
    0: "Unknown",
    16: "Normal Clearing",
    17: "User busy",
    19: "User alerting, no answer",
    34: "Circuit/channel congestion",
}

_ESCAPES = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        "'": "\\'",
        '"': '\\"',
        "?": "\\?",
    }
)


def escape(text: str) -> str:
    """Escape ``text`` as a C string, as Asterisk does in a few fields."""
    return text.translate(_ESCAPES)


@dataclass
class Channel:
    """One channel. ``created`` is a reading of the loop's clock."""

    name: str
    uniqueid: str
    linkedid: str
    context: str
    exten: str
    created: float
    state: int = DOWN
    priority: int = 1
    caller_number: str = ""
    caller_name: str = ""
    connected_number: str = ""
    connected_name: str = ""
    account: str = ""
    application: str = ""
    data: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def technology(self) -> str:
        """The technology: ``Local`` of ``Local/100@office-00000001;1``."""
        return self.name.partition("/")[0]

    def snapshot(self, prefix: str = "") -> dict[str, Value]:
        """Return the headers of a channel in its events, with ``prefix`` before their names."""
        headers: dict[str, Value] = {
            "Channel": self.name,
            "ChannelState": self.state,
            "ChannelStateDesc": STATE_TEXTS[self.state],
            "CallerIDNum": known(self.caller_number),
            "CallerIDName": escape(known(self.caller_name)),
            "ConnectedLineNum": known(self.connected_number),
            "ConnectedLineName": escape(known(self.connected_name)),
            "Language": "en",
            "AccountCode": self.account,
            "Context": self.context,
            "Exten": self.exten,
            "Priority": self.priority,
            "Uniqueid": self.uniqueid,
            "Linkedid": self.linkedid,
        }
        return {prefix + name: value for name, value in headers.items()}

    def event(self, name: str, privilege: str = "call", **headers: Value) -> dict[str, Value]:
        """Return an event of this channel. Underscores in the names of ``headers`` become hyphens."""
        extra = {key.replace("_", "-"): value for key, value in headers.items()}
        return {"Event": name, "Privilege": f"{privilege},all", **self.snapshot(), **extra}

    def extension_event(self) -> dict[str, Value]:
        """Return Newexten: the place of the channel in the dialplan."""
        return self.event(
            "Newexten",
            "dialplan",
            Extension=self.exten,
            Application=self.application,
            AppData=self.data,
        )

    def hangup_event(self, cause: int) -> dict[str, Value]:
        """Return Hangup with ``cause``."""
        text = CAUSE_TEXTS.get(cause, "Unknown")
        return self.event("Hangup", Cause=cause, Cause_txt=text)


def known(text: Optional[str]) -> str:
    """Return ``text``, or Asterisk's placeholder for a missing one."""
    return text or "<unknown>"
