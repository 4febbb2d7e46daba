"""Our own event loop: readers, writers, timers, signals and callbacks from other threads, without asyncio."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import select
import selectors
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Callable, ClassVar, Optional, SupportsFloat

from . import _fork
from ._transport.timers import CallbackHandle, TimerHandle, TimerQueue, seconds
from ._transport.wakeup import SignalCallbacks, Waker
from .loop import FileDescriptor, Handle, Loop

__all__ = ["CallbackHandle", "Handle", "Loop", "Reactor", "TimerHandle"]

logger = logging.getLogger("ami_client")

#: Longest single wait, seconds: epoll takes its timeout as an int of milliseconds.
_MAX_WAIT = 24 * 3600.0
#: Places in the pair of handles that the selector keeps for each descriptor.
_READER, _WRITER = 0, 1


class Reactor:
    """An event loop on a selector, with asyncio's names and rules and without asyncio.

    Callbacks run one at a time, in the thread that is in :meth:`run`, in the order in which they
    were scheduled; those scheduled while they run wait for the next iteration. One that raises is
    logged with its traceback on the logger ``ami_client`` and harms nothing else.
    ``KeyboardInterrupt`` and ``SystemExit`` come out of :meth:`run`, which can be called again.

    Only :meth:`call_soon_threadsafe` may be called from another thread. In a forked child a reactor of the parent's
    refuses to work, with RuntimeError: the child needs one of its own.

    ``selector`` is any of the standard library's or one like them, ``clock`` returns seconds and never
    goes back. Given both, as ``ami_client.testing`` has them, time is taken to be simulated: the
    reactor then makes no sockets of its own, and another thread cannot wake its selector. The
    selector is closed with the reactor.

    phpDaemon's ``EventLoop``.
    """

    _default: ClassVar[Optional[Reactor]] = None
    _default_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        selector: Optional[selectors.BaseSelector] = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not callable(clock):
            raise TypeError(f"a clock is a function, not {type(clock).__name__}")
        # Where time is simulated select() does not block: there is nothing to wake.
        self._simulated = selector is not None and clock is not time.monotonic
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self._clock = clock
        self.time = clock  # type: ignore[method-assign]  # in place of the method: a call less around each handler
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

        It is made when first asked for, and anew when it was closed, and in a forked child.
        """
        with Reactor._default_lock:
            default = Reactor._default
            if default is None or default._closed or default._is_the_parents:
                if default is not None:
                    with suppress(RuntimeError):  # signals of the parent's, and this is not the main thread
                        default.close()
                default = Reactor._default = Reactor()
            return default

    def __enter__(self) -> Reactor:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- callbacks and timers

    def time(self) -> float:
        """Return the reactor's clock, seconds."""
        return self._clock()

    def call_soon(self, callback: Callable[..., object], *args: object) -> CallbackHandle:
        """Call ``callback(*args)`` in the next iteration; returns a handle with ``cancel()``.

        Raises TypeError for what cannot be called, RuntimeError when the reactor is closed.
        """
        self._check_open()
        handle = CallbackHandle(callback, args)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> CallbackHandle:
        """As :meth:`call_soon`, from any thread: wakes the reactor and never blocks.

        This is the only method that is safe outside the reactor's thread. Raises RuntimeError
        when the reactor is closed.
        """
        handle = self.call_soon(callback, *args)
        waker = self._waker
        if waker is not None:
            waker.wake()
        return handle

    def call_later(self, delay: SupportsFloat, callback: Callable[..., object], *args: object) -> TimerHandle:
        """Call ``callback(*args)`` after ``delay`` seconds, not earlier.

        Timers that are due together run in order of their times, equal ones as they were
        scheduled. Returns a handle with ``cancel()`` and ``when()``. Raises TypeError for a delay that
        is no number or what cannot be called, ValueError for NaN, RuntimeError when the reactor is
        closed.
        """
        return self.call_at(self._clock() + seconds(delay), callback, *args)

    def call_at(self, when: SupportsFloat, callback: Callable[..., object], *args: object) -> TimerHandle:
        """As :meth:`call_later`, for the time ``when``, seconds on the reactor's clock."""
        self._check_open()
        return self._timers.add(seconds(when), callback, args)

    # -- descriptors

    def add_reader(self, fd: FileDescriptor, callback: Callable[..., object], *args: object) -> None:
        """Call ``callback(*args)`` whenever ``fd`` can be read, instead of an earlier callback.

        Raises ValueError or OSError for a bad descriptor, and for one that the selector cannot watch:
        ``select()`` takes none above 1,023. TypeError for what cannot be called, RuntimeError when the
        reactor is closed.
        """
        self._check_open()
        self._watch(fd, _READER, CallbackHandle(callback, args))

    def remove_reader(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for reading; returns whether it was watched.

        To be called before ``fd`` is closed. Its callback does not run any more, not even when
        ``fd`` is known to be readable already.
        """
        return self._unwatch(fd, _READER)

    def add_writer(self, fd: FileDescriptor, callback: Callable[..., object], *args: object) -> None:
        """Call ``callback(*args)`` whenever ``fd`` can be written, as :meth:`add_reader`."""
        self._check_open()
        self._watch(fd, _WRITER, CallbackHandle(callback, args))

    def remove_writer(self, fd: FileDescriptor) -> bool:
        """Stop watching ``fd`` for writing, as :meth:`remove_reader`."""
        return self._unwatch(fd, _WRITER)

    def _unwatch(self, fd: FileDescriptor, side: int) -> bool:
        # In a forked child nothing is taken away: the parent, whose selector it is, still watches.
        return not self._closed and not self._is_the_parents and self._watch(fd, side, None) is not None

    def _watch(self, fd: FileDescriptor, side: int, handle: Optional[CallbackHandle]) -> Optional[CallbackHandle]:
        """Put ``handle`` at one side of ``fd``, None to take it away; returns the one before."""
        if handle is not None and isinstance(self._selector, selectors.SelectSelector):
            _check_selectable(fd)
        try:
            sides = list(self._selector.get_key(fd).data)
        except KeyError:
            sides = [None, None]
        else:
            if handle is None and sides[side] is None:
                return None
            # Registered afresh, not modified: had fd been closed without being removed and its
            # number taken by another file, the kernel would not be watching that one.
            self._selector.unregister(fd)
        old: Optional[CallbackHandle] = sides[side]
        sides[side] = handle
        if old is not None:
            old.cancel()
        events = (selectors.EVENT_READ if sides[_READER] else 0) | (selectors.EVENT_WRITE if sides[_WRITER] else 0)
        if events:
            try:
                self._selector.register(fd, events, tuple(sides))
            except (OSError, ValueError):
                if handle is not None:
                    raise
                # One side is taken away from what is closed already: the other went with it.
        return old

    # -- signals

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        """Call ``callback(*args)`` in the loop when ``sig`` comes, instead of an earlier callback.

        From the main thread only. Raises ValueError for what is no signal, TypeError for what cannot
        be called, RuntimeError for a signal that cannot be caught, in another thread, and when the
        reactor is closed. In a forked child a signal does what it did before.
        """
        self._check_open()
        self._signals.add(sig, callback, args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Give ``sig`` back to what handled it before; returns whether it was handled here."""
        return self._signals.remove(sig)

    # -- running

    def run(self) -> None:
        """Run until :meth:`stop`; with nothing to do, wait.

        Raises RuntimeError when it is running already or closed, KeyboardInterrupt on SIGINT when
        no handler was added for it. When a callback forks and returns, RuntimeError in the child: the
        parent runs the loop.
        """
        with self._iterations():
            while True:
                self._iterate(None)
                if self._stopping:
                    return

    def run_once(self, timeout: Optional[SupportsFloat] = None) -> bool:
        """Run one iteration; returns whether any callback ran.

        It waits at most ``timeout`` seconds for something to do, None: as long as it takes. Raises
        TypeError for a timeout that is no number, ValueError for NaN, else as :meth:`run`.
        """
        limit = None if timeout is None else seconds(timeout)
        with self._iterations():
            return self._iterate(limit)

    def stop(self) -> None:
        """Have :meth:`run` return at the end of its iteration; before it, after the first one.

        Other threads: ``call_soon_threadsafe(reactor.stop)``.
        """
        self._stopping = True

    def is_running(self) -> bool:
        """Return whether it is in :meth:`run` or :meth:`run_once`."""
        return self._running

    def is_closed(self) -> bool:
        """Return whether :meth:`close` was called."""
        return self._closed

    def close(self) -> None:
        """Drop what is scheduled, close the selector, give signals back to their old handlers.

        Descriptors stay open. Closing again has no effect. Raises RuntimeError when it is running,
        or has signal handlers and this is not the main thread. In a forked child the parent notices
        nothing of it.
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

    @contextmanager
    def _iterations(self) -> Iterator[None]:
        self._check_open()
        if self._running:
            raise RuntimeError("the reactor is running already")
        self._running = True
        try:
            if self._simulated:
                yield
            else:
                with self._wakeable().woken_by_signals():
                    yield
        finally:
            self._running = self._stopping = False

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
        try:
            events = self._selector.select(self._timeout(limit))
        except OSError as error:
            if error.errno != errno.EBADF or not self._drop_closed_descriptors():
                raise
            events = []
        ready = self._ready
        for key, mask in events:
            reader, writer = key.data
            if mask & selectors.EVENT_READ and reader is not None:
                ready.append(reader)
            if mask & selectors.EVENT_WRITE and writer is not None:
                ready.append(writer)
        if self._timers:
            ready.extend(self._timers.pop_due(self._clock()))
        ran = False
        forks = self._forks
        for _ in range(len(ready)):  # what is added meanwhile is for the next iteration
            if forks != _fork.forks:  # what is left is the parent's to do
                break
            ran = ready.popleft().run() or ran
        if forks != _fork.forks:
            self._check_open()
        return ran

    def _timeout(self, limit: Optional[float]) -> Optional[float]:
        """How long ``select()`` may wait, seconds."""
        if self._ready or self._stopping:
            return 0.0
        due = self._timers.next_time()
        if due is not None:
            wait = due - self._clock()
            limit = wait if limit is None else min(wait, limit)
        return None if limit is None else min(max(limit, 0.0), _MAX_WAIT)

    def _drop_closed_descriptors(self) -> bool:
        """Forget descriptors that were closed without being removed; returns whether there were.

        Where ``select()`` refuses to work with them, they would keep all others from being served.
        Epoll and kqueue forget them by themselves.
        """
        dropped = False
        for key in list(self._selector.get_map().values()):
            try:
                os.fstat(key.fd)
            except OSError:
                self._selector.unregister(key.fileobj)
                logger.error("descriptor %d was closed while the reactor watched it", key.fd)
                dropped = True
        return dropped


def _check_selectable(fd: FileDescriptor) -> None:
    """Raise ValueError for a descriptor that ``select()`` does not take: it would refuse all others as well."""
    try:
        select.select([fd], (), (), 0)
    except (ValueError, OverflowError) as error:
        number = fd if isinstance(fd, int) else fd.fileno()
        raise ValueError(f"descriptor {number} cannot be watched with select(): {error}") from error
    except (OSError, TypeError):  # a bad one: what registers it says so
        pass


@atexit.register
def _close_default() -> None:
    # Nobody owns the default reactor, so nobody else would close its sockets. One that is still
    # running is a daemon thread's, and ends with it.
    reactor = Reactor._default
    if reactor is not None and not reactor.is_running():
        reactor.close()


def _renew_lock() -> None:
    # Another thread may have held it at the fork, and is not there to let it go.
    Reactor._default_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_renew_lock)
