"""The directive ``command-reference``: usage, help and options of the command line, out of the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Optional

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ami_client.cli.app import PROGRAM, cli

OPTION = re.compile(r"((?<!\S)--?[a-z][\w-]*)")


class CommandReference(SphinxDirective):
    """A section for each command; the options that all of them take come before, once."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # the commands may have changed, though the page has not
        with click.Context(cli, info_name=PROGRAM) as ctx:
            made: list[nodes.Node] = [usage(ctx), *options(ctx, cli.params)]
            common = {param.name for param in cli.params}
            for name, command in cli.commands.items():
                with click.Context(command, info_name=name, parent=ctx) as inner:
                    content = told_of(inner, common)
                    for part in command.commands.values() if isinstance(command, click.Group) else ():
                        with click.Context(part, info_name=part.name, parent=inner) as innermost:
                            content += told_of(innermost, common)
                    made.append(self.section(name, content))
        return made

    def section(self, name: str, content: list[nodes.Node]) -> nodes.section:
        title = f"{PROGRAM} {name}"
        section = nodes.section("", nodes.title(title, title), *content, names=[nodes.fully_normalize_name(title)])
        self.state.document.note_implicit_target(section, section)
        return section


def told_of(ctx: click.Context, common: set[Optional[str]]) -> list[nodes.Node]:
    """Usage, help and options of a command, without the options that all commands have."""
    own = [param for param in ctx.command.params if param.name not in common]
    return [usage(ctx), *described(ctx.command), *options(ctx, own)]


def usage(ctx: click.Context) -> nodes.Node:
    text = ctx.get_usage().partition(": ")[2]
    return code(" ".join(text.split()))


def described(command: click.Command) -> Iterator[nodes.Node]:
    """The help: paragraphs, and examples, which a backspace tells click to leave as they are."""
    for text in cleandoc(command.help or "").split("\n\n"):
        if text.startswith("\b\n"):
            _, title, *lines = text.split("\n")
            yield paragraph(title)
            yield code("\n".join(line.strip() for line in lines))
        else:
            yield paragraph(" ".join(text.split()))


def options(ctx: click.Context, params: list[click.Parameter]) -> Iterator[nodes.Node]:
    records = [param.get_help_record(ctx) for param in params if isinstance(param, click.Option)]
    if records:
        items = [
            nodes.definition_list_item("", nodes.term("", "", literal(told)), nodes.definition("", paragraph(meaning)))
            for told, meaning in filter(None, records)
        ]
        yield nodes.definition_list("", *items)


def paragraph(text: str) -> nodes.paragraph:
    """Text in which options are set as code."""
    parts = OPTION.split(text)
    made = nodes.paragraph()
    for number, part in enumerate(parts):
        made += literal(part) if number % 2 else nodes.Text(part)
    return made


def literal(text: str) -> nodes.literal:
    return nodes.literal(text, text)


def code(text: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language="none")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True}
