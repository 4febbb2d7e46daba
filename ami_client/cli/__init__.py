"""The command ``ami-client``, of the extra ``cli``.

From top to bottom: ``app`` has the commands together, each of which is a module that asks the server by ``client`` and
shows by ``output`` what came; ``access`` is what all of them are told of the server, ``target`` and ``config`` find it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Optional

from .streams import fill_closed

NEEDED = ("click", "rich")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; returns the exit status. Without the extra ``demo`` works, the others say what to install."""
    if "stdout" in fill_closed():  # before anything is asked of a server, which may do it and then we could not tell
        print("ami-client: cannot write: standard output is closed", file=sys.stderr)
        return 1
    args = list(sys.argv[1:] if argv is None else argv)
    if all(find_spec(name) for name in NEEDED):
        from .app import run_and_end

        return run_and_end(args)
    if args[:1] == ["demo"]:
        from .. import demo

        return demo.main(args)
    print("ami-client: the command line needs click and rich: pip install 'ami-client[cli]'", file=sys.stderr)
    return 2
