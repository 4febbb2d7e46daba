"""The commands ``record`` and ``replay``: record a session to a file, and play it back."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Optional, Union

import click

from .._engine.text import whole_number
from ..errors import AMIError, ConnectionLost
from ..reactor import Reactor
from ..url import format_address
from . import signals
from .access import Access, Seconds, asks_server
from .client import Client
from .explain import explain
from .failures import CommandError, Status
from .output import Output, note
from .target import Target
from .text import plural

GRACE = 0.2  # seconds to wait for a client that has not read everything


def address(text: str) -> tuple[str, int]:
    """Split ``[HOST:]PORT``. The default host is 127.0.0.1."""
    host, _, port = text.rpartition(":")
    number = whole_number(port)
    if number is None or not 0 <= number <= 65535:
        raise click.BadParameter(f"{text!r} is not [HOST:]PORT")
    return host.strip("[]") or "127.0.0.1", number


def factor(text: str) -> float:
    """Parse a speed: a number or ``max``."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise click.BadParameter(f"{text!r} is neither a number above 0 nor max")
    return speed


@click.command()
@click.argument("arguments", metavar="[SERVER] FILE", nargs=-1, required=True)
@click.option(
    "-l",
    "--listen",
    metavar="[HOST:]PORT",
    type=address,
    default="127.0.0.1:0",
    help="Address for clients. [default: any free port of 127.0.0.1]",
)
@click.option("--login", is_flag=True, help="Log in too, to record all events without another client.")
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@asks_server
def record(access: Access, arguments: Sequence[str], listen: tuple[str, int], login: bool, force: bool) -> None:
    """Record a session between a client and a server to FILE, with times; - is stdout.

    This command is a proxy: connect your program to it instead of to the server, with the usual credentials. It
    ends after Ctrl-C or --timeout. It replaces the secrets that it recognizes with "[removed]". Read the file
    before you give it to anybody.

    \b
    Examples:
      ami-client record pbx1 session.jsonl --listen 15038
      ami-client record pbx1 evening.jsonl --login --timeout 3600
    """
    from ..testing import Recorder  # importing the kit would lengthen the start of every command by a third

    *servers, file = arguments
    if len(servers) > 1:
        raise click.UsageError("Give one SERVER and one FILE.")
    target = access.target(servers[0] if servers else None, login=login)
    if file != "-" and os.path.lexists(file) and not force:
        raise CommandError(f"{file} exists; --force overwrites it", Status.USAGE)
    say = note if file == "-" else access.output.line
    with Reactor() as reactor:
        recorder = Recorder(
            reactor,
            target.url,
            sys.stdout if file == "-" else file,
            host=listen[0],
            port=listen[1],
            on_lost=_tell_loss,
            **target.options,
        )
        with suppress(KeyboardInterrupt), _opened(recorder):
            here = format_address(recorder.host, recorder.port)
            say(f"recording {target}: connect to {here} instead; Ctrl-C ends it")
            _run(reactor, access.timeout, replace(target, url=f"tcp://{here}", ssl=None) if login else None)
        say(f"{plural(recorder.packets, 'packet')} recorded")


@click.command()
@click.argument("file")
@click.option(
    "-p",
    "--port",
    "listen",
    metavar="[HOST:]PORT",
    type=address,
    default="127.0.0.1:0",
    help="Address for clients. [default: any free port of 127.0.0.1]",
)
@click.option(
    "--speed",
    metavar="FACTOR",
    type=factor,
    default="1",
    show_default=True,
    help="2 plays twice as fast, max without pauses.",
)
@click.option("--once", is_flag=True, help="Stop when a client has received the whole recording.")
@click.option("-t", "--timeout", metavar="SECONDS", type=Seconds(min=0, min_open=True), help="Stop after so long.")
def replay(file: str, listen: tuple[str, int], speed: float, once: bool, timeout: Optional[float]) -> None:
    """Play a recording as a server: clients get the answers and events of FILE, at the recorded pace.

    Any user and secret can log in. Requests that are not in the recording get the answers of the embedded server,
    and are reported on stderr. The command ends after Ctrl-C, --timeout or --once.

    \b
    Examples:
      ami-client replay session.jsonl --port 5038
      ami-client replay session.jsonl --port 5038 --speed max --once
    """
    from ..testing import FakeAsterisk, Recording

    try:
        with signals.at_once():  # it may be a pipe that nobody writes into
            recording = Recording.load(file)
    except ValueError as error:
        raise CommandError(str(error), Status.USAGE) from None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", Status.USAGE) from None
    except MemoryError:
        raise CommandError(f"{file}: it does not fit into memory", Status.USAGE) from None
    output = Output()
    with Reactor() as reactor:
        server = FakeAsterisk(reactor, host=listen[0], port=listen[1])
        playing = server.replay(recording, speed=speed)
        with suppress(KeyboardInterrupt), _opened(server):
            if once:
                playing.on_end = lambda number: reactor.call_later(GRACE, reactor.stop)
            what = f"{plural(len(recording.records), 'packet')}, {recording.duration:.1f} s"
            output.line(f"replaying {what}: connect to {format_address(server.host, server.port)}; Ctrl-C ends it")
            _run(reactor, timeout)
        for request in playing.unmatched:
            note(f"the recording has no answer to {request.action}")


@contextmanager
def _opened(listening: AbstractContextManager[object]) -> Iterator[None]:
    """Open a context that needs a port and a file. Raises CommandError."""
    try:
        listening.__enter__()
    except OSError as error:
        raise CommandError(f"cannot listen or write: {error.strerror or error}", Status.USAGE) from None
    try:
        yield
    finally:
        listening.__exit__(None, None, None)


def _run(reactor: Reactor, timeout: Optional[float], login: Optional[Target] = None) -> None:
    """Run until a signal, the timeout or a stop. With ``login``, stay logged in meanwhile."""
    if timeout is not None:
        reactor.call_later(timeout, reactor.stop)
    if login is None:
        with signals.stopping(reactor, reactor.stop):
            reactor.run()
        return
    client = Client(login, events="on", reactor=reactor)
    # This begins before the login, so that no signal comes between a packet and its count.
    with signals.stopping(reactor, lambda: client.fail(KeyboardInterrupt())), client:
        if timeout is not None:
            reactor.call_later(timeout, client.stop)
        client.run()


def _tell_loss(error: Union[AMIError, OSError]) -> None:
    if isinstance(error, ConnectionLost):
        return  # the server ends a session after a refusal or a Logoff; client and recording have got that
    note(str(explain(error)) if isinstance(error, AMIError) else f"cannot write: {error.strerror or error}")
