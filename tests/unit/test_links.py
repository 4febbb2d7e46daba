"""The links that Sphinx does not check: those of Markdown, and those to elsewhere, which nobody follows here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from programs import ROOT

PLACES = ("*.md", ".github/**/*.md", "benchmarks/*.md", "examples/*.md", "tests/*/README.md")
MARKDOWN = sorted(path for place in PLACES for path in ROOT.glob(place))
MANUAL = sorted(path for path in (ROOT / "docs").rglob("*.rst") if "_build" not in path.parts)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def links_of(page: Path) -> list[str]:
    """The targets of a page's links, those of code blocks left out."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors_of(page: Path) -> Iterator[str]:
    """What a link may name behind ``#``, as hosts of Markdown make it of the headings."""
    for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def leads_nowhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.is_file() or bool(anchor and anchor not in anchors_of(target))


def test_the_pages_are_found_and_have_links() -> None:
    assert {"README.md", "CONTRIBUTING.md", "examples/README.md"} <= {relative(page) for page in MARKDOWN}
    assert len(links_of(ROOT / "README.md")) > 20


@pytest.mark.parametrize("page", MARKDOWN, ids=relative)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert [link for link in links_of(page) if "://" not in link and leads_nowhere(page, link)] == []


@pytest.mark.parametrize("page", [*MARKDOWN, *MANUAL], ids=relative)
def test_every_link_elsewhere_is_secure_and_has_a_host(page: Path) -> None:
    links = links_of(page) if page.suffix == ".md" else re.findall(r"`[^`<]*<(\w+://[^>]*)>`_", page.read_text("utf-8"))
    parts = [urlsplit(link) for link in links if "://" in link]
    assert [one.geturl() for one in parts if one.scheme != "https" or "." not in one.netloc or one.username] == []


def test_a_wrong_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Über uns: a `b`\n[a](page.md#über-uns-a-b) [b](#nowhere) [c](gone.md)\n```\n[d](code.md)\n```\n", "utf-8"
    )
    assert [link for link in links_of(page) if leads_nowhere(page, link)] == ["#nowhere", "gone.md"]
