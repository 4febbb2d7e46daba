"""Asterisk servers for the live tests: real ones, on loopback, each with files of its own."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable

from install import (
    CONFIG_DIRECTORY,
    RUNS_DIRECTORY,
    TLS_DIRECTORY,
    chroot_directory,
    ensure_installed,
)

_HOST = "127.0.0.1"
# Seconds. It takes half of one as a rule; once most of a minute was seen, for no reason that was found.
_BOOT_LIMIT = 120.0
_STOP_LIMIT = 15.0
_COMMAND_LIMIT = 30.0
# Below the range that the system gives to outgoing connections: a port stays free while its
# server is down for a restart.
_PORTS = range(15000, 32000)
_MEDIA_PORTS = 200
# The mount and the host's name exist in namespaces of the server's own and go away with it,
# however it ends; and it ends when we do, even if we are killed.
_WRAPPER = ("unshare", "--mount", "--uts", "setpriv", "--pdeathsig", "KILL")
_LAUNCH = """
mount -t proc proc "$1/proc" && hostname localhost && exec chroot "$1" asterisk -f -n -C "$2"
"""


class ServerError(Exception):
    """A server did not do what it was told; the message holds what it said."""


class AsteriskServer:
    """One Asterisk of a version ("16" or "22"), installed on first use.

    Ports and files are its own, so several may run at once from one installation. The ports
    stay the same over `restart()`, and over `kill()` and `start()`. A server dies with the
    process (strictly: the thread) that started it. Usable as a context manager.

    It listens on ``host``, an address of the network namespace that it is started in. ``config``
    names a directory of `config/` whose files replace those of the same name; ``values`` are filled
    in there, as `@NAME@`.
    """

    username = "bench"
    secret = "secret"

    def __init__(self, version: str, host: str = _HOST, config: str = "", **values: object) -> None:
        self.version = version
        self.host = host
        self._config = [config, f"{config}-{version}"] if config else []
        self._values = values
        self._root = chroot_directory(version)
        self._ports: dict[str, int] = {}
        self._run: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # Where it is

    @property
    def port(self) -> int:
        """The port of the manager interface, known once started."""
        return self._port("AMI_PORT")

    @property
    def tls_port(self) -> int:
        """The port of the manager interface inside TLS, known once started."""
        return self._port("AMI_TLS_PORT")

    def sip_port(self, driver: str = "PJSIP") -> int:
        """The port of a SIP driver, known once started: PJSIP, or SIP (16 only)."""
        return self._port(f"{driver}_PORT")

    @property
    def ca_file(self) -> Path:
        """The authority that vouches for the certificate (of localhost and 127.0.0.1)."""
        return self._root / TLS_DIRECTORY / "ca.pem"

    @property
    def url(self) -> str:
        """The URL of the plain port, with the credentials that have every right."""
        return f"tcp://{self.username}:{self.secret}@{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        """The URL of the TLS port, with the same credentials."""
        return f"tls://{self.username}:{self.secret}@{self.host}:{self.tls_port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process and running else None

    # Life

    def start(self) -> AsteriskServer:
        """Start it and wait until it has fully booted; does nothing when it runs.

        Raises ServerError, or InstallError if the version cannot be installed.
        """
        if self.pid is not None:
            return self
        self._root = ensure_installed(self.version)
        if self._run is None:
            self._run = self._make_run_directory()
            self._ports = self._choose_ports()
            self._write_files(self._run)
        self._launch(self._run)
        try:
            self.wait_booted()
            self._check_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it as an administrator would and remove its files; harmless when stopped."""
        self._end(signal.SIGTERM)
        if self._run is not None:
            shutil.rmtree(self._run)
            self._run = None

    def kill(self) -> None:
        """End it at once, in the middle of whatever it is doing; `start()` brings it back."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start it on the same ports."""
        self._end(signal.SIGTERM)
        self.start()

    def terminate(self) -> None:
        """Have it stop as an administrator would, and return at once: `pid` becomes None."""
        self._signal(signal.SIGTERM)

    def launch(self) -> None:
        """Have one that ended boot on the same ports, and return at once."""
        if self.pid is not None or self._run is None:
            raise ServerError(f"Asterisk {self.version} runs, or was never started")
        self._launch(self._run)

    def configure(self, file: str, old: str, new: str) -> None:
        """Replace a text that stands once in a configuration file; takes effect when that is reloaded."""
        path = self._root / self._inside(f"etc/{file}")[1:]
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ServerError(f"{old!r} stands {text.count(old)} times in {file}")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def freeze(self) -> None:
        """Suspend it: connections stay open and nothing is answered, until `thaw()`."""
        pid = self._signal(signal.SIGSTOP)
        # Its threads stop one by one; none of them may answer once we return.
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it go on after `freeze()`."""
        self._signal(signal.SIGCONT)

    def cli(self, command: str) -> str:
        """Run a command of Asterisk's command line and return what it printed."""
        words = ["chroot", str(self._root), "asterisk", "-C", self._inside("etc/asterisk.conf")]
        try:
            done = subprocess.run(
                [*words, "-rx", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_COMMAND_LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise ServerError(f"no answer to {command!r} in {_COMMAND_LIMIT:.0f} s") from None
        output = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            raise ServerError(f"{command!r} failed: {output.strip()}")
        return output

    def wait_booted(self) -> None:
        """Return once it has fully booted; raises ServerError if that takes too long."""
        deadline = time.monotonic() + _BOOT_LIMIT
        said = ""
        while time.monotonic() < deadline:
            if self.pid is None:
                status = None if self._process is None else self._process.poll()
                raise ServerError(self._report(f"ended with status {status}"))
            try:
                said = self.cli("core waitfullybooted")
            except ServerError as error:
                said = str(error)
            if "has fully booted" in said:
                return
            time.sleep(0.1)
        raise ServerError(self._report(f"did not boot in {_BOOT_LIMIT:.0f} s ({said.strip()})"))

    def __enter__(self) -> AsteriskServer:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    # Inside

    def _port(self, name: str) -> int:
        if name not in self._ports:
            raise ServerError("a server has no ports before it is started")
        return self._ports[name]

    def _inside(self, path: str = "") -> str:
        """Return a path of this run as the server sees it."""
        if self._run is None:
            raise ServerError(f"Asterisk {self.version} is not started")
        return f"/{self._run.relative_to(self._root) / path}"

    def _make_run_directory(self) -> Path:
        runs = self._root / RUNS_DIRECTORY
        for left in runs.iterdir():
            # A test process that was killed could not remove its own.
            if not Path("/proc", left.name.partition("-")[0]).exists():
                shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs))

    def _choose_ports(self) -> dict[str, int]:
        names = ("AMI_PORT", "AMI_TLS_PORT", "SIP_PORT", "PJSIP_PORT", "IAX_PORT", "SKINNY_PORT")
        # Media ports need no look: the server itself passes over those in use.
        media = random.randrange(_PORTS.start, _PORTS.stop - 2 * _MEDIA_PORTS, 2)
        taken = range(media, media + 2 * _MEDIA_PORTS)
        ports = dict(zip(names, free_ports(len(names), taken)))
        ports["RTP_START"], ports["RTP_END"] = taken[0], taken[_MEDIA_PORTS - 1]
        ports["UDPTL_START"], ports["UDPTL_END"] = taken[_MEDIA_PORTS], taken[-1]
        return ports

    def _write_files(self, run: Path) -> None:
        for name in ("etc", "lib", "cache", "spool", "run", "log"):
            (run / name).mkdir()
        values: dict[str, object] = {"RUN": self._inside(), "TLS": f"/{TLS_DIRECTORY}", "HOST": self.host}
        values.update(self._ports)
        values.update(self._values)
        for directory in ("common", self.version, *self._config):
            for template in sorted((CONFIG_DIRECTORY / directory).glob("*.conf")):
                text = _fill_in(template.read_text(encoding="utf-8"), values)
                (run / "etc" / template.name).write_text(text, encoding="utf-8")

    def _launch(self, run: Path) -> None:
        configuration = self._inside("etc/asterisk.conf")
        with open(run / "log/output", "wb") as output:
            self._process = subprocess.Popen(
                [*_WRAPPER, "sh", "-c", _LAUNCH, "sh", str(self._root), configuration],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # An interrupt from the keyboard is for the tests, which then stop the server.
                start_new_session=True,
            )

    def _check_answers(self) -> None:
        """Make sure that what listens on both ports is a manager interface.

        Asterisk boots without it when a port was taken in the meantime.
        """
        context = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with socket.create_connection((self.host, self.port), _COMMAND_LIMIT) as plain:
                _expect_banner(plain.recv)
            inner = socket.create_connection((self.host, self.tls_port), _COMMAND_LIMIT)
            with inner, context.wrap_socket(inner, server_hostname="localhost") as secure:
                _expect_banner(secure.recv)
        except OSError as error:
            raise ServerError(self._report(f"booted, but: {error}")) from error

    def _signal(self, number: signal.Signals) -> int:
        pid = self.pid
        if pid is None:
            raise ServerError(f"Asterisk {self.version} does not run")
        os.kill(pid, number)
        return pid

    def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
            # One that is frozen takes notice only then.
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(_STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._process = None

    def _report(self, what: str) -> str:
        """Say what happened, with the last lines that the server wrote."""
        lines = [f"Asterisk {self.version} {what}"]
        for name in ("output", "messages"):
            file = self._run / "log" / name if self._run else None
            if file and file.exists():
                lines += file.read_text(errors="replace").splitlines()[-10:]
        return "\n".join(lines)


def _fill_in(template: str, values: dict[str, object]) -> str:
    """Replace each @NAME@; an unknown name is a KeyError."""
    return re.sub("@([A-Z_]+)@", lambda found: str(values[found[1]]), template)


def free_ports(count: int, avoid: range = range(0)) -> list[int]:
    """Return that many ports of loopback that are free for TCP and UDP alike."""
    ports: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in avoid and _is_free(port):
            ports.append(port)
            if len(ports) == count:
                return ports
    raise ServerError(f"fewer than {count} free ports from {_PORTS.start} to {_PORTS.stop}")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((_HOST, port))
            except OSError:
                return False
    return True


def _expect_banner(receive: Callable[[int], bytes]) -> None:
    banner = receive(100)
    if not banner.startswith(b"Asterisk Call Manager/"):
        raise OSError(f"{banner!r} in place of the banner")
