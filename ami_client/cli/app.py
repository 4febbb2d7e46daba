"""The group of all commands, and their exit status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from .._version import __version__
from . import signals
from .access import access_options, defaults_of
from .failures import CommandError, Ended, OutputClosed, Status
from .streams import mute

PROGRAM = "ami-client"
INTERRUPTED = signals.DIED + signal.SIGINT

EPILOG = """
\b
Server: SERVER or -s, which is a URL or a profile, else AMI_URL, else the default of the config file.
User: --username, else the URL, else the profile, else AMI_USERNAME.
Secret: --secret-file, else the URL, else the profile, else AMI_SECRET, else a prompt.

\b
Config file, ~/.config/ami-client/config.ini:
  [ami-client]
  default = pbx1
  [pbx1]
  url = tls://pbx1.example.com:5039
  username = monitor
  secret_file = pbx1.secret

\b
Exit status: 0 success, 1 refused by the server, 2 wrong usage, 3 no connection, 4 login refused, 5 timeout,
128+N ended by signal N (130 Ctrl-C, 143 SIGTERM, 141 the reader of a pipe is gone).

\b
Completion, for bash (zsh and fish alike):
  eval "$(_AMI_CLIENT_COMPLETE=bash_source ami-client)"
"""


# Each command's module, and what --help says of it. A module is imported when its command is used.
COMMANDS = {
    "ping": ("ping", "Measure the round-trip time to the server."),
    "action": ("ask", "Send an action and show its answer."),
    "command": ("ask", "Run a command on Asterisk's command line."),
    "events": ("events", "Show events as they arrive."),
    "originate": ("originate", "Place a call and wait for its result."),
    "calls": ("calls", "Show the calls, once or as they change."),
    "channels": ("lists", "List the channels."),
    "peers": ("lists", "List the peers and endpoints of all channel drivers."),
    "queues": ("lists", "List the queues, their members and waiting callers."),
    "top": ("top", "Show channels, queues and the event rate on a live screen."),
    "record": ("taping", "Record a session with a server to a file."),
    "replay": ("taping", "Play a recording to any client."),
    "describe": ("describe", "Describe an action or an event, and its headers."),
    "agi": ("agi", "Run AGI calls in a program of yours (FastAGI)."),
    "forward": ("forwarding", "Forward events to a message broker."),
    "gateway": ("forwarding", "Execute actions from a message broker."),
    "wallboard": ("wallboard", "Serve a web page with queues, calls and endpoints."),
    "demo": ("showing", "Show the library at work, on an embedded server or on yours."),
}


class _Imported(Mapping[str, click.Command]):
    """The commands by name, each imported when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        module, _ = COMMANDS[name]
        command: click.Command = getattr(import_module(f".{module}", __package__), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Commands(click.Group):
    """A group that raises errors to us before click formats them."""

    def invoke(self, ctx: click.Context) -> Any:
        with signals.raised():
            try:
                return super().invoke(ctx)
            except BrokenPipeError:
                raise OutputClosed from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):  # click would import all of them
            formatter.write_dl([(name, told) for name, (_, told) in sorted(COMMANDS.items())])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click would indent it
        formatter.write_paragraph()
        for line in EPILOG.replace("\b\n", "").strip().split("\n"):
            formatter.write(f"{line}\n")


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print it, and whether another distribution writes over our files: a place to look when something is odd."""
    if value:
        click.echo(f"{PROGRAM}, version {__version__}")
        from .._clash import advice, others

        names = others()
        if names:
            _note(advice(names))
        ctx.exit()


@click.group(
    cls=_Commands,
    no_args_is_help=False,  # click would show it as an error
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@access_options
@click.pass_context
def cli(ctx: click.Context, /, **given: Any) -> None:
    """Query and watch an Asterisk server through its manager interface (AMI).

    All options except --version may also follow the name of the command.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        raise Ended(Status.USAGE)
    ctx.default_map = defaults_of(given, cli.commands)


cli.commands = _Imported()  # type: ignore[assignment]  # click only reads it


def run(args: Sequence[str]) -> int:
    """Run a command and return the exit status. An error is one line on stderr."""
    _write_utf8()
    try:
        status = cli.main(list(args), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else Status.OK
    except Ended as ended:
        return ended.status
    except signals.Signalled as signalled:
        return signals.DIED + signalled.number
    except CommandError as error:
        _note(str(error))
        return error.status
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        _note(_usage(error))
        return Status.USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (OutputClosed, BrokenPipeError):
        mute()
        return signals.PIPE_CLOSED
    except OSError as error:  # for example, the disk is full
        mute()
        _note(f"cannot write: {error.strerror or error}")
        return Status.REFUSED


def _note(text: str) -> None:
    from .output import note  # --help is quicker without it

    note(text)


def _usage(error: click.ClickException) -> str:
    """Describe the wrong arguments in one line."""
    message = error.format_message().rstrip(".")
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return message if ctx is None else f"{message}; see '{ctx.command_path} --help'"


def _write_utf8() -> None:
    """Write UTF-8 in any locale: a name with characters that the locale lacks must not end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=stream.errors)
