"""Real brokers, started by the tests: on free loopback ports, with their data in directories of the tests.

Debian has them: redis-server, rabbitmq-server, mosquitto, nats-server. ``install_brokers.py`` installs what is missing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from servers import free_ports

from ami_client.forward import MQTT, Broker, RabbitMQ, RedisStream

_HOST = "127.0.0.1"
_LIMIT = 60.0  # seconds for a start; RabbitMQ takes its time


class BrokerServer:
    """A broker's process. ``start()`` after ``kill()`` brings it back on the same port, with the same data."""

    kind = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.second_port, self.third_port = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The command of the process."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What its environment has besides ours."""
        return {}

    def broker(self, name: str = "ami") -> Broker:
        """The library's broker for it."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """Its URL for the command line."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not killed by us."""
        return self._process is not None

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and return once it takes connections."""
        assert self._process is None
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "output", "ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment()},
                cwd=self.directory,
                start_new_session=True,
            )
        deadline = time.monotonic() + _LIMIT
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.directory / "output").read_text(errors="replace")
                self.kill()
                raise RuntimeError(f"{self.kind} did not start:\n{text[-2000:]}")
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        broker = self.broker("ready").fresh()
        try:
            broker.open()
        except Exception:
            return False
        finally:
            broker.close()
        return True

    def save(self) -> None:
        """Make what it knows by now survive a kill. Only MQTT's broker does not see to that by itself."""

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self._process is not None:
            # All its processes at once, also those that are stopped.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Suspend it: connections stay open and nothing is answered, until ``thaw()``."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after ``freeze()``."""
        os.killpg(self.pid, signal.SIGCONT)


class Redis(BrokerServer):
    kind = "redis"

    def command(self) -> list[str]:
        options = {"port": self.port, "bind": _HOST, "dir": self.directory, "save": ""}
        # What is confirmed is on the disk.
        options |= {"appendonly": "yes", "appendfsync": "always", "loglevel": "warning"}
        return ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]

    def broker(self, name: str = "ami") -> Broker:
        return RedisStream(f"redis://{_HOST}:{self.port}", name)

    @property
    def url(self) -> str:
        return f"redis://{_HOST}:{self.port}/ami"


class Mosquitto(BrokerServer):
    kind = "mqtt"

    def command(self) -> list[str]:
        config = self.directory / "mosquitto.conf"
        lines = [f"listener {self.port} {_HOST}", "allow_anonymous true", "persistence true", "user root"]
        lines += [
            f"persistence_location {self.directory}/",
            "max_queued_messages 0",
            "max_inflight_messages 1000",
            "set_tcp_nodelay true",
        ]
        lines += ["autosave_interval 1"]  # what came after the last save is lost in a crash
        config.write_text("\n".join(lines) + "\n")
        return ["mosquitto", "-c", str(config)]

    def save(self) -> None:
        saved = self._saved()
        os.kill(self.pid, signal.SIGUSR1)
        while self._saved() == saved:
            time.sleep(0.01)

    def _saved(self) -> tuple[int, int]:
        """Which save of its state is on the disk. Each is a new file that takes the old one's name."""
        with contextlib.suppress(FileNotFoundError):
            status = (self.directory / "mosquitto.db").stat()
            return status.st_ino, status.st_mtime_ns
        return 0, 0

    def broker(self, name: str = "ami") -> Broker:
        return MQTT(f"mqtt://{_HOST}:{self.port}", name)

    @property
    def url(self) -> str:
        return f"mqtt://{_HOST}:{self.port}/ami"


class Rabbit(BrokerServer):
    kind = "rabbitmq"

    def command(self) -> list[str]:
        (self.directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = {_HOST}:{self.port}\nlog.console = true\n")
        (self.directory / "enabled_plugins").write_text("[].\n")
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def environment(self) -> dict[str, str]:
        place = str(self.directory)
        return {
            "HOME": place,
            "ERL_EPMD_PORT": str(self.second_port),
            "RABBITMQ_NODENAME": f"ami{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.third_port),
            "RABBITMQ_MNESIA_BASE": f"{place}/data",
            "RABBITMQ_LOG_BASE": place,
            "RABBITMQ_CONFIG_FILE": f"{place}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{place}/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{place}/none",
        }

    def start(self) -> None:
        # Erlang's name service. RabbitMQ would start one that stays for good.
        self._names = subprocess.Popen(["epmd", "-port", str(self.second_port), "-address", _HOST])
        super().start()

    def kill(self) -> None:
        super().kill()
        self._names.kill()
        self._names.wait()

    def broker(self, name: str = "ami") -> Broker:
        return RabbitMQ(f"amqp://guest:guest@{_HOST}:{self.port}/%2F", name)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{_HOST}:{self.port}/%2F/ami"


class Nats(BrokerServer):
    """The broker whose class stands in the manual."""

    kind = "nats"

    def command(self) -> list[str]:
        return ["nats-server", "-js", "-sd", str(self.directory), "-a", _HOST, "-p", str(self.port)]

    def broker(self, name: str = "ami") -> Broker:
        sys.path.append(str(Path(__file__).parents[2] / "docs" / "forward"))
        made: Broker = importlib.import_module("nats_broker").NATS(f"nats://{_HOST}:{self.port}", name)
        sys.path.pop()
        return made

    @property
    def url(self) -> str:
        return f"nats://{_HOST}:{self.port}"


KINDS: dict[str, type[BrokerServer]] = {server.kind: server for server in (Redis, Rabbit, Mosquitto)}


def make(kind: str, directory: Path, **options: Any) -> BrokerServer:
    """A broker of that kind, not started."""
    return KINDS[kind](directory, **options)
