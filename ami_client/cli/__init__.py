"""The command ``ami-client``, of the extra ``cli``.

``app`` groups the commands. Each command is a module: it asks the server through ``client``, and shows the answer
through ``output``. ``access`` has the options that commands share; ``target`` and ``config`` find the server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Optional

from . import signals
from .streams import fill_closed, mute

NEEDED = ("click", "rich")


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command and return the exit status. A command that a signal ends dies of it, so that a shell notices.

    Without the extra only ``demo`` works; others say what to install.
    """
    if "stdout" in fill_closed():  # before any request, whose answer could not be printed
        print("ami-client: cannot write: standard output is closed", file=sys.stderr)
        return 1
    with signals.at_once():
        status = _run(list(sys.argv[1:] if argv is None else argv))
    if status > signals.DIED and os.name == "posix":  # on Windows nothing dies of a signal
        signals.die_of(status - signals.DIED)
    return status


def _run(args: list[str]) -> int:
    if all(find_spec(name) for name in NEEDED):
        try:
            from .app import run

            return run(args)
        except ImportError as error:
            from .._clash import told

            if not told(error):
                raise
            print(f"ami-client: {told(error)}", file=sys.stderr)
            return 1
    if args[:1] == ["demo"]:
        from .. import demo

        try:
            with signals.raised():
                return demo.main(args)
        except signals.Signalled as signalled:
            return signals.DIED + signalled.number
        except BrokenPipeError:
            mute()
            return signals.PIPE_CLOSED
    print("ami-client: the command line needs click and rich: pip install 'ami-client[cli]'", file=sys.stderr)
    return 2
