"""Run by programs.py: a process that has imported the library already, and forks for each program it is to start.

Standard input is a socket. A request is a line of JSON: ``{"path", "args", "cwd", "environment"}``, which comes with
two file descriptors for the program's output and errors and is answered with its process id, or ``{"wait"}`` with
such an id, answered with the exit status. A program remains a zombie until it is asked for, so its id stays its own.

A request for ``{"module", "streams", "room"}`` in the place of ``path`` is for a module that knows nothing of us:
descriptors come for the standard streams that are named, the others are closed, and ``environment`` is all it has.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import runpy
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import ami_client.cli.app
import ami_client.testing

STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}


def warm_up() -> None:
    """Import what most programs will."""
    for name in ami_client.testing.__all__:
        getattr(ami_client.testing, name)  # loads its module
    gc.freeze()  # what all programs share is not looked through in each of them


def serve() -> dict[str, Any]:
    """Answer requests; returns in the new process of each program, with what it was asked for."""
    with socket.socket(fileno=os.dup(0)) as control:
        while True:
            data, descriptors, _flags, _address = socket.recv_fds(control, 65536, len(STREAMS))
            while data and not data.endswith(b"\n"):
                data += control.recv(65536)
            if not data:
                sys.exit()
            request: dict[str, Any] = json.loads(data)
            if "wait" in request:
                answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            else:
                answer = os.fork()
                if not answer:
                    if "module" in request:
                        give_streams(dict(zip(request["streams"], descriptors)))
                    else:
                        redirect(*descriptors)
                    return request
                for descriptor in descriptors:
                    os.close(descriptor)
            control.sendall(b"%d\n" % answer)


def redirect(output: int, errors: int) -> None:
    """Put the program's standard streams in the place of ours."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate([nothing, output, errors]):
        os.dup2(descriptor, number)
        os.close(descriptor)


def give_streams(descriptors: dict[str, int]) -> None:
    """Have the standard streams be what a new interpreter makes of these: None where there is none."""
    for number, (name, mode) in enumerate(STREAMS.items()):
        stream = None
        if name in descriptors:
            os.dup2(descriptors[name], number)
            os.close(descriptors[name])
            errors = "backslashreplace" if name == "stderr" else "strict"
            stream = open(  # noqa: SIM115
                number, mode, -1 if name != "stderr" else 1, encoding="utf-8", errors=errors, closefd=False
            )
        else:
            os.close(number)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def become(module: str, args: list[str], cwd: str, environment: dict[str, str], room: int, **_streams: object) -> None:
    """Do what ``python -m MODULE ARGS...`` would, with so many bytes of addresses, if any number."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    if room:
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
    sys.argv = [module, *args]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def start(path: str, args: list[str], cwd: str, environment: dict[str, str]) -> None:
    """Become a program: what ``python PATH ARGS...`` would do."""
    os.chdir(cwd)
    os.environ.update(environment)
    sys.argv = [path, *args]
    sys.path[0] = os.path.dirname(path)
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__file__ = path
    exec(compile(Path(path).read_bytes(), path, "exec"), vars(main))


if __name__ == "__main__":
    warm_up()
    asked = serve()
    if "module" in asked:
        become(**asked)
    else:
        start(**asked)
