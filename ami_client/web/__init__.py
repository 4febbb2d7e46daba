"""The wallboard: a model as a web page that updates itself.

Requires aiohttp: ``pip install ami-client[web]``.

From top to bottom: ``app`` has the routes, ``access`` decides who may see the page, ``broadcast`` sends to all browsers
what ``state`` reads from the models. ``views`` are the parts of the state. ``hour`` counts the callers of the last
hour. ``static`` is the page: there is no build step, and nothing comes from other hosts.
"""

from __future__ import annotations

from .app import make_app

__all__ = ["make_app"]
