"""The wallboard: what a model knows as a page in the browser, which moves as it changes.

Requires aiohttp: ``pip install ami-client[web]``.

From top to bottom: ``app`` has the routes, ``access`` says who may look, ``broadcast`` sends to all browsers what
``state`` says of the models; ``views`` are the parts of that, ``hour`` counts the callers of the last hour. ``static``
is the page: no build step, and nothing from other hosts.
"""

from __future__ import annotations

from .app import make_app

__all__ = ["make_app"]
