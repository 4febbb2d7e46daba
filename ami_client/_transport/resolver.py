"""Resolves host names in threads, with one lookup per host at a time in the whole process.

A hanging lookup cannot be cancelled: it occupies its thread as long as the system's resolver takes. If each connection
attempt started its own lookup, reconnects would accumulate threads without bound. So all requests for a host share one
lookup, whatever pool, loop or thread they come from.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..callbacks import logger

if TYPE_CHECKING:
    from ..loop import Loop

#: (family, address for connect(), but with port 0)
Found = list[tuple[int, tuple[Any, ...]]]


class Query:
    """One request for the addresses of a host."""

    __slots__ = ("_loop", "_tell", "_withdraw")

    def __init__(
        self, loop: Loop, tell: Callable[[Found, Optional[OSError]], object], withdraw: Callable[[Query], None]
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._withdraw = withdraw

    def cancel(self) -> None:
        """Stop waiting. An answer that is already scheduled still arrives."""
        self._withdraw(self)

    def answer(self, found: Found, error: Optional[OSError]) -> None:
        """Schedule the callback on the loop, with the answer. May be called in any thread."""
        try:
            self._loop.call_soon_threadsafe(self._tell, found, error)
        except RuntimeError:  # the loop was closed, so nobody waits any more
            pass
        except Exception:  # a faulty loop must not keep the answer from the other queries
            logger.exception("an event loop did not accept the result of a host lookup")


class Resolver:
    """Looks up hosts. May be used in any thread."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start over without the current lookups. Their threads do not exist in a forked child."""
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[Query, None]] = {}  # by host; ordered sets

    def ask(self, loop: Loop, host: str, tell: Callable[[Found, Optional[OSError]], object]) -> Query:
        """Look up a host. The loop calls ``tell(found, error)`` once. Raises RuntimeError if no thread can start."""
        key = host.lower()
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is None:
                waiting = {}
                name = "ami_client-resolver"
                threading.Thread(target=self._look_up, args=(key, host, waiting), name=name, daemon=True).start()
                self._waiting[key] = waiting  # in time: the thread needs the lock to answer
            query = Query(loop, tell, partial(self._withdraw, waiting))
            waiting[query] = None
        return query

    def _withdraw(self, waiting: dict[Query, None], query: Query) -> None:
        # Otherwise the list would grow as long as the lookup hangs.
        with self._lock:
            waiting.pop(query, None)

    def _look_up(self, key: str, host: str, waiting: dict[Query, None]) -> None:  # in a thread
        found, error = look_up(host)
        with self._lock:
            if self._waiting.get(key) is waiting:
                del self._waiting[key]
            queries = list(waiting)
            waiting.clear()
        for query in queries:
            query.answer(found, error)


def look_up(host: str) -> tuple[Found, Optional[OSError]]:
    """Return the addresses of a host in the system's order, or the error. Blocks."""
    try:
        # Without a port, because lookups are shared per host.
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in answers], None
    except OSError as error:
        return [], error
    except UnicodeError as error:  # a label that is empty or too long
        return [], OSError(errno.EINVAL, f"malformed host name: {error}")
    except Exception as error:  # otherwise the queries would wait forever
        return [], OSError(errno.EINVAL, f"the host name cannot be looked up: {error!r}")


#: The resolver of all connections in this process.
resolver = Resolver()

if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=resolver.forget)
