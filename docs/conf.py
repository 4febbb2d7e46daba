"""Sphinx configuration: no network, and every reference to a name of ours must resolve."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import GoogleDocstring

import ami_client
from ami_client._version import __version__

project = "ami_client"
author = "ami_client contributors"
copyright = f"2026, {author}"
version = release = __version__

# docs/state_diagram.py, docs/dialogue_diagram.py, docs/ways.py, docs/ways_diagram.py, docs/command_reference.py,
# docs/catalogue_tables.py
sys.path.insert(0, str(Path(__file__).parent))
extensions = [
    "sphinx.ext.autodoc",
    "myst_parser",
    "sphinx_design",
    "state_diagram",
    "dialogue_diagram",
    "ways_diagram",
    "command_reference",
    "catalogue_tables",
]
exclude_patterns = ["_build"]
html_theme = "furo"
_settings = ConfigParser()
_settings.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")
if _settings["publishing"]["repository"]:
    html_theme_options = {
        "source_repository": _settings["publishing"]["repository"],
        "source_branch": "main",
        "source_directory": "docs/",
    }
html_static_path = ["_static"]
html_css_files = ["tables.css"]
# `tasks.py docs` makes docs/man/ami-client.1 of the page about the command. It is committed: no date that changes.
man_pages = [("cli", "ami-client", "ask an Asterisk server, by its manager interface, and watch it", "", 1)]
today = copyright[:4]
# The pieces of PHP on the pages about porting have no "<?php" in front.
highlight_options = {"php": {"startinline": True}}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

TYPE_VARIABLES = (
    *("agi.events.SomeHandler", "emitter.Handler", "pool.LoginHandler", "pool.SomePool"),
    *("signatures.Conn", "signatures.Result", "signatures.SomeEvent"),
)
nitpicky = True
# Names of others (the standard library's, pyee's) have no page here; ours must have one.
nitpick_ignore = [("py:class", f"ami_client.{name}") for name in TYPE_VARIABLES]
nitpick_ignore += [("py:class", f"ami_client.{name}") for name in ("aio.Events", "forward.broker.SomeBroker")]
nitpick_ignore_regex = [(r"py:.*", r"(?!ami_client\b).*")]


def resolve_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.Element | None:
    """Link ``ami_client.packet.Packet``, as annotations say, to ``ami_client.Packet``."""
    module, _, name = str(node.get("reftarget", "")).rpartition(".")
    if node.get("refdomain") != "py" or not module.startswith("ami_client."):
        return None
    if name not in ami_client.__all__:
        return None
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, "obj", f"ami_client.{name}", node, contnode
    )


def skip_php_names(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Leave the PHP spellings out of the reference: the porting page has them."""
    return True if re.match("[a-z]+[A-Z]", name) else None


def read_sections(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Lay out the sections ``Arguments:`` and ``Attributes:``.

    As an extension, napoleon would also take a colon in a property's summary for the end of its type.
    """
    if what not in ("attribute", "data", "property"):
        lines[:] = GoogleDocstring(lines, what=what, name=name, obj=obj).lines()


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("autodoc-skip-member", skip_php_names)
    app.connect("missing-reference", resolve_public_name)
