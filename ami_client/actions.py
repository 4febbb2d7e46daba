"""The AMI actions of phpDaemon's client, built on one abstract send method.

Source: phpDaemon Clients/Asterisk/Connection.php.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable, Optional, Union, overload

from ._engine.encode import Params, first_value, fold_name, pairs_of
from ._engine.in_flight import Assertion
from ._engine.quirks import Quirk, as_quirk
from .messages import Action
from .signatures import ListCallback, PacketCallback

if TYPE_CHECKING:
    from typing_extensions import Self

Callback = Optional[Callable[..., object]]

ORIGINATE_TIMEOUT = 30.0  # seconds; Asterisk's default for an Originate without a Timeout
MAX_INT = 2**31 - 1
_NUMBER = r"[+-]?[0-9]{1,30}"  # what the server's sscanf("%30d") reads of a Timeout


class Actions(ABC):
    """The actions that have a method of their own, and :meth:`action` for all others.

    Every method returns the ActionID. ``timeout`` limits the wait for the complete answer, in seconds. None means the
    option ``action_timeout``, infinity means no limit. Each callback is called exactly once: with the answer, with the
    server's error, or with a failure packet whose ``error`` says why no answer came. If ``cb`` is None, the action is
    sent and its answer is ignored.

    With ``retry=True``, an action that is still open when the connection is lost is sent again after the next login to
    the same URL. Its callback gets the connection that answered. Its timeout keeps running. If no other connection is
    being opened, it fails like the others. The server may have executed the action already: a repeated Originate calls
    twice.

    Methods that return a list accept ``on_entry``. ``on_entry(conn, packet)`` is called for each entry when it arrives.
    ``cb`` is called once after the last entry, with an answer without entries: ``packet.events`` is empty, or
    ``packets`` has only the Response and the completing event. So a long list needs no memory, and ``max_answer`` does
    not count the entries. No entries come after an error, a timeout or a loss. With ``retry=True`` they come again
    after a loss, from the first one. If ``on_entry`` raises, the error is logged, and the next entry still comes. An
    answer that is not a list has no entries. ``cb`` may be None.

    Every method raises :class:`~ami_client.errors.ConnectionFinished` on a finished connection,
    :class:`~ami_client.errors.LimitReached` when too many actions wait for the login or for answers, or too many bytes
    wait to be sent, and ValueError or TypeError for parameters that cannot be sent.
    """

    @abstractmethod
    def _send(
        self,
        action: str,
        cb: Callback,
        params: Optional[Params],
        assertions: Optional[Sequence[Assertion]],
        timeout: Optional[float],
        retry: bool,
        quirk: Optional[Quirk] = None,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str:
        """Like :meth:`action`. A list is complete as soon as any of ``assertions`` holds."""

    @abstractmethod
    def _checked(self, cb: PacketCallback[Self], what: str) -> PacketCallback[Self]:
        """Return ``cb`` as a callback. Raise TypeError if it cannot be one; ``what`` names the argument."""

    @abstractmethod
    def _expect_result(self, action_id: str, on_result: PacketCallback[Self], timeout: float) -> None:
        """Call ``on_result(conn, packet)`` with the OriginateResponse of an action that was just sent."""

    @overload
    def action(
        self,
        action: Union[str, Action],
        cb: Optional[PacketCallback[Self]] = None,
        params: Optional[Params] = None,
        assertion: None = None,
        *,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str: ...
    @overload
    def action(
        self,
        action: Union[str, Action],
        cb: Optional[ListCallback[Self]],
        params: Optional[Params],
        assertion: Assertion,
        *,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str: ...
    @overload
    def action(
        self,
        action: Union[str, Action],
        cb: Optional[ListCallback[Self]] = None,
        params: Optional[Params] = None,
        *,
        assertion: Assertion,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str: ...
    def action(
        self,
        action: Union[str, Action],
        cb: Union[PacketCallback[Self], ListCallback[Self], None] = None,
        params: Optional[Params] = None,
        assertion: Optional[Assertion] = None,
        *,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str:
        """Send any action, by its name or as an object of :mod:`ami_client.catalogue.actions`.

        Without ``assertion``: ``cb(conn, packet)``, once. If the server answers with a list, ``packet`` is the
        Response, ``packet.events`` has the entries, and ``packet.complete`` is the event that ended the list.

        With ``assertion``, a mapping of header to value: ``cb(conn, packets)`` with the list of all packets of this
        action, up to and including the first one that has all these values. Case is ignored.

        ``params`` is a mapping or a sequence of pairs. A list value repeats its header. A mapping value becomes one
        header ``k=v`` per item, as ``Variable`` needs it. None is left out. A bool is sent as ``true`` or ``false``. An
        ActionID of your own, of at most 67 bytes, is used as the id. With an action object, ``params`` are sent after
        the object's own.

        ``quirk`` is for a module outside Asterisk whose answers break the rules: a :class:`~ami_client.Quirk`, or the
        name of one of its flags, ``"raw_text"``, ``"single_event"`` or ``"merged_entries"``. The quirks of Asterisk's
        own actions are built in.
        """
        if isinstance(action, Action):
            params = [*action.params.items(), *pairs_of(params)]
            action = action.ami_name
        assertions = None if assertion is None else [assertion]
        exception = None if quirk is None else as_quirk(quirk)
        return self._send(action, cb, params, assertions, timeout, retry, exception, on_entry)

    def get_sip_peers(
        self,
        cb: Optional[ListCallback[Self]],
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str:
        """List the peers of chan_sip (gone in Asterisk 21): ``cb(conn, packets)``, Response first, completing event
        last.

        Source: phpDaemon getSipPeers; Asterisk chan_sip.c, manager_sip_show_peers.
        """
        return self._send("SIPpeers", cb, None, [{"event": "peerlistcomplete"}], timeout, retry, on_entry=on_entry)

    def get_iax_peers(
        self,
        cb: Optional[ListCallback[Self]],
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str:
        """List the peers of chan_iax2: ``cb(conn, packets)``, Response first, completing event last.

        Source: phpDaemon getIaxPeers; Asterisk chan_iax2.c, manager_iax2_show_peer_list.
        """
        return self._send("IAXpeerlist", cb, None, [{"event": "peerlistcomplete"}], timeout, retry, on_entry=on_entry)

    def get_config(
        self, filename: str, cb: Optional[PacketCallback[Self]], *, timeout: Optional[float] = None, retry: bool = False
    ) -> str:
        """Read a configuration file as headers ``category-NNNNNN`` and ``line-NNNNNN-NNNNNN``: ``cb(conn, packet)``.

        Source: phpDaemon getConfig; Asterisk manager.c, action_getconfig.
        """
        _require_text("filename", filename)
        return self.action("GetConfig", cb, {"Filename": filename}, timeout=timeout, retry=retry)

    def get_config_json(
        self, filename: str, cb: Optional[PacketCallback[Self]], *, timeout: Optional[float] = None, retry: bool = False
    ) -> str:
        """Read a configuration file as JSON: ``cb(conn, packet)``. ``packet.json()`` parses it.

        Source: phpDaemon getConfigJSON; Asterisk manager.c, action_getconfigjson.
        """
        _require_text("filename", filename)
        return self.action("GetConfigJSON", cb, {"Filename": filename}, timeout=timeout, retry=retry)

    def set_var(
        self,
        channel: Optional[str],
        variable: str,
        value: object,
        cb: Optional[PacketCallback[Self]],
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
    ) -> str:
        """Set a channel variable, or a global one if ``channel`` is None or empty: ``cb(conn, packet)``.

        Raises ValueError if the variable or the value is missing or empty. ``action("Setvar", ...)`` can send an empty
        value.

        Source: phpDaemon setVar; Asterisk manager.c, action_setvar.
        """
        if channel is not None:
            _require_text("channel", channel)
        _require_text("variable", variable)
        if value is not None and not isinstance(value, (str, bytes, int, float)):
            raise TypeError(f"value must be a str, bytes, int, float or bool, not {type(value).__name__}")
        if not fold_name(variable) or value is None or not fold_name(value):
            raise ValueError("set_var needs a variable and a value; to empty one, use action('Setvar', ...)")
        params: list[tuple[str, object]] = [("Channel", channel)] if channel else []
        return self.action(
            "SetVar", cb, [*params, ("Variable", variable), ("Value", value)], timeout=timeout, retry=retry
        )

    def core_show_channels(
        self,
        cb: Optional[ListCallback[Self]],
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str:
        """List the channels: ``cb(conn, packets)``, Response first, completing event last.

        Source: phpDaemon coreShowChannels; Asterisk manager.c, action_coreshowchannels.
        """
        ends = [{"event": "coreshowchannelscomplete"}, {"eventlist": "complete"}]
        return self._send("CoreShowChannels", cb, None, ends, timeout, retry, on_entry=on_entry)

    def status(
        self,
        cb: Optional[ListCallback[Self]],
        channel: Optional[str] = None,
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Self]] = None,
    ) -> str:
        """Describe all channels, or one: ``cb(conn, packets)``, Response first, completing event last.

        Source: phpDaemon status; Asterisk manager.c, action_status.
        """
        if channel is not None:
            _require_text("channel", channel)
        params = None if channel is None else {"Channel": channel}
        return self._send("Status", cb, params, [{"event": "statuscomplete"}], timeout, retry, on_entry=on_entry)

    def redirect(
        self,
        params: Params,
        cb: Optional[PacketCallback[Self]],
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
    ) -> str:
        """Transfer a channel to another place in the dialplan: ``cb(conn, packet)``.

        ``params``: Channel, Context, Exten, Priority; for a second channel ExtraChannel, ExtraContext, ...

        Source: phpDaemon redirect; Asterisk manager.c, action_redirect.
        """
        return self.action("Redirect", cb, _required(params), timeout=timeout, retry=retry)

    def originate(
        self,
        params: Params,
        cb: Optional[PacketCallback[Self]],
        *,
        on_result: Optional[PacketCallback[Self]] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
    ) -> str:
        """Place a call: ``cb(conn, packet)`` when the server has accepted or refused the attempt.

        ``on_result(conn, packet)`` is also called once, when the call has succeeded or failed. It gets the
        OriginateResponse event (``packet["response"]`` is ``success`` or ``failure``), the refusal, or a failure
        packet. ``packet.error`` is None only if the call was answered. Otherwise it is an
        :class:`~ami_client.errors.ActionFailed`: its ``reason`` is a number, and its message gives the reason in words.

        ``params``: Channel, and Context, Exten and Priority or Application and Data; CallerID, Variable (a mapping),
        Timeout (milliseconds to answer, 30,000 by default), ... ``Async: 1`` is always sent; it replaces a value of
        yours, however you spell its name.

        Source: phpDaemon originate; Asterisk manager.c, action_originate.
        """
        if on_result is not None:
            on_result = self._checked(on_result, "on_result")
            if cb is None:
                cb = _ignore_answer  # only actions with a callback are sent again
        pairs = _asynchronous(pairs_of(_required(params)))
        action_id = self.action("Originate", cb, pairs, timeout=timeout, retry=retry)
        if on_result is not None:
            self._expect_result(action_id, on_result, _time_to_answer(pairs))
        return action_id

    def extension_state(
        self,
        params: Params,
        cb: Optional[PacketCallback[Self]],
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
    ) -> str:
        """Ask for the state of an extension's hint: ``cb(conn, packet)``. ``params``: Exten, Context.

        Source: phpDaemon extensionState; Asterisk manager.c, action_extensionstate.
        """
        return self.action("ExtensionState", cb, _required(params), timeout=timeout, retry=retry)

    def ping(self, cb: Optional[PacketCallback[Self]], *, timeout: Optional[float] = None, retry: bool = False) -> str:
        """Send a Ping: ``cb(conn, packet)``. Source: phpDaemon ping; Asterisk manager.c, action_ping."""
        return self._send("Ping", cb, None, None, timeout, retry)

    def logoff(self, cb: Optional[PacketCallback[Self]] = None, *, timeout: Optional[float] = None) -> str:
        """End the session: ``cb(conn, packet)`` with ``response: goodbye``. Then the server closes the connection.

        Source: phpDaemon logoff; Asterisk manager.c, action_logoff.
        """
        return self.action("Logoff", cb, timeout=timeout)


def _ignore_answer(conn: object, packet: object) -> None:
    """Ignore the answer."""


def _require_text(argument: str, value: object) -> None:
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"{argument} must be a str, not {type(value).__name__}")


def _required(params: Params) -> Params:
    if params is None:
        raise TypeError("params must be a mapping or a sequence of (name, value) pairs, not None")
    return params


def _asynchronous(pairs: Sequence[tuple[str, object]]) -> list[tuple[str, object]]:
    """Return ``pairs`` with exactly one ``Async: 1``. It keeps the caller's spelling and position, or comes last."""
    found = [number for number, (name, _) in enumerate(pairs) if fold_name(name) == "async"]
    if not found:
        return [*pairs, ("Async", 1)]
    changed = [*pairs]
    changed[found[0]] = (pairs[found[0]][0], 1)
    return [pair for number, pair in enumerate(changed) if number not in found[1:]]


def _time_to_answer(pairs: Sequence[tuple[str, object]]) -> float:
    """Return how long Asterisk waits for an answer to the call, in seconds. Source: manager.c, action_originate."""
    found = re.match(_NUMBER, first_value(pairs, "timeout") or "")
    return min(max(0, int(found.group())), MAX_INT) / 1000 if found else ORIGINATE_TIMEOUT
