#!/usr/bin/env python3
"""What Home Assistant needs of a PBX: the states of its telephones, and user events, until it is unloaded.

home_assistant.py        plays a day on the embedded server
home_assistant.py URL    shows yours, until Ctrl-C; AMI_URL does as well

Nothing here needs Home Assistant. ``custom_components`` beside this file is the integration around it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ami_client import ActionFailed, AMIError, Connection, LoginRefused, Packet
from ami_client.aio import Client
from ami_client.model import Endpoint, Model
from ami_client.testing import FakeAsterisk

FIRST_LISTS = 30.0  # seconds

#: The headers of a user event that are not the dialplan's.
FRAMING = {"event", "privilege", "userevent"}


class CannotSetUp(Exception):
    """The PBX cannot be used. ``key`` is the form's text for it, in strings.json."""

    key = "unknown"


class CannotConnect(CannotSetUp):
    """Nobody answers there, or something else than a PBX. It may pass."""

    key = "cannot_connect"


class InvalidAuth(CannotSetUp):
    """The user, the secret or our address is refused. Only another setting helps."""

    key = "invalid_auth"


class MissingRights(CannotSetUp):
    """The login is right, but the user may not ask for telephones."""

    key = "missing_rights"


def make_client(url: str, **options: Any) -> Client:
    """A client with the events that are wanted here, which connects again after each loss."""
    return Client(url, **{"events": "call,system,user", "reconnect": 2, **options})


def client_for(config: Mapping[str, Any], **options: Any) -> Client:
    """The client for what the form has asked for: host, port, username, password, and whether to use TLS."""
    host = f"[{config['host']}]" if ":" in config["host"] else config["host"]
    url = f"{'tls' if config.get('tls') else 'tcp'}://{host}:{config['port']}"
    return make_client(url, username=config["username"], secret=config["password"], **options)


def explain(error: BaseException) -> CannotSetUp:
    """The error in Home Assistant's terms."""
    is_final = isinstance(error, LoginRefused) and not error.temporary
    return InvalidAuth(str(error)) if is_final else CannotConnect(str(error))


async def log_in(client: Client) -> None:
    """Log in, once, and see whether the user has the right to ask. Raises CannotSetUp."""
    try:
        await client.connect()
        await client.action("DeviceStateList")
    except ActionFailed as error:
        raise MissingRights(f"DeviceStateList: {error}") from error
    except AMIError as error:
        raise explain(error) from error


async def check(config: Mapping[str, Any]) -> None:
    """Try what a user has typed into the form. Raises CannotSetUp, whose ``key`` is the form's error."""
    client = client_for(config, reconnect=None)
    try:
        await log_in(client)
    finally:
        await client.close()


class Coordinator:
    """The telephones of a PBX, as they are now. Its listeners are those of Home Assistant's DataUpdateCoordinator.

    ``data`` has an Endpoint for each device, ``PJSIP/alice``. ``last_update_success`` is False during an outage;
    ``data`` is then what was true before it. ``on_user_event(name, headers)`` hears of events that the dialplan sends,
    ``on_refused()`` when the PBX, after an outage, does not take the login any more.
    """

    def __init__(
        self,
        client: Client,
        on_user_event: Callable[[str, dict[str, str]], object] = lambda name, headers: None,
        on_refused: Callable[[], object] = lambda: None,
    ) -> None:
        self.client = client
        self.last_update_success = False
        self.last_exception: Optional[BaseException] = None
        self._on_user_event = on_user_event
        self._on_refused = on_refused
        self._listeners: list[Callable[[], object]] = []
        self._ready = asyncio.Event()
        self._model = Model(client.pool, calls=False, queues=False)
        self.data: Mapping[Any, Endpoint] = self._model.endpoints
        self._model.on("ready", self._all_known)
        self._model.on("stale", lambda model, server: self._update(CannotConnect("the connection is lost")))
        self._model.on("endpoint_changed", lambda model, endpoint: self.async_update_listeners())

    async def async_first_refresh(self) -> None:
        """Log in, and learn what telephones there are. Raises CannotSetUp; it is all over then."""
        try:
            await log_in(self.client)
            await asyncio.wait_for(self._ready.wait(), FIRST_LISTS)
        except asyncio.TimeoutError as error:
            await self.async_shutdown()
            raise CannotConnect("the PBX does not say what telephones it has") from error
        except BaseException:
            await self.async_shutdown()
            raise
        self.client.on("event_userevent", self._user_event)
        self.client.on("disconnect", self._disconnected)

    def async_add_listener(self, update: Callable[[], object], context: object = None) -> Callable[[], None]:
        """Call ``update()`` after each change. Returns what ends that."""
        self._listeners.append(update)
        return lambda: self._listeners.remove(update)

    def async_update_listeners(self) -> None:
        for update in [*self._listeners]:
            update()

    async def async_shutdown(self) -> None:
        """Log off. Nobody hears of anything any more."""
        self._model.close()
        self.client.off("event_userevent", self._user_event)
        self.client.off("disconnect", self._disconnected)
        await self.client.close()

    def _update(self, error: Optional[CannotSetUp]) -> None:
        self.last_update_success, self.last_exception = error is None, error
        self.async_update_listeners()

    def _all_known(self, model: Model, server: str) -> None:
        self._ready.set()
        self._update(None)

    def _user_event(self, conn: Connection, event: Packet) -> None:
        headers = {name: value for name, value in event.headers if name.lower() not in FRAMING}
        self._on_user_event(event["userevent"], headers)

    def _disconnected(self, conn: Connection) -> None:
        if conn.error is not None and not conn.reconnecting:  # else the model says that it is lost, and that it is back
            self._update(explain(conn.error))
            self._on_refused()


