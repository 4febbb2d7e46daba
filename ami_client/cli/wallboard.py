"""``wallboard``: queues, calls and telephones in the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Callable, Optional, Union
from urllib.parse import urlsplit

import click

from ..url import format_address
from . import signals
from .access import Access, asks_server
from .config import read_secret_file
from .failures import CommandError, Status
from .origins import Forwarded, Servers
from .output import Output, note
from .system import run_asyncio

if TYPE_CHECKING:
    from aiohttp import web

Origin = Union[Servers, Forwarded]

SHORTEST_TOKEN = 16  # characters: it is all that stands between the network and the page


def _address(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``; IPv6 stands in brackets."""
    with suppress(ValueError):
        url = urlsplit(f"//{value}")
        if url.hostname and url.port is not None and url.netloc == value and "@" not in value:
            return url.hostname, url.port
    raise click.BadParameter(f"{value!r} is not HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080")


@click.command()
@click.argument("servers", metavar="[SERVER]...", nargs=-1)
@click.option(
    "-l",
    "--listen",
    metavar="HOST:PORT",
    callback=_address,
    default="127.0.0.1:8080",
    show_default=True,
    help="Address of the page. Port 0 is any free port.",
)
@click.option("--token-file", metavar="FILE", help="Require the token in the first line of FILE; - is stdin.")
@click.option("--from", "broker", metavar="URL", help="Read the events from a broker instead of servers.")
@asks_server
def wallboard(
    access: Access, servers: Sequence[str], listen: tuple[str, int], token_file: Optional[str], broker: Optional[str]
) -> None:
    """Serve a web page that shows queues, calls and endpoints live, until Ctrl-C or --timeout.

    Several servers share the page. With --from, SERVER is the name of a forwarded server, and the default is all of
    them.

    Without a token only browsers on this machine can open the page, and --listen accepts only loopback addresses.
    With a token, open http://HOST:PORT/?token=TOKEN, or type it into the page.

    This command needs another extra: pip install 'ami-client[cli,web]'.

    \b
    Examples:
      ami-client wallboard pbx1
      ami-client wallboard pbx1 pbx2 --listen 0.0.0.0:8080 --token-file wallboard.token
      ami-client wallboard --from redis://localhost/ami
    """
    if find_spec("aiohttp") is None:
        raise CommandError("the wallboard needs aiohttp: pip install 'ami-client[cli,web]'", Status.USAGE)
    from ..web.access import is_loopback

    token = _token(token_file)
    if not token and not is_loopback(listen[0]):
        text = f"{listen[0]} can be reached from elsewhere: --token-file FILE says who may look there"
        raise CommandError(text, Status.USAGE)
    named = [access.target(name or None) for name in servers or [""]] if broker is None else []
    targets = {str(target): target for target in named}

    def make(fail: Callable[[Exception], object]) -> Origin:
        return Servers(list(targets.values()), fail) if broker is None else Forwarded(broker, servers)

    run_asyncio(_Wallboard(make, access.output).run(listen, token, access.timeout))


def _token(file: Optional[str]) -> str:
    if file is None:
        return ""
    token = read_secret_file(file, note).strip()
    if len(token) < SHORTEST_TOKEN:
        text = f"the token in {file} is shorter than {SHORTEST_TOKEN} characters: openssl rand -hex 16 makes a good one"
        raise CommandError(text, Status.USAGE)
    return token


class _Wallboard:
    """Serves the page. ``make(fail)`` makes the origin of its models; ``fail(error)`` ends the command."""

    def __init__(self, make: Callable[[Callable[[Exception], object]], Origin], output: Output) -> None:
        self._make = make
        self._output = output

    async def run(self, listen: tuple[str, int], token: str, timeout: Optional[float]) -> None:
        """Serve for ``timeout`` seconds, or until a signal or a server that refuses the login for good."""
        loop = asyncio.get_running_loop()
        self._end: asyncio.Future[None] = loop.create_future()
        if timeout is not None:
            loop.call_later(timeout, self._stop)
        with signals.stopping(loop, self._stop):
            await self._serve(listen, token)

    async def _serve(self, listen: tuple[str, int], token: str) -> None:
        from aiohttp import web

        from ..web import make_app

        origin = self._make(self._fail)
        app = make_app(*origin.models, token=token, events=origin.events)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await self._listen(runner, *listen)
            origin.start()
            await self._end
        finally:
            origin.close()
            await runner.cleanup()

    def _stop(self) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self._end.done():
            self._end.set_exception(error)

    async def _listen(self, runner: web.AppRunner, host: str, port: int) -> None:
        from aiohttp import web

        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            where = format_address(host, port)
            raise CommandError(f"cannot listen on {where}: {error.strerror or error}", Status.USAGE) from None
        bound = runner.addresses[0][:2]
        url = f"http://{format_address(*bound)}/"
        if self._output.json:
            self._output.object({"url": url})
            self._output.flush()
        else:
            self._output.line(url)
