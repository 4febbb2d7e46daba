"""Phones and trunks of one server. No I/O here.

Sources: Asterisk main/devicestate.c, res/res_pjsip/pjsip_options.c, channels/chan_sip.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .._engine.packet import Packet
from .calls import Tell
from .headers import as_sent, device_state, is_internal, told
from .records import Endpoint

# A server that accepts calls from anybody creates a device for each calling address.
MAX_UNLISTED = 2000

_CONTACT_STATES = {
    "reachable": "reachable",
    "avail": "reachable",  # from PJSIPShowContacts
    "unreachable": "unreachable",
    "unavail": "unreachable",
    "removed": "unregistered",
    "nonqualified": "registered",
    "nonqual": "registered",
    "created": "registered",
    "updated": "registered",
}


class Endpoints:
    """All endpoints of a server. Methods named after events apply them."""

    def __init__(self, server: str, tell: Tell) -> None:
        self.server = server
        self.tell = tell
        self.endpoints: dict[str, Endpoint] = {}  # by name
        self._unlisted: dict[str, None] = {}  # endpoints that no list has shown, the latest last
        self._listing = False

    def device_state_change(self, packet: Packet) -> None:
        """DeviceStateChange."""
        device = packet.get("device", "")
        technology, slash, _ = device.partition("/")
        if not slash or ":" in technology or is_internal(device):  # Queue:support_pause_PJSIP/alice is not a phone
            return
        key = device.lower()
        if key not in self.endpoints:
            device = as_sent(packet).get("device", device)
        self._set(device, state=device_state(packet.get("state", "")))

    def peer_status(self, packet: Packet) -> None:
        """PeerStatus: a peer of chan_sip, IAX2 or PJSIP."""
        sent = as_sent(packet)
        if "/" in sent.get("peer", ""):
            changes = {"status": packet.get("peerstatus", "").lower()}
            if sent.get("address"):
                changes["address"] = sent["address"]
            self._set(sent["peer"], **changes)

    def contact_status(self, packet: Packet) -> None:
        """ContactStatus: whether and where a PJSIP endpoint can be reached."""
        sent = as_sent(packet)
        name, status = told(sent.get("endpointname", "")), packet.get("contactstatus", "").lower()
        if name and status in _CONTACT_STATES:
            gone = status == "removed"
            self._set(
                f"PJSIP/{name}", status=_CONTACT_STATES[status], address="" if gone else _host(sent.get("uri", ""))
            )

    def list_entry(self, packet: Packet) -> None:
        """An entry of PJSIPShowEndpoints, PJSIPShowContacts, SIPpeers, IAXpeerlist or DeviceStateList."""
        sent, name = as_sent(packet), packet.event_name
        if name == "endpointlist":
            address = _host(sent.get("contacts", "").partition("/")[2].partition(",")[0])
            self._set(
                f"PJSIP/{sent.get('objectname', '')}", state=device_state(sent.get("devicestate", "")), address=address
            )
        elif name == "contactlist":
            status = _CONTACT_STATES.get(sent.get("status", "").lower())
            if sent.get("endpoint") and status:
                self._set(f"PJSIP/{sent['endpoint']}", status=status)
        elif name == "peerentry":
            self._set(_peer(sent), status=_peer_state(sent.get("status", "")), address=_address(sent))
        elif name == "devicestatechange":
            self.device_state_change(packet)

    def list_all(self, entries: Iterable[Packet]) -> None:
        """All lists together. Endpoints that they do not show are gone."""
        entries = list(entries)
        self._listing = True
        for packet in entries:
            self.list_entry(packet)
        self._listing = False
        present = {name.lower() for name in map(_name_in_list, entries) if name}
        technologies = {name.partition("/")[0] for name in present}
        for key in [one for one in self.endpoints if one not in present and one.partition("/")[0] in technologies]:
            del self.endpoints[key]
            self._unlisted.pop(key, None)
        for key in present:
            self._unlisted.pop(key, None)

    def on_hold(self) -> set[str]:
        """Return the lower-case names of endpoints whose calls are all on hold."""
        return {key for key, one in self.endpoints.items() if one.state == "onhold"}

    def _set(self, name: str, **changes: str) -> None:
        key = name.lower()
        old = self.endpoints.get(key)
        is_new = old is None
        if old is None:
            old = Endpoint(self.server, name, "unknown", "", "")
            self._unlisted[key] = None
            if len(self._unlisted) > MAX_UNLISTED:
                oldest = next(iter(self._unlisted))
                del self._unlisted[oldest]
                self.endpoints.pop(oldest, None)
        elif all(getattr(old, field) == value for field, value in changes.items()):
            return
        new = self.endpoints[key] = replace(old, **changes)
        if not (self._listing and is_new):
            self.tell("endpoint_changed", new)


def _name_in_list(packet: Packet) -> str:
    if packet.event_name == "endpointlist":
        return f"PJSIP/{packet.get('objectname', '')}"
    if packet.event_name == "peerentry":
        return _peer(packet)
    return ""


def _peer(headers: dict[str, str]) -> str:
    """Return the device of an entry of SIPpeers or IAXpeerlist. The user's name may follow that of the peer."""
    driver = headers.get("channeltype", "")
    name = headers.get("objectname", "").partition("/")[0]
    return f"{'IAX2' if driver.upper() == 'IAX' else driver}/{name}"


def _host(uri: str) -> str:
    """Return host and port of a SIP URI: ``sip:alice@192.0.2.7:5060;transport=udp``."""
    return uri.rpartition("@")[2].partition(";")[0].partition(">")[0].replace("sips:", "").replace("sip:", "")


def _address(sent: dict[str, str]) -> str:
    host, port = sent.get("ipaddress", ""), sent.get("ipport") or sent.get("port", "")
    if not host or host in ("-none-", "(null)", "(Unspecified)"):
        return ""
    return f"{host}:{port}" if port not in ("", "0") else host


def _peer_state(status: str) -> str:
    """Return the state in a list of peers: ``OK (5 ms)``, ``UNREACHABLE``, ``LAGGED (3000 ms)``, ``Unmonitored``..."""
    word = status.partition(" ")[0].lower()
    return {"ok": "reachable", "unreachable": "unreachable", "lagged": "lagged"}.get(word, "")
