"""The code blocks of the manual's pages."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parents[1] / "docs"

#: The real server of the examples, admin:secret, which an embedded one stands in for here.
PBX = re.compile(r"(pbx\.example\.com|192\.0\.2\.1):5038")


class Text(NamedTuple):
    """A code block in any language."""

    line: int
    language: str
    caption: str
    code: str
    included: bool = False


def rst_blocks(page: Path) -> Iterator[Text]:
    """The ``code-block`` directives of a page, those in lists and tables too, and the programs it includes whole."""
    lines = page.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        mark, directive, name = line.partition(".. literalinclude::")
        if directive and not any(":pyobject:" in option or ":start" in option for option in lines[number : number + 3]):
            code = (page.parent / name.strip()).read_text(encoding="utf-8")
            yield Text(number, name.rpartition(".")[2].replace("py", "python"), "", code, included=True)
        mark, directive, language = line.partition(".. code-block::")
        if directive:
            body = indented(lines[number:], len(mark))
            options = list(itertools.takewhile(lambda line: line.startswith(":"), body))
            code = "\n".join(body[len(options) :]).strip("\n") + "\n"
            yield Text(number, language.strip(), "".join(options), code)


def indented(lines: list[str], column: int) -> list[str]:
    """The first lines that begin right of a column, dedented."""
    block = itertools.takewhile(lambda line: not line.strip() or line[: column + 1].isspace(), lines)
    return textwrap.dedent("\n".join(block)).strip("\n").split("\n")


def markdown_blocks(page: Path) -> Iterator[Text]:
    """The fenced blocks of a page."""
    lines = page.read_text(encoding="utf-8").split("\n")
    fences = [number for number, line in enumerate(lines, 1) if line.startswith("```")]
    for start, end in zip(fences[::2], fences[1::2]):
        code = "\n".join(lines[start : end - 1]) + "\n"
        language = lines[start - 1].strip("`")
        yield Text(start, language, ":caption: Output" if language == "text" else "", code)
