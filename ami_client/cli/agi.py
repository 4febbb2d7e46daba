"""``agi serve``: a handler of yours as a FastAGI server."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import sys
from typing import TYPE_CHECKING, Callable, Optional

import click

from . import signals
from .failures import CommandError, Status
from .output import Output
from .system import run_asyncio
from .taping import address

if TYPE_CHECKING:
    from ..agi import FastAGI

Handler = Callable[..., object]
DEFAULT_PORT = 4573


@click.group(no_args_is_help=False)
def agi() -> None:
    """Run AGI calls in a program of yours.

    \b
    Example:
      ami-client agi serve ivr:start --listen 127.0.0.1:4573
    """


def where(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, int]:
    """Read ``[HOST:]PORT``, or ``unix:PATH``, whose port is 0."""
    if text.startswith("unix:"):
        return text, 0
    return address(text)


@agi.command(short_help="Pass each call to a function.")
@click.argument("handler", metavar="MODULE:HANDLER")
@click.option(
    "-l",
    "--listen",
    metavar="[HOST:]PORT",
    callback=where,
    default=f"127.0.0.1:{DEFAULT_PORT}",
    show_default=True,
    help="Address for Asterisk, or unix:PATH.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    help="Run the handler in at most N threads. It may block there.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log the end of each call, and not only errors.")
def serve(handler: str, listen: tuple[str, int], threads: Optional[int], verbose: bool) -> None:
    """Listen as a FastAGI server and pass each call to the function HANDLER of the Python module MODULE.

    Modules in the current directory are found, too. A coroutine function runs on an asyncio loop. With --threads a
    plain function runs in a thread and may block. Without it a plain function uses callbacks. The command ends
    after Ctrl-C.

    \b
    Examples:
      ami-client agi serve ivr:start
      ami-client agi serve ivr:start --listen 0.0.0.0:4573 --threads 20
    """
    function = find(handler)
    log = logging.StreamHandler()
    log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("ami_client")
    logger.addHandler(log)
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        (_serve_coroutine if inspect.iscoroutinefunction(function) else _serve)(function, listen, threads, handler)
    except OSError as error:
        raise CommandError(f"cannot listen: {error.strerror or error}", Status.USAGE) from None
    finally:
        logger.removeHandler(log)


def find(name: str) -> Handler:
    """The function ``module:name``. Raises CommandError if there is none."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise CommandError(f"{name!r} is not MODULE:HANDLER, such as ivr:start", Status.USAGE)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] and error.name != module:
            raise
        raise CommandError(f"there is no module {module!r} here", Status.USAGE) from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise CommandError(f"module {module!r} has no {attribute!r}", Status.USAGE)
        found = getattr(found, part)
    if not callable(found):
        raise CommandError(f"{name} is no function, but {type(found).__name__}", Status.USAGE)
    return found


def _serve(function: Handler, listen: tuple[str, int], threads: Optional[int], name: str) -> None:
    from ..agi import FastAGI
    from ..reactor import Reactor

    with Reactor() as reactor:
        server = FastAGI(*listen, reactor=reactor, threads=threads)
        with server, signals.stopping(reactor, reactor.stop):
            _announce(server, function, name)
            reactor.run()


def _serve_coroutine(function: Handler, listen: tuple[str, int], threads: Optional[int], name: str) -> None:
    import asyncio

    from ..agi import FastAGI

    async def main() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        with FastAGI(*listen, reactor=loop, threads=threads) as server, signals.stopping(loop, stopped.set):
            _announce(server, function, name)
            await stopped.wait()

    run_asyncio(main())


def _announce(server: FastAGI, function: Handler, name: str) -> None:
    try:
        server.on("start", function)
    except TypeError as error:
        raise CommandError(str(error), Status.USAGE) from None
    logger = logging.getLogger("ami_client")
    server.on("end", lambda call: logger.info("%s: %s", call, call.error or "handed back"))
    place = server.host if server.port is None else f"agi://{server.host}:{server.port}"
    Output().line(f"serving {name} at {place}; Ctrl-C ends it")
