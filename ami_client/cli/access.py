"""Options of every command that asks a server: the server, the login, the time limit, the output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

import click

from .failures import CommandError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from .client import Client
    from .target import Target

LONGEST = 1e9  # seconds, 31 years; larger values may overflow a float later

Command = TypeVar("Command", bound=Callable[..., object])


class Access:
    """The options of one call. ``server`` is the argument, if the command has one."""

    # What only some commands need, or none, is imported where it is used: --help is quicker without it.

    def __init__(self, options: dict[str, Any], server: Optional[str] = None) -> None:
        from .log import log_to_stderr
        from .output import Output
        from .target import Given

        self.timeout: Optional[float] = options["timeout"]
        self.output = Output(bool(options["json"]))
        self.given = Given(
            server=options["server"] if server is None else server,
            username=options["username"],
            secret_file=options["secret_file"],
            ca_file=options["ca_file"],
            insecure=bool(options["insecure"]),
            config=options["config"],
        )
        log_to_stderr(options["verbose"] or 0)

    @property
    def knows_server(self) -> bool:
        """Whether anything says which server is meant."""
        from . import target

        return target.is_known(self.given, os.environ)

    def target(self, server: Optional[str] = None, *, login: bool = True) -> Target:
        """The server from the options, or ``server``. Asks the user for a missing login, if there is a terminal."""
        from . import target
        from .output import note

        given = self.given if server is None else replace(self.given, server=server)
        return target.find(given, os.environ, _ask if sys.stdin.isatty() else None, note, login=login)

    def client(
        self, *, timeout: Optional[float] = None, events: str = "off", reconnect: bool = False, endless: bool = False
    ) -> Client:
        """A client, to be used as a context. ``timeout`` limits everything, in seconds, if the user gave no limit.

        An ``endless`` command applies its limit itself.
        """
        from .client import Client
        from .progress import Progress

        limit = None if endless else self.timeout or timeout
        waiting = Progress if sys.stderr.isatty() and not endless else None
        return Client(self.target(), timeout=limit, events=events, reconnect=reconnect, waiting=waiting)


def _complete_profile(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from . import config

    try:
        profiles = config.load(ctx.params.get("config"), os.environ).profiles
    except CommandError:
        return []
    return [CompletionItem(name, help=one.url) for name, one in profiles.items() if name.startswith(incomplete)]


class Seconds(click.FloatRange):
    """A number of seconds, at most :data:`LONGEST`. Infinity and NaN are rejected."""

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> float:
        seconds: float = super().convert(value, param, ctx)
        if not seconds <= LONGEST:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


OPTIONS = [
    click.option(
        "-s",
        "--server",
        metavar="SERVER",
        shell_complete=_complete_profile,
        help="The server: a URL (tcp://user@host:5038, tls://user@host:5039, unix:/path), a host, or a profile of the "
        "config file. Other users of the machine can see a secret in the URL.",
    ),
    click.option("-u", "--username", metavar="NAME", help="Log in as this user."),
    click.option("--secret-file", metavar="FILE", help="Read the secret from the first line of FILE; - is stdin."),
    click.option("--ca-file", metavar="FILE", help="Trust the certificate authorities in FILE (tls://)."),
    click.option("--insecure", is_flag=True, default=None, help="Do not verify the server's certificate (tls://)."),
    click.option(
        "--config",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Read this config file.",
    ),
    click.option("-t", "--timeout", metavar="SECONDS", type=Seconds(min=0, min_open=True), help="Stop after so long."),
    click.option("--json", is_flag=True, default=None, help="Print one JSON object per line."),
    click.option("-v", "--verbose", count=True, default=None, help="Log to stderr; -vv logs each step."),
]
NAMES = ("server", "username", "secret_file", "ca_file", "insecure", "config", "timeout", "json", "verbose")

server_argument = click.argument("address", metavar="[SERVER]", required=False, shell_complete=_complete_profile)


def access_options(command: Command) -> Command:
    """Decorate a function with all options above."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def asks_server(command: Callable[..., object]) -> Callable[..., object]:
    """Decorate a command's function with the options above, as one argument ``access``.

    An argument ``address``, if the function has one, is the server too.
    """

    @wraps(command)
    def with_access(**given: Any) -> object:
        options = {name: given.pop(name) for name in NAMES}
        access = Access(options, given.pop("address", None))
        with access.output:
            return command(access, **given)

    return access_options(with_access)


def defaults_of(given: dict[str, Any], commands: Iterable[str]) -> dict[str, Any]:
    """A default map for click: options before the name of the command apply to the command."""
    named = {name: value for name, value in given.items() if value}
    return dict.fromkeys(commands, named)


def _ask(what: str, hide: bool) -> str:
    answer: str = click.prompt(what, hide_input=hide, err=True)
    return answer
