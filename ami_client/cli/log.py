"""The library's log on stderr."""

from __future__ import annotations

import logging


class _LogHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Our own, to be known again."""


def log_to_stderr(verbose: int) -> None:
    """Log what goes on: 0 nothing, 1 changes of state, 2 each step. Once is enough."""
    if not verbose or any(isinstance(one, _LogHandler) for one in logging.getLogger("ami_client").handlers):
        return
    handler = _LogHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("ami_client")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
