"""The command ``demo``: shows the library at work, by default with the embedded server."""

from __future__ import annotations

import click

from .. import demo as demonstration
from .access import Access, asks_server, server_argument
from .failures import Ended, Status


@click.command()
@server_argument
@click.option("--channel", default=demonstration.CHANNEL, show_default=True, help="The channel to call.")
@click.option("--exten", default=demonstration.EXTEN, show_default=True, help="Where the answered call goes.")
@asks_server
def demo(access: Access, channel: str, exten: str) -> None:
    """Log in, list endpoints, queues and channels, place a call and watch it.

    This runs on an embedded server, or on the SERVER that you name.

    \b
    Examples:
      ami-client demo
      ami-client demo pbx1 --channel PJSIP/100 --exten 200@internal
    """
    target = access.target() if access.given.server else None
    status = demonstration.run(target.url if target else None, channel, exten, target.options if target else {})
    if status:
        raise Ended(Status.REFUSED)
