"""The Home Assistant example: its coordinator, against an embedded server. tests/peers has it in Home Assistant."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any, Callable

import pytest
from example_modules import load

from ami_client.model import Endpoint
from ami_client.testing import FakeAsterisk

example = load("home_assistant")

Listener = Callable[[], object]


class Pbx(FakeAsterisk):
    """A server with two telephones, which tells their states."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.states = {"PJSIP/front-desk": "NOT_INUSE", "PJSIP/nomad": "UNAVAILABLE"}
        del self.office.endpoints[1], self.office.sip_peers[:], self.office.iax_peers[:]
        self.on("DeviceStateList", self.list_states)

    def list_states(self, request: object) -> Any:
        entries = [{"Event": "DeviceStateChange", "Device": one, "State": state} for one, state in self.states.items()]
        end = {"Event": "DeviceStateListComplete", "EventList": "Complete", "ListItems": len(entries)}
        return [{"Response": "Success", "EventList": "start"}, *entries, end]

    def change(self, device: str, state: str) -> None:
        self.states[device] = state
        self.push({"Event": "DeviceStateChange", "Privilege": "call,all", "Device": device, "State": state})

    @property
    def config(self) -> dict[str, Any]:
        return {"host": self.host, "port": self.port, "username": "admin", "password": "secret"}


