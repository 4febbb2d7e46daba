"""The directives ``catalogue-table`` and ``code-table``: what the catalogue has, out of the catalogue itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.util.docutils import SphinxDirective

from ami_client.catalogue import codes
from ami_client.catalogue.facts import ACTIONS, EVENTS, Header, Message

CATALOGUES = {"actions": ACTIONS, "events": EVENTS}


class CatalogueTable(SphinxDirective):
    """A row for each action or event: an object that the search finds by its name, with an entry in the index."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # the catalogue may have changed, though the page has not
        (kind,) = self.arguments
        catalogue = CATALOGUES[kind]
        rows = [self.row(kind, catalogue[name]) for name in catalogue]
        return [table(("Name", "Asterisk", "Module", "Class", "Headers"), (15, 10, 15, 12, 48), rows)]

    def row(self, kind: str, message: Message) -> list[list[nodes.Node]]:
        target = f"{kind[:-1]}-{message.class_name.lower()}"
        std = cast(StandardDomain, self.env.get_domain("std"))
        std.note_object(kind[:-1], message.name, target)
        entry = addnodes.index(entries=[("single", f"{message.name} ({kind[:-1]})", target, "", None)])
        name = nodes.paragraph("", "", nodes.target("", "", ids=[target]), literal(message.name))
        facts = (", ".join(message.servers), ", ".join(message.modules), ", ".join(message.privilege))
        headers = nodes.paragraph("", "", *separated(message.headers))
        return [[entry, name], *([paragraph(text)] for text in facts), [headers]]


class CodeTable(SphinxDirective):
    """A row for each code of an enum: number, name, words."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        members: type[codes.Code] = getattr(codes, self.arguments[0])
        rows = [[[paragraph(str(int(one)))], [literal_paragraph(one.name)], [paragraph(one.words)]] for one in members]
        return [table(("Number", "Name", "In words"), (10, 45, 45), rows)]


def separated(headers: Iterable[Header]) -> Iterator[nodes.Node]:
    """Names with commas between. What an action needs is strong; what one server alone has tells which."""
    for number, header in enumerate(headers):
        if number:
            yield nodes.Text(", ")
        yield nodes.strong(header.name, header.name) if header.required else nodes.Text(header.name)
        if header.servers:
            yield nodes.Text(f" ({', '.join(header.servers)})")


def table(titles: tuple[str, ...], widths: tuple[int, ...], rows: list[list[list[nodes.Node]]]) -> nodes.table:
    head = nodes.row("", *(nodes.entry("", paragraph(title)) for title in titles))
    body = [nodes.row("", *(nodes.entry("", *cell) for cell in row)) for row in rows]
    specs = [nodes.colspec(colwidth=width) for width in widths]
    group = nodes.tgroup("", *specs, nodes.thead("", head), nodes.tbody("", *body), cols=len(titles))
    return nodes.table("", group)


def paragraph(text: str) -> nodes.paragraph:
    return nodes.paragraph(text, text)


def literal(text: str) -> nodes.literal:
    return nodes.literal(text, text)


def literal_paragraph(text: str) -> nodes.paragraph:
    return nodes.paragraph("", "", literal(text))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_object_type("action", "action", objname="AMI action")
    app.add_object_type("event", "event", objname="AMI event")
    app.add_directive("catalogue-table", CatalogueTable)
    app.add_directive("code-table", CodeTable)
    return {"parallel_read_safe": True}
