"""Host names to addresses, in threads: one look-up per host at a time in the whole process, whoever asks.

A look-up that hangs cannot be ended: it holds its thread for as long as the system's resolver likes. Had each attempt
to connect a look-up of its own, those that try again and again would pile threads up without a bound. So who asks for a
host that is being looked up already, from whichever pool, loop or thread, waits for that answer.
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

#: (family, address as connect() takes it, but with port 0)
Found = list[tuple[int, tuple[Any, ...]]]


class Query:
    """One who waits for the addresses of a host."""

    __slots__ = ("_loop", "_tell", "_withdraw")

    def __init__(
        self, loop: Loop, tell: Callable[[Found, Optional[OSError]], object], withdraw: Callable[[Query], None]
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._withdraw = withdraw

    def cancel(self) -> None:
        """Wait no more; an answer that is on its way still comes."""
        self._withdraw(self)

    def answer(self, found: Found, error: Optional[OSError]) -> None:
        """Tell the answer, from the loop; may be called in any thread."""
        try:
            self._loop.call_soon_threadsafe(self._tell, found, error)
        except RuntimeError:  # the loop was closed meanwhile: nobody is left to be told
            pass
        except Exception:  # whatever a loop is made of, the others who wait are told
            logger.exception("an event loop did not take the answer to a look-up")


class Resolver:
    """Looks hosts up; may be asked from any thread."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, without the look-ups under way: in a forked child their threads are not there."""
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[Query, None]] = {}  # by host; ordered sets

    def ask(self, loop: Loop, host: str, tell: Callable[[Found, Optional[OSError]], object]) -> Query:
        """Have ``tell(found, error)`` called once, from the loop. Raises RuntimeError when no thread is to be had."""
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
        # Were it left, the list would grow for as long as the look-up hangs.
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
    """The addresses of a host in the system's order, or why there are none. Blocks."""
    try:
        # Without a port: it is no part of the question, and the host is all that look-ups are told apart by.
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in answers], None
    except OSError as error:
        return [], error
    except UnicodeError as error:  # a label that is empty or too long
        return [], OSError(errno.EINVAL, f"malformed host name: {error}")
    except Exception as error:  # those who wait would do so for ever
        return [], OSError(errno.EINVAL, f"the host name cannot be looked up: {error!r}")


#: The one that all connections of the process ask.
resolver = Resolver()

if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=resolver.forget)
