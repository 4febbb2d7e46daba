"""The library's own event loop, without asyncio: readers, writers, timers, signals, callbacks from other threads."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import select
import selectors
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Callable, ClassVar, Optional, SupportsFloat

from . import _fork
from ._transport.timers import TimerHandle, TimerQueue, seconds
from ._transport.wakeup import SignalCallbacks, Waker
from .callbacks import CallbackHandle
from .loop import FileDescriptor, Handle, Loop

__all__ = ["CallbackHandle", "Handle", "Loop", "Reactor", "TimerHandle"]

logger = logging.getLogger("ami_client")

Events = list[tuple[selectors.SelectorKey, int]]  # what a selector has found

#: Longest single wait, in seconds. epoll takes its timeout as milliseconds in an int.
_MAX_WAIT = 24 * 3600.0
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
#: Seconds. A signal just before a wait this short is noticed after it, so nothing needs to wake the reactor.
SHORT_WAIT = 0.1
#: Python's FD_SETSIZE there; on other systems the number of the descriptor counts.
_MOST_ON_WINDOWS = 512
#: Indexes into the pair of handles that the selector keeps for each descriptor.
_READER, _WRITER = 0, 1


class Reactor:
    """An event loop on a selector, with asyncio's names and rules but without asyncio.

    Callbacks run one at a time, in the thread that called :meth:`run`, in the order in which they were scheduled. A
    callback scheduled by a running one waits for the next iteration. If a callback raises, the exception is logged with
    its traceback on the logger ``ami_client``, and the loop continues. ``KeyboardInterrupt`` and ``SystemExit`` leave
    :meth:`run`, which can be called again.

    Only :meth:`call_soon_threadsafe` may be called from another thread. In a forked child the parent's reactor raises
    RuntimeError: the child needs its own.

    ``selector`` is one of the standard library's, or compatible. ``clock`` returns seconds and never goes back. If both
    are given, as in ``ami_client.testing``, time is simulated: the reactor makes no sockets of its own, and other
    threads cannot wake its selector. Closing the reactor closes the selector.

    Source: phpDaemon's ``EventLoop``.
    """

    _default: ClassVar[Optional[Reactor]] = None
    _default_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        selector: Optional[selectors.BaseSelector] = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not callable(clock):
            raise TypeError(f"clock must be a function, not {type(clock).__name__}")
        # In simulated time select() does not block, so nothing has to wake it.
        self._simulated = selector is not None and clock is not time.monotonic
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self._clock = clock
        self.time = clock  # type: ignore[method-assign]  # spares each handler a call back into the reactor
        self._ready: deque[CallbackHandle] = deque()
        self._timers = TimerQueue()
        self._waker: Optional[Waker] = None
        self._signals = SignalCallbacks(self.call_soon_threadsafe)
        self._forks = _fork.forks
        self._running = False
        self._stopping = False
        self._closed = False

    @classmethod
    def instance(cls) -> Reactor:
        """Return the default reactor, phpDaemon's ``EventLoop::$instance``.

        It is created on first use. It is created again after it was closed, and in a forked child.
        """
        with Reactor._default_lock:
            default = Reactor._default
            if default is None or default._closed or default._is_the_parents:
                if default is not None:
                    with suppress(RuntimeError):  # it has signal handlers, which only the main thread can remove
                        default.close()
                default = Reactor._default = Reactor()
            return default

    def __enter__(self) -> Reactor:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- callbacks and timers

    def time(self) -> float:
        """Return the time on the reactor's clock, in seconds."""
        return self._clock()

    def call_soon(self, callback: Callable[..., object], *args: object) -> CallbackHandle:
        """Call ``callback(*args)`` in the next iteration. Return a handle with ``cancel()``.

        Raises TypeError if ``callback`` is not callable, RuntimeError if the reactor is closed.
        """
        self._check_open()
        handle = CallbackHandle(callback, args)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> CallbackHandle:
        """Like :meth:`call_soon`, but safe in any thread. Wakes the reactor and never blocks.

        No other method may be called outside the reactor's thread. Raises RuntimeError if the reactor is closed.
        """
        handle = self.call_soon(callback, *args)
        waker = self._waker
        if waker is not None:
            waker.wake()
        return handle

    def call_later(self, delay: SupportsFloat, callback: Callable[..., object], *args: object) -> TimerHandle:
        """Call ``callback(*args)`` after ``delay`` seconds, not earlier.

        Timers that are due together run in the order of their times. Equal ones run in the order in which they were
        scheduled.
        Returns a handle with ``cancel()`` and ``when()``. Raises TypeError if ``delay`` is not a number or ``callback``
        is not callable, ValueError for NaN, RuntimeError if the reactor is closed.
        """
        return self.call_at(self._clock() + seconds(delay), callback, *args)

    def call_at(self, when: SupportsFloat, callback: Callable[..., object], *args: object) -> TimerHandle:
        """Like :meth:`call_later`, but at the time ``when``, in seconds on the reactor's clock."""
        self._check_open()
        return self._timers.add(seconds(when), callback, args)

    # -- descriptors

    def add_reader(self, fd: FileDescriptor, callback: Callable[..., object], *args: object) -> None:
        """Call ``callback(*args)`` whenever ``fd`` is readable. This replaces an earlier callback.

        Raises ValueError or OSError for a bad descriptor, and for one that the selector cannot watch: ``select()``
        accepts none above 1,023. Raises TypeError if ``callback`` is not callable, RuntimeError if the reactor is
        closed.
        """
        self._check_open()
        self._watch(fd, _READER, CallbackHandle(callback, args))

    def remove_reader(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for reading. Return whether it was watched.

        Call this before you close ``fd``. The callback will not run any more, even if ``fd`` is already known to be
        readable.
        """
        return self._unwatch(fd, _READER)

    def add_writer(self, fd: FileDescriptor, callback: Callable[..., object], *args: object) -> None:
        """Call ``callback(*args)`` whenever ``fd`` is writable. Otherwise like :meth:`add_reader`."""
        self._check_open()
        self._watch(fd, _WRITER, CallbackHandle(callback, args))

    def remove_writer(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for writing. Otherwise like :meth:`remove_reader`."""
        return self._unwatch(fd, _WRITER)

    def _unwatch(self, fd: FileDescriptor, side: int) -> bool:
        # A forked child removes nothing: the selector is the parent's, which still watches.
        return not self._closed and not self._is_the_parents and self._watch(fd, side, None) is not None

    def _watch(self, fd: FileDescriptor, side: int, handle: Optional[CallbackHandle]) -> Optional[CallbackHandle]:
        """Set the handle of one side of ``fd``; None removes it. Return the previous one."""
        if handle is not None and isinstance(self._selector, selectors.SelectSelector):
            _check_selectable(fd, self._selector)
        try:
            sides = list(self._selector.get_key(fd).data)
        except KeyError:
            sides = [None, None]
        else:
            if handle is None and sides[side] is None:
                return None
            # Register again instead of modifying. If fd was closed without being removed, and another file now has its
            # number, the kernel does not watch that file.
            self._selector.unregister(fd)
        old: Optional[CallbackHandle] = sides[side]
        sides[side] = handle
        if old is not None:
            old.cancel()
        events = (_READ if sides[_READER] else 0) | (_WRITE if sides[_WRITER] else 0)
        if events:
            try:
                self._selector.register(fd, events, tuple(sides))
            except (OSError, ValueError):
                if handle is not None:
                    raise
                # One side of a closed descriptor is removed. The other side is gone with it.
        return old

    # -- signals

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        """Call ``callback(*args)`` in the loop when ``sig`` arrives. This replaces an earlier callback.

        Call it in the main thread only. Raises ValueError for an invalid signal, TypeError if ``callback`` is not
        callable, and RuntimeError for a signal that cannot be caught, in another thread, and if the reactor is closed.
        In a forked child, the signal's previous handler applies.
        """
        self._check_open()
        self._signals.add(sig, callback, args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Restore the previous handler of ``sig``. Return whether the reactor handled it."""
        return self._signals.remove(sig)

    # -- running

    def run(self) -> None:
        """Run until :meth:`stop`. Wait when there is nothing to do.

        Raises RuntimeError if the reactor is already running or closed, and KeyboardInterrupt on SIGINT if no handler
        was added for it. If a callback forks and returns, it raises RuntimeError in the child, because the parent runs
        the loop.
        """
        self._check_idle()
        try:
            self._begin(None)
            while True:
                self._iterate(None)
                if self._stopping:
                    return
        finally:
            self._end()

    def run_once(self, timeout: Optional[SupportsFloat] = None) -> bool:
        """Run one iteration. Return whether any callback ran.

        It waits at most ``timeout`` seconds for something to do. None means no limit. Raises TypeError if ``timeout``
        is not a number, ValueError for NaN, and the same errors as :meth:`run`.
        """
        limit = None if timeout is None else seconds(timeout)
        self._check_idle()
        try:
            self._begin(limit)
            return self._iterate(limit)
        finally:
            self._end()

    def next_due(self) -> Optional[float]:
        """When the next callback is due, on the reactor's clock: now if one is ready, None if there is none."""
        return self._clock() if self._ready else self._timers.next_time()

    def stop(self) -> None:
        """Make :meth:`run` return at the end of the current iteration, or of the first one if it is not running yet.

        From other threads, use ``call_soon_threadsafe(reactor.stop)``.
        """
        self._stopping = True

    def is_running(self) -> bool:
        """Return whether :meth:`run` or :meth:`run_once` is running."""
        return self._running

    def is_closed(self) -> bool:
        """Return whether the reactor is closed."""
        return self._closed

    def close(self) -> None:
        """Drop scheduled callbacks, close the selector, and restore the previous signal handlers.

        Watched descriptors stay open. Closing again has no effect. Raises RuntimeError if the reactor is running, or if
        it has signal handlers and this is not the main thread. Closing it in a forked child does not affect the parent.
        """
        if self._running and not self._is_the_parents:
            raise RuntimeError("a running reactor cannot be closed")
        if self._closed:
            return
        self._signals.clear()
        self._closed = True
        self._ready.clear()
        self._timers.clear()
        self._selector.close()
        if self._waker is not None:
            self._waker.close()

    def _check_open(self) -> None:
        if self._forks != _fork.forks:
            _fork.refuse("reactor", "a Reactor")
        if self._closed:
            raise RuntimeError("the reactor is closed")

    @property
    def _is_the_parents(self) -> bool:
        return self._forks != _fork.forks

    def _check_idle(self) -> None:
        self._check_open()
        if self._running:
            raise RuntimeError("the reactor is already running")

    def _begin(self, limit: Optional[float]) -> None:
        self._running = True
        if not self._simulated:
            waker = self._wakeable()
            if limit is None or limit > SHORT_WAIT:
                waker.watch_signals()

    def _end(self) -> None:
        self._running = self._stopping = False
        if self._waker is not None:
            self._waker.leave_signals()

    def _wakeable(self) -> Waker:
        if self._waker is None:
            waker = Waker()
            try:
                self._watch(waker, _READER, CallbackHandle(waker.drain, ()))
            except BaseException:
                waker.close()
                raise
            self._waker = waker
        return self._waker

    def _iterate(self, limit: Optional[float]) -> bool:
        due = self._timers.next_time()
        if self._ready or self._stopping:
            limit = 0.0
        elif due is not None:
            wait = due - self._clock()
            if limit is None or wait < limit:
                limit = wait
        if limit is not None and not 0 <= limit <= _MAX_WAIT:
            limit = _MAX_WAIT if limit > 0 else 0.0
        try:
            events = self._selector.select(limit)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOTSOCK) or not self._drop_closed_descriptors():
                raise
            events = []
        return self._handle(events, due)

    def _handle(self, events: Events, due: Optional[float]) -> bool:
        """Run the callbacks of ``events``, the timers if the first is ``due``, and what was scheduled."""
        ready = self._ready
        for key, mask in events:
            reader, writer = key.data
            if mask & _READ and reader is not None:
                ready.append(reader)
            if mask & _WRITE and writer is not None:
                ready.append(writer)
        if due is not None:
            now = self._clock()
            if now >= due:
                ready.extend(self._timers.pop_due(now))
        ran = False
        forks = self._forks
        for _ in range(len(ready)):  # callbacks added by these wait for the next iteration
            ran = ready.popleft().run() or ran
            if forks != _fork.forks:  # the rest belongs to the parent
                self._check_open()
        return ran

    def _drop_closed_descriptors(self) -> bool:
        """Forget descriptors that were closed without being removed. Return whether there were any.

        ``select()`` refuses a set that holds a closed descriptor, so none of the others would be served. Epoll and
        kqueue forget closed descriptors by themselves.
        """
        dropped = False
        for key in list(self._selector.get_map().values()):
            try:
                select.select([key.fd], (), (), 0)  # os.fstat() of Windows knows no sockets
            except OSError:
                self._selector.unregister(key.fileobj)
                logger.error("descriptor %d was closed while the reactor watched it", key.fd)
                dropped = True
        return dropped


def _check_selectable(fd: FileDescriptor, selector: selectors.SelectSelector) -> None:
    """Raise ValueError for a descriptor that ``select()`` refuses. It would refuse the whole set."""
    if sys.platform == "win32" and len(selector.get_map()) >= _MOST_ON_WINDOWS and fd not in selector.get_map():
        raise ValueError(f"select() of Windows watches {_MOST_ON_WINDOWS} sockets at most")
    try:
        select.select([fd], (), (), 0)
    except (ValueError, OverflowError) as error:
        number = fd if isinstance(fd, int) else fd.fileno()
        raise ValueError(f"descriptor {number} cannot be watched with select(): {error}") from error
    except (OSError, TypeError):  # a bad descriptor; registering it raises
        pass


@atexit.register
def _close_default() -> None:
    # Nobody owns the default reactor, so nobody else would close its sockets. If it is still running, it runs in a
    # daemon thread and ends with it.
    reactor = Reactor._default
    if reactor is not None and not reactor.is_running():
        reactor.close()


def _renew_lock() -> None:
    # Another thread may have held the lock at the fork. That thread does not exist in the child, so it never releases
    # the lock.
    Reactor._default_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_renew_lock)