def with_pbx(work: Callable[[Pbx], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        with ExitStack() as stack:
            pbx = Pbx()
            stack.enter_context(pbx)
            await work(pbx)

    asyncio.run(asyncio.wait_for(run(), 20))


async def until(coordinator: Any, holds: Callable[[], bool]) -> None:
    """Wait until a listener finds that true."""
    found = asyncio.Event()

    def look() -> None:
        if holds():
            found.set()

    remove = coordinator.async_add_listener(look)
    look()
    await found.wait()
    remove()


async def refused(awaited: Coroutine[Any, Any, None]) -> tuple[str, str]:
    """The form's key of the error, and its text."""
    with pytest.raises(example.CannotSetUp) as caught:
        await awaited
    return caught.value.key, str(caught.value)


async def has_logged_off(pbx: Pbx) -> None:
    while pbx.received_actions[-1] != "Logoff":  # the socket is closed at our end
        await asyncio.sleep(0)


def states(coordinator: Any) -> dict[str, str]:
    return {name: one.state for name, one in coordinator.data.items()}


def test_it_knows_the_telephones_and_follows_their_states() -> None:
    async def work(pbx: Pbx) -> None:
        coordinator = example.Coordinator(example.make_client(pbx.url))
        assert not coordinator.last_update_success
        await coordinator.async_first_refresh()
        assert coordinator.last_update_success
        assert states(coordinator) == {"PJSIP/front-desk": "not_inuse", "PJSIP/nomad": "unavailable"}
        pbx.change("PJSIP/nomad", "RINGING")
        await until(coordinator, lambda: states(coordinator)["PJSIP/nomad"] == "ringing")
        contact = {"EndpointName": "nomad", "ContactStatus": "Reachable", "URI": "sip:nomad@192.0.2.9:5060"}
        pbx.push({"Event": "ContactStatus", "Privilege": "system,all", **contact})
        await until(coordinator, lambda: coordinator.data["PJSIP/nomad"].status == "reachable")
        nomad: Endpoint = coordinator.data["PJSIP/nomad"]
        assert (nomad.state, nomad.address) == ("ringing", "192.0.2.9:5060")
        pbx.change("PJSIP/new", "NOT_INUSE")
        await until(coordinator, lambda: "PJSIP/new" in coordinator.data)
        await coordinator.async_shutdown()

    with_pbx(work)


def test_an_outage_is_told_and_what_changed_meanwhile_is_known(expect_log: Any) -> None:
    expect_log("WARNING: .*may have lost parts")
    expect_log("WARNING: .*connecting again")

    async def work(pbx: Pbx) -> None:
        coordinator = example.Coordinator(example.make_client(pbx.url, reconnect=0.02))
        await coordinator.async_first_refresh()
        pbx.drop()
        await until(coordinator, lambda: not coordinator.last_update_success)
        assert str(coordinator.last_exception) == "the connection is lost"
        assert states(coordinator)["PJSIP/nomad"] == "unavailable"
        pbx.states["PJSIP/nomad"] = "INUSE"
        await until(coordinator, lambda: bool(coordinator.last_update_success))
        assert coordinator.last_exception is None
        assert states(coordinator)["PJSIP/nomad"] == "inuse"
        await coordinator.async_shutdown()

    with_pbx(work)


def test_user_events_come_with_the_names_of_the_dialplan() -> None:
    async def work(pbx: Pbx) -> None:
        told: list[tuple[str, dict[str, str]]] = []
        heard = asyncio.Event()

        def on_user_event(name: str, headers: dict[str, str]) -> None:
            told.append((name, headers))
            heard.set()

        coordinator = example.Coordinator(example.make_client(pbx.url), on_user_event)
        await coordinator.async_first_refresh()
        pbx.push({"Event": "UserEvent", "Privilege": "user,all", "UserEvent": "DoorBell", "OpenedBy": "Ann"})
        await heard.wait()
        assert told == [("DoorBell", {"OpenedBy": "Ann"})]
        await coordinator.async_shutdown()

    with_pbx(work)


def test_the_form_says_what_is_wrong(expect_log: Any) -> None:
    async def work(pbx: Pbx) -> None:
        await example.check(pbx.config)
        await has_logged_off(pbx)
        wrong = {**pbx.config, "password": "wr0ng"}
        assert await refused(example.check(wrong)) == ("invalid_auth", "login refused: Authentication failed")
        pbx.on("DeviceStateList", {"Response": "Error", "Message": "Permission denied"})
        expected = ("missing_rights", "DeviceStateList: Permission denied")
        assert await refused(example.check(pbx.config)) == expected
        pbx.close()
        key, text = await refused(example.check(pbx.config))
        assert (key, text.endswith("Connection refused")) == ("cannot_connect", True)

    with_pbx(work)


def test_who_asks_for_tls_at_a_plain_port_cannot_connect() -> None:
    async def work(pbx: Pbx) -> None:
        key, _ = await refused(example.check({**pbx.config, "tls": True}))
        assert key == "cannot_connect"

    with_pbx(work)


def test_a_setup_that_fails_leaves_nothing_behind(expect_log: Any) -> None:
    expect_log("ERROR: .*login refused: Authentication failed")

    async def work(pbx: Pbx) -> None:
        tasks = asyncio.all_tasks()
        pbx.refuse_logins()
        coordinator = example.Coordinator(example.make_client(pbx.url))
        assert (await refused(coordinator.async_first_refresh()))[0] == "invalid_auth"
        assert asyncio.all_tasks() == tasks
        assert len(pbx.requests("Login")) == 1

    with_pbx(work)


def test_a_pbx_that_names_no_telephones_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "FIRST_LISTS", 0.05)

    async def work(pbx: Pbx) -> None:
        pbx.on("Ping", None)  # which the model sends behind its lists
        coordinator = example.Coordinator(example.make_client(pbx.url))
        key, text = await refused(coordinator.async_first_refresh())
        assert (key, text) == ("cannot_connect", "the PBX does not say what telephones it has")
        assert not coordinator.client.connected

    with_pbx(work)


def test_it_logs_off_when_it_is_unloaded_and_tells_nobody() -> None:
    async def work(pbx: Pbx) -> None:
        tasks = asyncio.all_tasks()
        refusals: list[str] = []
        coordinator = example.Coordinator(example.make_client(pbx.url), on_refused=lambda: refusals.append("refused"))
        await coordinator.async_first_refresh()
        told: list[str] = []
        coordinator.async_add_listener(lambda: told.append("update"))
        await coordinator.async_shutdown()
        await has_logged_off(pbx)
        assert (told, refusals) == ([], [])
        assert asyncio.all_tasks() == tasks

    with_pbx(work)


def test_a_secret_that_was_changed_during_an_outage_is_asked_for(expect_log: Any) -> None:
    expect_log("WARNING: .*may have lost parts")
    expect_log("WARNING: .*connecting again")
    expect_log("ERROR: .*login refused: Authentication failed")

    async def work(pbx: Pbx) -> None:
        asked = asyncio.Event()
        coordinator = example.Coordinator(example.make_client(pbx.url, reconnect=0.02), on_refused=asked.set)
        await coordinator.async_first_refresh()
        pbx.refuse_logins()
        pbx.drop()
        await asked.wait()
        assert isinstance(coordinator.last_exception, example.InvalidAuth)
        assert not coordinator.last_update_success
        await coordinator.async_shutdown()

    with_pbx(work)


@pytest.mark.parametrize("host", ["pbx.example.com", "2001:db8::1"])
def test_any_host_can_be_typed(host: str) -> None:
    config = {"host": host, "port": 5038, "username": "ha", "password": "s@p:/#", "tls": True}
    options = example.client_for(config).pool.options
    assert (options.username, options.secret) == ("ha", "s@p:/#")
