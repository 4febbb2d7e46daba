"""Home Assistant with the integration of the examples."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest
from put_together import put_together

from ami_client.testing import FakeAsterisk


@pytest.fixture(scope="session", autouse=True)
def integration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The integration, put together as its page says, where Home Assistant looks for it."""
    configuration = tmp_path_factory.mktemp("configuration")
    put_together(configuration).with_name("__init__.py").touch()
    sys.path.insert(0, str(configuration))
    importlib.import_module("custom_components")  # before that of the harness
    yield
    sys.path.remove(str(configuration))


@pytest.fixture
async def pbx(socket_enabled: None, enable_custom_integrations: None) -> AsyncIterator[FakeAsterisk]:
    """A PBX with two telephones, one of them not registered."""
    states = {"PJSIP/front-desk": "NOT_INUSE", "PJSIP/nomad": "UNAVAILABLE"}
    answer: list[Mapping[str, object]] = [
        {"Response": "Success", "EventList": "start"},
        *({"Event": "DeviceStateChange", "Device": device, "State": state} for device, state in states.items()),
        {"Event": "DeviceStateListComplete", "EventList": "Complete", "ListItems": len(states)},
    ]
    with FakeAsterisk(asyncio.get_running_loop()) as pbx:
        del pbx.office.endpoints[1], pbx.office.sip_peers[:], pbx.office.iax_peers[:]
        pbx.on("DeviceStateList", answer)
        yield pbx
