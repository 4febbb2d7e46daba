"""Offers the interpreters of pyenv to tox, which loads this file by itself.

tox finds the interpreters on PATH only, and pyenv puts just the selected one there.
"""

from __future__ import annotations

import os
from pathlib import Path

from tox.config.cli.parser import ToxParser
from tox.plugin import impl


@impl
def tox_add_option(parser: ToxParser) -> None:
    """Add pyenv's interpreters to what TOX_DISCOVER names, before tox reads it."""
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    found = [os.environ.get("TOX_DISCOVER", ""), *map(str, root.glob("versions/3.*/bin/python"))]
    os.environ["TOX_DISCOVER"] = "\n".join(filter(None, found))
