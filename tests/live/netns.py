"""Networks of the tests' own: namespaces, and a cable between two of them that can be cut."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_OURS = "/proc/thread-self/ns/net"
# os.unshare() and os.setns() came with Python 3.12.
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace with a loopback device. Needs root.

    ``with namespace:`` puts the calling thread into it: the sockets and processes that are made there belong to it
    and stay in it. It has no name, so nothing is left behind however the tests end: the kernel removes it with the
    last that uses it.
    """

    def __init__(self) -> None:
        self._outside: list[int] = []
        before = os.open(_OURS, os.O_RDONLY)
        try:
            _check(_libc.unshare(_CLONE_NEWNET))
            self._fd = os.open(_OURS, os.O_RDONLY)
            try:
                run_ip("link set lo up")
            finally:
                _check(_libc.setns(before, _CLONE_NEWNET))
        finally:
            os.close(before)

    @property
    def path(self) -> str:
        """A name by which other processes can refer to it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def ip(self, arguments: str) -> None:
        """Run the command ``ip`` inside."""
        with self:
            run_ip(arguments)

    def set_sysctl(self, name: str, value: str) -> None:
        """Change a setting of the kernel's that each network namespace has for itself."""
        with self:
            Path("/proc/sys", name).write_text(value)

    def close(self) -> None:
        """Give it up; it ends when those who are inside have ended."""
        os.close(self._fd)

    def __enter__(self) -> Namespace:
        self._outside.append(os.open(_OURS, os.O_RDONLY))
        _check(_libc.setns(self._fd, _CLONE_NEWNET))
        return self

    def __exit__(self, *error: object) -> None:
        outside = self._outside.pop()
        _check(_libc.setns(outside, _CLONE_NEWNET))
        os.close(outside)


class Network:
    """Two machines, ``client`` and ``server``, and the cable between them. Usable as a context manager."""

    CLIENT = "198.51.100.2"
    SERVER = "198.51.100.1"

    def __init__(self) -> None:
        self.client = Namespace()
        self.server = Namespace()
        self.client.ip("link add cable type veth peer name port")
        self.client.ip(f"link set port netns {self.server.path}")
        self.client.ip(f"address add {self.CLIENT}/24 dev cable")
        self.client.ip("link set cable up")
        # Not the port's own address: a server keeps listening, and another can begin to, while the cable is cut.
        self.server.ip(f"address add {self.SERVER}/32 dev lo")
        self.server.ip("address add 198.51.100.3/24 dev port")
        self.server.ip("link set port up")

    def cut(self) -> None:
        """Cut the cable: what is sent vanishes, and neither end hears anything of the other."""
        self.server.ip("link set port down")

    def mend(self) -> None:
        """The cable is whole again."""
        self.server.ip("link set port up")

    def take_down(self) -> None:
        """Switch off the client's own network device: there is no way to the server any more."""
        self.client.ip("link set cable down")

    def bring_up(self) -> None:
        """Switch the client's network device on again."""
        self.client.ip("link set cable up")

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *error: object) -> None:
        # The cable as well, which would last as long as sockets that are still trying to say good-bye.
        self.client.ip("link delete cable")
        self.client.close()
        self.server.close()


def run_ip(arguments: str) -> None:
    """Run the command ``ip`` of iproute2 where the calling thread is."""
    done = subprocess.run(["ip", *arguments.split()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise OSError(f"ip {arguments}: {done.stdout.strip()}")


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
