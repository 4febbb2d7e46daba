"""What the demonstration shows: actions, answers and events are told apart."""

from __future__ import annotations

import re

import pytest

from ami_client import demo

LINE = re.compile(r" *\d+\.\d{3} (action|answer|event|result|      )  (.*)")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Of each line what it is and what it says."""
    monkeypatch.setattr(demo, "TALK", 0.01)
    assert demo.main(["demo"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = [LINE.fullmatch(line) for line in said.out.splitlines()]
    return [(match[1].strip(), match[2].strip()) for match in found if match is not None or pytest.fail(said.out)]


def test_every_line_says_what_it_is(shown: list[tuple[str, str]]) -> None:
    assert {kind for kind, _ in shown} == {"", "action", "answer", "event", "result"}
    for kind, text in shown:
        assert text
        if "FullyBooted" in text or text.startswith(("New", "Dial", "VarSet")):
            assert kind == "event", text
    assert ("result", "OriginateResponse: answered") in shown


def test_the_answer_to_an_action_is_its_own(shown: list[tuple[str, str]]) -> None:
    first = shown.index(("action", "PJSIPShowEndpoints"))
    last = shown.index(("action", "QueueSummary"))
    answer = [text for kind, text in shown[first:last] if kind == "answer"]
    assert [text.split()[0] for text in answer] == ["front-desk", "Workshop", "nomad", "3"]
    assert [kind for kind, _ in shown].count("event") == int(re.findall(r"; (\d+) events", shown[-1][1])[0])
