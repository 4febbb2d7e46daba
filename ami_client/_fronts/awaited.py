"""The documented actions as awaitable methods.

Generated from ami_client/actions.py by ``python tasks.py fronts``: do not edit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Optional, Union, overload

from .._engine.encode import Params
from .._engine.in_flight import Assertion
from .._engine.quirks import Quirk
from ..connection import Connection
from ..messages import Action
from ..packet import Packet
from ..signatures import PacketCallback
from .answer import Answer


class AwaitedActions(ABC):
    """The actions that have a method of their own, and :meth:`action` for all others.

    Awaiting one returns the answer.
    Each raises :class:`~ami_client.errors.ActionFailed` if the server answers with an error, and another
    :class:`~ami_client.errors.AMIError` if no answer comes.

    ``timeout`` limits the wait for the complete answer, in seconds. None means the option ``action_timeout``, infinity
    means no limit. With the option ``reconnect``, an action during an outage waits for the next login, within its
    timeout.
    With ``retry=True``, an action that is still open when the connection is lost is sent again after the next login.
    ``on_entry(conn, packet)`` is called for each entry of a list when it arrives. The answer then has no entries.
    """

    @abstractmethod
    def _ask(self, method: str, **kwargs: Any) -> Answer[Any]:
        """Call a method of the connection with these arguments. Return the answer, or raise the error."""

    @overload
    def action(
        self,
        action: Union[str, Action],
        params: Optional[Params] = None,
        assertion: None = None,
        *,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[Packet]: ...

    @overload
    def action(
        self,
        action: Union[str, Action],
        params: Optional[Params],
        assertion: Assertion,
        *,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[list[Packet]]: ...

    @overload
    def action(
        self,
        action: Union[str, Action],
        params: Optional[Params] = None,
        *,
        assertion: Assertion,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[list[Packet]]: ...

    def action(
        self,
        action: Union[str, Action],
        params: Optional[Params] = None,
        assertion: Optional[Assertion] = None,
        *,
        quirk: Union[str, Quirk, None] = None,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[Any]:
        """Send any action. Return the server's answer.

        If the server answers with a list, ``packet.events`` has the entries, and ``packet.complete`` is the event that
        ended the list. With ``assertion``, a mapping of header to value, the answer is the list of all packets of this
        action, up to and including the first one that has all these values. Case is ignored.

        ``params`` is a mapping or a sequence of pairs. A list value repeats its header. A mapping value becomes one
        header ``k=v`` per item, as ``Variable`` needs it. None is left out. A bool is sent as ``true`` or ``false``.

        ``quirk`` is for a module outside Asterisk whose answers break the rules: a :class:`~ami_client.Quirk`, or the
        name of one of its flags.
        """
        return self._ask(
            "action",
            action=action,
            params=params,
            assertion=assertion,
            quirk=quirk,
            timeout=timeout,
            retry=retry,
            on_entry=on_entry,
        )

    def get_sip_peers(
        self,
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[list[Packet]]:
        """List the peers of chan_sip (gone in Asterisk 21).

        Returns all packets: the Response first, the completing event last.

        Source: phpDaemon getSipPeers; Asterisk chan_sip.c, manager_sip_show_peers.
        """
        return self._ask("get_sip_peers", timeout=timeout, retry=retry, on_entry=on_entry)

    def get_iax_peers(
        self,
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[list[Packet]]:
        """List the peers of chan_iax2.

        Returns all packets: the Response first, the completing event last.

        Source: phpDaemon getIaxPeers; Asterisk chan_iax2.c, manager_iax2_show_peer_list.
        """
        return self._ask("get_iax_peers", timeout=timeout, retry=retry, on_entry=on_entry)

    def get_config(self, filename: str, *, timeout: Optional[float] = None, retry: bool = False) -> Answer[Packet]:
        """Read a configuration file as headers ``category-NNNNNN`` and ``line-NNNNNN-NNNNNN``.

        Returns the server's answer.

        Source: phpDaemon getConfig; Asterisk manager.c, action_getconfig.
        """
        return self._ask("get_config", filename=filename, timeout=timeout, retry=retry)

    def get_config_json(self, filename: str, *, timeout: Optional[float] = None, retry: bool = False) -> Answer[Packet]:
        """Read a configuration file as JSON. ``packet.json()`` parses it.

        Returns the server's answer.

        Source: phpDaemon getConfigJSON; Asterisk manager.c, action_getconfigjson.
        """
        return self._ask("get_config_json", filename=filename, timeout=timeout, retry=retry)

    def set_var(
        self,
        channel: Optional[str],
        variable: str,
        value: object,
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
    ) -> Answer[Packet]:
        """Set a channel variable, or a global one if ``channel`` is None or empty.

        Returns the server's answer.

        Raises ValueError if the variable or the value is missing or empty. ``action("Setvar", ...)`` can send an empty
        value.

        Source: phpDaemon setVar; Asterisk manager.c, action_setvar.
        """
        return self._ask("set_var", channel=channel, variable=variable, value=value, timeout=timeout, retry=retry)

    def core_show_channels(
        self,
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[list[Packet]]:
        """List the channels.

        Returns all packets: the Response first, the completing event last.

        Source: phpDaemon coreShowChannels; Asterisk manager.c, action_coreshowchannels.
        """
        return self._ask("core_show_channels", timeout=timeout, retry=retry, on_entry=on_entry)

    def status(
        self,
        channel: Optional[str] = None,
        *,
        timeout: Optional[float] = None,
        retry: bool = False,
        on_entry: Optional[PacketCallback[Connection]] = None,
    ) -> Answer[list[Packet]]:
        """Describe all channels, or one.

        Returns all packets: the Response first, the completing event last.

        Source: phpDaemon status; Asterisk manager.c, action_status.
        """
        return self._ask("status", channel=channel, timeout=timeout, retry=retry, on_entry=on_entry)

    def redirect(self, params: Params, *, timeout: Optional[float] = None, retry: bool = False) -> Answer[Packet]:
        """Transfer a channel to another place in the dialplan.

        Returns the server's answer.

        ``params``: Channel, Context, Exten, Priority; for a second channel ExtraChannel, ExtraContext, ...

        Source: phpDaemon redirect; Asterisk manager.c, action_redirect.
        """
        return self._ask("redirect", params=params, timeout=timeout, retry=retry)

    def originate(self, params: Params, *, timeout: Optional[float] = None, retry: bool = False) -> Answer[Packet]:
        """Place a call. Return the OriginateResponse event when the call is answered.

        Raises :class:`~ami_client.errors.ActionFailed` if the server refuses the attempt or the call is not
        answered. In the second case ``reason`` is a number, and the message gives the reason in words. To continue as
        soon as the server has accepted the attempt, use ``action("Originate", {..., "Async": True})``.

        ``params``: Channel, and Context, Exten and Priority or Application and Data; CallerID, Variable (a mapping),
        Timeout (milliseconds to answer, 30,000 by default), ...

        Source: phpDaemon originate; Asterisk manager.c, action_originate.
        """
        return self._ask("originate", params=params, timeout=timeout, retry=retry)

    def extension_state(
        self, params: Params, *, timeout: Optional[float] = None, retry: bool = False
    ) -> Answer[Packet]:
        """Ask for the state of an extension's hint. ``params``: Exten, Context.

        Returns the server's answer.

        Source: phpDaemon extensionState; Asterisk manager.c, action_extensionstate.
        """
        return self._ask("extension_state", params=params, timeout=timeout, retry=retry)

    def ping(self, *, timeout: Optional[float] = None, retry: bool = False) -> Answer[Packet]:
        """Send a Ping.

        Returns the server's answer.

        Source: phpDaemon ping; Asterisk manager.c, action_ping.
        """
        return self._ask("ping", timeout=timeout, retry=retry)

    def logoff(self, *, timeout: Optional[float] = None) -> Answer[Packet]:
        """End the session. Return the server's Goodbye. Then the server closes the connection.

        Source: phpDaemon logoff; Asterisk manager.c, action_logoff.
        """
        return self._ask("logoff", timeout=timeout)

    async def command(self, command: str, *, timeout: Optional[float] = None, retry: bool = False) -> list[str]:
        """Run a command of Asterisk's command line. Return the lines that it prints.

        Source: Asterisk manager.c, action_command.
        """
        answer = await self.action("Command", {"Command": command}, timeout=timeout, retry=retry)
        return answer.output
