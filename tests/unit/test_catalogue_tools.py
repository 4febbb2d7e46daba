"""The generator of the catalogue, on a small documentation: facts, and none of the sentences."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from cases import for_each
from programs import ROOT

XML = """<?xml version="1.0" encoding="UTF-8"?>
<docs xmlns:xi="http://www.w3.org/2001/XInclude">
<manager name="Login" module="builtin">
  <syntax><parameter name="ActionID"><para>Some sentence.</para></parameter></syntax>
</manager>
<manager name="Call" module="app_call">
  <since><version>16.1.0</version><version>4.0.0</version></since>
  <syntax>
    <xi:include xpointer="xpointer(/docs/manager[@name='Login']/syntax/parameter[@name='ActionID'])" />
    <parameter name="Who" required="true"/>
    <parameter name="Variable"><para>To set, multiple Variable: headers are allowed.</para></parameter>
    <parameter name="Line-000000"/>
    <parameter name="HeaderN"/>
    <parameter name="Mode">
      <enumlist><enum name="fast"><para>Quick.</para></enum><enum name="as you like"/></enumlist>
    </parameter>
  </syntax>
</manager>
<managerEvent name="Called" module="app_call">
  <managerEventInstance class="EVENT_FLAG_CALL">
    <syntax><channel_snapshot prefix="Dest"/><parameter name="ReportXSSRC"/></syntax>
  </managerEventInstance>
</managerEvent>
<managerEvent name="Called" module="app_other">
  <managerEventInstance class="EVENT_FLAG_CLASS">
    <syntax>
      <parameter name="More"/>
    </syntax>
  </managerEventInstance>
</managerEvent>
<managerEvent name="Recalled" module="app_call">
  <managerEventInstance class="EVENT_FLAG_CALL">
    <syntax>
      <xi:include xpointer="xpointer(/docs/managerEvent[@name='Called']/managerEventInstance/syntax/parameter[contains(@name, 'ReportX')])" />
    </syntax>
  </managerEventInstance>
</managerEvent>
</docs>
"""  # noqa: E501


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "documentation.py"))


@pytest.fixture
def documentation(tool: dict[str, Any], tmp_path: Path) -> Any:
    path = tmp_path / "core-en_US.xml"
    path.write_text(XML)
    return tool["Documentation"](path)


def test_the_facts_of_an_action(documentation: Any) -> None:
    call = documentation.actions()["Call"]
    assert (call.name, call.modules, call.since) == ("Call", ("app_call",), ("4.0.0", "16.1.0"))
    headers = call.headers
    assert list(headers) == ["actionid", "who", "variable", "line-000000", "mode"]
    assert [header.name for header in headers.values() if header.required] == ["Who"]
    assert [header.name for header in headers.values() if header.repeated] == ["Variable"]
    assert [header.name for header in headers.values() if header.numbered] == ["Line-000000"]
    assert headers["mode"].values == ("fast",)


def test_no_sentence_is_read(documentation: Any) -> None:
    assert "sentence" not in repr(documentation.actions())
    assert "Quick" not in repr(documentation.actions())


def test_an_event_that_several_modules_describe_is_one(documentation: Any) -> None:
    called = documentation.events()["Called"]
    assert called.modules == ("app_call", "app_other")
    assert called.privilege == ("call",)
    assert {"destchannel", "destlinkedid", "report0ssrc", "more"} <= set(called.headers)
    assert called.headers["destchannelstate"].kind == "number"
    assert called.headers["report0ssrc"].numbered
    assert set(documentation.events()["Recalled"].headers) == {"report0ssrc"}


@for_each(
    ("said", "values", "kind"),
    [
        ("The time of it, expressed in seconds since 00:00, Jan 1, 1970 UTC.", (), "time"),
        ("How long to wait (in ms.).", (), "milliseconds"),
        ("How long it was, in seconds.", (), "seconds"),
        ("Set to 'true' to have it.", (), "flag"),
        ("Whatever.", ("yes", "No"), "flag"),
        ("Comma-separated list of them.", (), "words"),
        ("The number of calls.", (), "number"),
        ("Whatever.", ("0", "-1", "17"), "number"),
        ("The phone number.", (), "text"),
        ("Whatever.", ("one", "two"), "text"),
    ],
)
def test_the_kind_of_a_value(tool: dict[str, Any], said: str, values: tuple[str, ...], kind: str) -> None:
    assert tool["kind_of"](said, values) == kind
