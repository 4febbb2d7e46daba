"""Forked children of the test's own process."""

from __future__ import annotations

import json
import os
import signal
import traceback
import warnings
from typing import Any, Callable

PATIENCE = 20  # seconds, for a child that hangs


def fork() -> int:
    """As os.fork, without its warning: other tests may have left a thread that is about to end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
    return pid


def leave(writer: int, work: Callable[[], object]) -> None:
    """End a child with what ``work()`` returns, which is to be JSON, for who reads the pipe."""
    try:
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    except BaseException:
        os.write(writer, traceback.format_exc().encode())
    finally:
        os._exit(1)


def result_of(pid: int, reader: int) -> Any:
    """What a child has left."""
    with open(reader, "rb") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0, f"the child ended with {status}: {said.decode()}"
    return json.loads(said)


def in_child(work: Callable[[], object]) -> Any:
    """What ``work()`` returns in a forked child; meanwhile the parent does nothing."""
    reader, writer = os.pipe()
    pid = fork()
    if not pid:
        leave(writer, work)
    os.close(writer)
    return result_of(pid, reader)


def complaint(work: Callable[[], object]) -> str:
    """What RuntimeError ``work()`` raises."""
    try:
        work()
    except RuntimeError as error:
        return str(error)
    return "no error"
