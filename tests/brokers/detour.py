"""A way to a broker that fails: it is cut in the middle of a message, or nothing passes for a while."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from broker_servers import BrokerServer


class Way:
    """Copies bytes between its own port and the broker's.

    ``cut_after``: both ends see the connection end after so many more bytes of the broker's.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut_after: int | None = None
        self.cuts = 0
        self._open: list[socket.socket] = []
        self._passes = {from_broker: threading.Event() for from_broker in (False, True)}
        self.release()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, *, to_broker: bool) -> None:
        """Stop the bytes from the broker, and with ``to_broker`` those to it. Connections stay open, as in a split."""
        self._passes[True].clear()
        if to_broker:
            self._passes[False].clear()

    def release(self) -> None:
        """Undo :meth:`hold`. What was held passes now."""
        for passes in self._passes.values():
            passes.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._open += [client, server]
                for args in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._copy, args=args, daemon=True).start()

    def _copy(self, source: socket.socket, to: socket.socket, from_broker: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                self._passes[from_broker].wait()
                if from_broker and self.cut_after is not None:
                    data = data[: self.cut_after]
                    self.cut_after -= len(data)
                    to.sendall(data)
                    if self.cut_after <= 0:
                        self.cut_after = None
                        self.cuts += 1
                        break
                else:
                    to.sendall(data)
        self._passes[from_broker].wait()
        for sock in (source, to):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def was_cut_after(self, cuts: int) -> bool:
        return self.cuts > cuts

    def close(self) -> None:
        self.release()
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


class Detour(BrokerServer):
    """A broker at the end of a way."""

    def __init__(self, server: BrokerServer, way: Way) -> None:
        self.server = server
        self.kind = server.kind
        self.port = way.port

    def broker(self, name: str = "ami") -> Any:
        return type(self.server).broker(self, name)