async def show(client: Client) -> None:
    """What Home Assistant would show, until this is cancelled."""
    coordinator = Coordinator(client, lambda name, headers: print("event", name, headers))
    shown: dict[str, str] = {}

    def update() -> None:
        for name, telephone in coordinator.data.items():
            state = telephone.state if coordinator.last_update_success else "unavailable, for the PBX is"
            if shown.get(name) != state:
                shown[name] = state
                print(name, state)

    await coordinator.async_first_refresh()
    try:
        coordinator.async_add_listener(update)
        update()
        await asyncio.get_running_loop().create_future()
    finally:
        await coordinator.async_shutdown()
        print("unloaded")


async def rehearse() -> None:
    """The telephone at the front desk rings, somebody is at the door, the PBX restarts, and nomad is there."""
    states = {"PJSIP/front-desk": "NOT_INUSE", "PJSIP/nomad": "UNAVAILABLE"}

    def change(device: str, state: str) -> None:
        states[device] = state
        pbx.push({"Event": "DeviceStateChange", "Privilege": "call,all", "Device": device, "State": state})

    def restart() -> None:
        pbx.close()
        states.update({"PJSIP/front-desk": "NOT_INUSE", "PJSIP/nomad": "NOT_INUSE"})  # without an event
        pbx.start()

    async def happen(*steps: Callable[[], object]) -> None:
        for step in steps:
            for _ in range(5):  # turns of the loop, so that a slow machine does not put two steps into one
                await asyncio.sleep(0.05)
            step()

    def on_list(request: Any) -> Any:
        asked.append(request)
        # The first one checks. The model asks at the login, and once more, because the server has just started.
        if len(asked) == 3:
            door = {"Event": "UserEvent", "Privilege": "user,all", "UserEvent": "DoorBell", "Door": "back"}
            steps = (lambda: change("PJSIP/front-desk", "RINGING"), lambda: pbx.push(door), restart)
            tasks.append(asyncio.ensure_future(happen(*steps)))
        if len(asked) == 4:  # after the restart
            tasks.append(asyncio.ensure_future(happen(stop.set)))
        entries = [{"Event": "DeviceStateChange", "Device": name, "State": state} for name, state in states.items()]
        end = {"Event": "DeviceStateListComplete", "EventList": "Complete", "ListItems": len(entries)}
        return [{"Response": "Success", "EventList": "start"}, *entries, end]

    asked: list[object] = []
    tasks: list[object] = []
    stop = asyncio.Event()
    with FakeAsterisk(asyncio.get_running_loop()) as pbx:
        del pbx.office.endpoints[1], pbx.office.sip_peers[:], pbx.office.iax_peers[:]
        pbx.on("DeviceStateList", on_list)
        showing = asyncio.ensure_future(show(make_client(pbx.url, reconnect=0.05)))
        await stop.wait()
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def main(url: str) -> None:
    await show(make_client(url))


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("AMI_URL")
    try:
        asyncio.run(main(url) if url else rehearse())
    except KeyboardInterrupt:
        pass
    except CannotSetUp as error:
        sys.exit(f"{error.key}: {error}")
