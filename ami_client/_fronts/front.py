"""The common base of the awaited and the blocking client: their pool, and what users see of the connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable, Optional

from ..connection import Connection
from ..errors import AMIError
from ..options import read_url
from ..pool import Pool
from ..url import USUAL_PORT
from .link import Link


class Front:
    """A link to ``url``. It uses the given pool, or one that ``make_pool(options)`` makes.

    Raises TypeError for options together with a pool, ValueError for a malformed URL.
    """

    def __init__(
        self,
        url: Optional[str],
        pool: Optional[Pool],
        options: Mapping[str, object],
        make_pool: Callable[[Mapping[str, object]], Pool],
    ) -> None:
        if pool is not None and options:
            raise TypeError(f"with a pool, set these options on the pool: {', '.join(options)}")
        self._owns_pool = pool is None
        self._pool = make_pool({"fold_case": False, "port": USUAL_PORT, **options}) if pool is None else pool
        if url is not None:
            read_url(url, self._pool.options)  # a malformed URL raises here
        self._link = Link(self._pool, url)

    def __repr__(self) -> str:
        return f"<Client {self._link}>"

    @property
    def pool(self) -> Pool:
        """The client's pool. Call its methods in the loop's thread; only ``pool.stats`` may be read from any thread."""
        return self._pool

    @property
    def conn(self) -> Optional[Connection]:
        """The connection while it is logged in, else None. After a reconnect it is a new object.

        Call its methods in the loop's thread.
        """
        return self._link.conn

    @property
    def connected(self) -> bool:
        """Whether the client is logged in."""
        return self._link.conn is not None

    @property
    def error(self) -> Optional[AMIError]:
        """Why there is no connection and no attempt follows, else None."""
        return self._link.error
