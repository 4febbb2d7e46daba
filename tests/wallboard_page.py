"""What a browser at a wallboard is sent."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

SECTIONS = ("calls", "queues", "endpoints")
LIMIT = 30.0  # seconds of silence


def messages(url: str) -> Iterator[dict[str, Any]]:
    """The messages: the whole, and then what changes."""
    with urllib.request.urlopen(url + "events", timeout=LIMIT) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def pages(url: str) -> Iterator[dict[str, Any]]:
    """What the page shows, after each message."""
    page: dict[str, Any] = {}
    for told in messages(url):
        for name, value in told.items():
            if name in SECTIONS and name in page:
                merged = {**page[name], **value}
                value = {number: one for number, one in merged.items() if one is not None}
            page = {**page, name: value}
        yield page


def until_ready(url: str) -> dict[str, Any]:
    """The page once all servers are known to be up to date."""
    return next(page for page in pages(url) if states(page) == {"ready"})


def states(page: dict[str, Any]) -> set[str]:
    """The states of the servers."""
    return {one["state"] for one in page["servers"]}
