"""The common base of AsyncAGI and FastAGI: handlers, and calls."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Optional, cast, overload

from .._engine.text import printable
from ..callbacks import Arguments, callback_name, logger, require_callable
from ..options import seconds
from .call import Call
from .errors import CallEnded
from .events import CALL, CallEvents, Handler, SomeHandler
from .routes import Route
from .threads import BlockingCall, Threads

if TYPE_CHECKING:
    import asyncio

    from ..loop import Handle, Loop
    from .pending import Command
    from .protocol import Reply

IDLE_TIMEOUT = 300.0  # seconds


class CallServer(CallEvents):
    """Accepts calls and passes each to its handler.

    ``on("start", handler)`` binds the handler of all calls without a route. The other events come for every call:
    ``hangup`` and ``end`` call ``handler(call)``, ``reply`` calls ``handler(call, command, reply)`` for each reply.

    On asyncio's loop, the handler of a call may be a coroutine function. It runs as a task, which is cancelled when the
    call hangs up. When it ends, the call is returned to the dialplan. With ``threads``, plain handlers run in threads,
    with a :class:`BlockingCall`.
    """

    events: ClassVar[Mapping[str, Arguments]] = {
        "start": CALL,
        "reply": ("call", "command", "reply"),
        **CallEvents.events,
    }

    def __init__(
        self,
        *,
        threads: Optional[int],
        command_timeout: Optional[float],
        idle_timeout: Optional[float],
    ) -> None:
        super().__init__()
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise ValueError(f"threads must be a number of at least 1, or None for no threads, not {threads!r}")
        self.command_timeout = seconds("command_timeout", command_timeout)
        self._idle_timeout = seconds("idle_timeout", idle_timeout)
        self._threads = None if threads is None else Threads(threads)
        self._routes: list[Route] = []
        self._start: Optional[Callable[[Call], object]] = None
        self._calls: set[Call] = set()
        self._tasks: dict[Call, asyncio.Task[None]] = {}
        self._cancelled: set[asyncio.Task[None]] = set()  # cancelled tasks that are not done yet
        self._sweeper: Optional[Handle] = None

    @property
    def calls(self) -> frozenset[Call]:
        """The calls whose session is open."""
        return frozenset(self._calls)

    @property
    def _loop(self) -> Loop:
        raise NotImplementedError

    # -- handlers

    @overload
    def route(self, path: str, handler: SomeHandler) -> SomeHandler: ...
    @overload
    def route(self, path: str, handler: None = None) -> Callable[[SomeHandler], SomeHandler]: ...
    def route(self, path: str, handler: Optional[SomeHandler] = None) -> Any:
        """Pass calls with this path to ``handler(call)``. Return the handler. Without it this is a decorator.

        In ``/ivr/<lang>`` the name stands for one part of the path: ``call.params["lang"]``. The first route that
        matches gets the call. The handler of ``start`` gets calls that match none. Raises ValueError for a malformed
        path, TypeError for a handler that cannot be called.
        """
        if handler is None:
            Route(path, self.route)  # a malformed path raises at the decorator's line
            return partial(self.route, path)
        self._routes.append(Route(path, self._taker(handler)))
        return handler

    def _bind(self, name: str, cb: Handler) -> None:
        if name != "start":
            super()._bind(name, cb)
        elif self._start is not None:
            raise ValueError("'start' already has a handler; use route() to give calls to different handlers")
        else:
            self._start = self._taker(cb)

    def _taker(self, handler: Handler) -> Callable[[Call], object]:
        """Return the function that passes a call to a handler. Raises TypeError if the handler cannot be called."""
        if _is_coroutine_function(handler):
            if not _is_asyncio(self._loop):
                raise TypeError(
                    f"{callback_name(handler)} is a coroutine function, which this loop cannot run: "
                    "pass an asyncio loop as reactor"
                )
            inspect.signature(handler).bind(None)  # raises TypeError
            return partial(self._run_task, handler)
        require_callable(handler, "a handler of calls", CALL)
        return partial(self._run if self._threads is None else self._run_thread, handler)

    def _taker_of(self, call: Call) -> Optional[Callable[[Call], object]]:
        if self._routes:
            path = call.path
            for route in self._routes:
                params = route.match(path)
                if params is not None:
                    call.params.update(params)
                    return route.handler
        return self._start

    # -- a call's life

    def _begin(self, call: Call) -> None:
        """Pass a call to its handler, or return it to the dialplan."""
        self._calls.add(call)
        take = self._taker_of(call)
        if take is None:
            path = printable(call.path)
            logger.warning("no handler for the call of %s, path %s; returning it to the dialplan", call, path)
            call.finish()
            return
        if self._sweeper is None and self._idle_timeout is not None:
            self._sweep_later(self._idle_timeout)
        take(call)

    def _run_task(self, handler: Handler, call: Call) -> None:
        call._hold()
        loop = cast("asyncio.AbstractEventLoop", self._loop)
        # The task is kept until it is done, because asyncio does not keep it.
        self._tasks[call] = loop.create_task(self._await(handler, call))

    def _run_thread(self, handler: Handler, call: Call) -> None:
        assert self._threads is not None
        call._hold()
        self._threads.run(partial(self._run_in_thread, handler, call))

    def _run(self, handler: Handler, call: Call) -> None:
        try:
            result = handler(call)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            _log_raised(handler, call)
            call.finish()
        else:
            if inspect.iscoroutine(result):
                result.close()
                logger.error("handler %s returned a coroutine, which nobody runs", callback_name(handler))
                call.finish()

    async def _await(self, handler: Handler, call: Call) -> None:
        try:
            await cast("Callable[[Call], Any]", handler)(call)
        except CallEnded:
            logger.debug("handler %s of %s ended with its call", callback_name(handler), call)
        except Exception:
            _log_raised(handler, call)
        finally:
            self._tasks.pop(call, None)
            self._release(call)

    def _run_in_thread(self, handler: Handler, call: Call) -> None:
        try:
            if not call.ended:  # it may have ended while it waited for a thread
                handler(BlockingCall(self._loop, call))
        except CallEnded:
            logger.debug("handler %s of %s ended with its call", callback_name(handler), call)
        except BaseException:
            _log_raised(handler, call)
        finally:
            with suppress(RuntimeError):  # the loop is closed, and so is the call
                self._loop.call_soon_threadsafe(self._release, call)

    def _release(self, call: Call) -> None:
        call._release()

    def call_replied(self, call: Call, command: Command, reply: Reply) -> None:
        """Call the handlers of ``reply``."""
        if "reply" in self._handlers:
            self._emit("reply", call, command.data.decode("utf-8", "surrogateescape"), reply)

    def call_hung_up(self, call: Call) -> None:
        """Call the handlers, and cancel the task of a coroutine."""
        self._emit("hangup", call)
        self._cancel(call)

    def call_ended(self, call: Call) -> None:
        """Call the handlers, and remove the call."""
        self._calls.discard(call)
        self._emit("end", call)
        self._cancel(call)

    def _cancel(self, call: Call) -> None:
        task = self._tasks.pop(call, None)  # once only, so that its cleanup is not cancelled
        if task is not None:
            self._cancelled.add(task)
            task.add_done_callback(self._cancelled.discard)
            task.cancel()

    def _close_calls(self) -> None:
        for call in list(self._calls):
            call.close()
        if self._threads is not None:
            self._threads.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # -- idle calls

    def _sweep_later(self, idle_timeout: float) -> None:
        self._sweeper = self._loop.call_later(idle_timeout / 2, self._sweep, idle_timeout)

    def _sweep(self, idle_timeout: float) -> None:
        self._sweeper = None
        oldest = self._loop.time() - idle_timeout
        for call in [one for one in self._calls if one._idle_since is not None and one._idle_since <= oldest]:
            logger.warning("%s: no command for %g s; returning the call to the dialplan", call, idle_timeout)
            call.close()
        if self._calls:
            self._sweep_later(idle_timeout)


def _log_raised(handler: Handler, call: Call) -> None:
    logger.exception("handler %s raised; returning the call of %s to the dialplan", callback_name(handler), call)


def _is_coroutine_function(cb: Handler) -> bool:
    return inspect.iscoroutinefunction(cb) or inspect.iscoroutinefunction(type(cb).__call__)


def _is_asyncio(loop: Loop) -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(loop, asyncio.AbstractEventLoop)
