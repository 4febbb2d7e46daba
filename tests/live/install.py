"""Install the Asterisk servers of the live tests: ``python tests/live/install.py [16] [22]``.

Each version is a chroot made by debootstrap from the Debian suite that carries it. They lie in
the directory named by AMI_LIVE_DIR, by default in the user's cache directory. What is complete
is left alone, what was interrupted is made again. Needs root and a Debian-like machine.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

CONFIG_DIRECTORY = Path(__file__).with_name("config")
# Inside a chroot: the certificates, and below RUNS one directory for each running server.
TLS_DIRECTORY = "ami-live/tls"
RUNS_DIRECTORY = "ami-live/runs"
_STAMP = "ami-live/installed"
# A whole installation takes about 80 seconds; a mirror that hangs is to be noticed.
_TIME_LIMIT = 600.0
# debootstrap mounts file systems and starts many processes. In namespaces of its own none of
# them can outlive it, nor it this script: one that went on would spoil the next attempt.
_CONTAINED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc"]
_CONTAINED += ["--fork", "--kill-child"]
# What openssl is told, in turn, in the directory of the certificates. 3,650 days are ten years.
_CERTIFICATES = """
ecparam -name prime256v1 -genkey -noout -out ca.key
ecparam -name prime256v1 -genkey -noout -out server.key
req -x509 -config tls.cnf -extensions authority -days 3650 -key ca.key -out ca.pem
req -new -config tls.cnf -subj /CN=localhost -key server.key -out server.csr
x509 -req -extfile tls.cnf -extensions server -days 3650 -CA ca.pem -CAkey ca.key \
-CAcreateserial -in server.csr -out server.pem
"""


class InstallError(Exception):
    """A server cannot be installed; the message says why and what to do."""


class Recipe(NamedTuple):
    """Where a version comes from. A changed recipe makes an old installation stale."""

    version: str
    suite: str
    packages: tuple[str, ...]


_PACKAGES = ("asterisk", "openssl")
RECIPES = {
    "16": Recipe("16", "bullseye", (*_PACKAGES, "asterisk-voicemail")),
    # Newer packages have voicemail among asterisk's own modules.
    "22": Recipe("22", "sid", _PACKAGES),
}


def base_directory() -> Path:
    """Return the directory of all chroots and of what belongs to them."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    default = os.path.join(cache, "ami_client-live")
    return Path(os.environ.get("AMI_LIVE_DIR") or default).expanduser().resolve()


def chroot_directory(version: str) -> Path:
    """Return the directory of the chroot of a version, installed or not."""
    return base_directory() / f"asterisk-{version}"


def ensure_installed(version: str) -> Path:
    """Install a version unless it is there, and return its chroot.

    Safe to call from several processes at once: the others wait for the first.
    Raises InstallError.
    """
    recipe = _recipe(version)
    root = chroot_directory(version)
    _check_machine()
    root.parent.mkdir(parents=True, exist_ok=True)
    with open(root.with_name(root.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_complete(root, recipe):
            _ensure_debootstrap()
            _remove(root)
            _install(root, recipe)
    return root


def _recipe(version: str) -> Recipe:
    try:
        return RECIPES[version]
    except KeyError:
        known = " and ".join(RECIPES)
        raise InstallError(f"no recipe for Asterisk {version!r}; there are {known}") from None


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise InstallError("live servers need root: they are chroots")
    missing = [name for name in ("apt-get", "chroot", "unshare", "setpriv") if not _on_path(name)]
    if missing:
        raise InstallError(f"live servers need Debian or its like: no {', '.join(missing)} here")


def _on_path(command: str) -> bool:
    return shutil.which(command) is not None


def _is_complete(root: Path, recipe: Recipe) -> bool:
    try:
        return (root / _STAMP).read_text() == repr(recipe)
    except OSError:
        return False


def _ensure_debootstrap() -> None:
    # One version's installation at a time gets here; the other then finds the command.
    with open(base_directory() / "apt.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _on_path("debootstrap"):
            return
        log = base_directory() / "apt.log"
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with open(log, "wb") as output:
            for command in (["apt-get", "update"], ["apt-get", "install", "-y", "debootstrap"]):
                _run(command, log, output, environment=environment)


def _remove(root: Path) -> None:
    if not root.exists():
        return
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split()[1]
        if place == str(root) or place.startswith(f"{root}/"):
            raise InstallError(f"{root} is to be made again, but {place} is mounted: umount it")
    shutil.rmtree(root)


def _install(root: Path, recipe: Recipe) -> None:
    log = root.with_name(root.name + ".log")
    with open(log, "wb") as output:
        include = f"--include={','.join(recipe.packages)}"
        bootstrap = ["debootstrap", "--variant=minbase", include, recipe.suite, str(root)]
        _run([*_CONTAINED, *bootstrap], log, output)
        _check_version(root, recipe)
        _isolate(root)
        _make_certificates(root, log, output)
    (root / RUNS_DIRECTORY).mkdir(parents=True, exist_ok=True)
    # Written last, and at once: the stamp says that all of the above is there.
    stamp = root / _STAMP
    draft = stamp.with_suffix(".new")
    draft.write_text(repr(recipe))
    draft.replace(stamp)


def _run(
    command: list[str],
    log: Path,
    output: IO[bytes],
    environment: dict[str, str] | None = None,
) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=_TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise InstallError(f"{command[0]} took over {_TIME_LIMIT:.0f} s, see {log}") from None
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise InstallError(f"{' '.join(command)} failed ({done.returncode}), see {log}:\n{tail}")


def _check_version(root: Path, recipe: Recipe) -> None:
    command = ["chroot", str(root), "asterisk", "-V"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip()
    if not found.startswith(f"Asterisk {recipe.version}."):
        wanted = f"Asterisk {recipe.version}"
        raise InstallError(f"Debian {recipe.suite} has {found!r}, wanted is {wanted}")


def _isolate(root: Path) -> None:
    """Let name look-ups inside end inside: nothing that is tested talks to other machines."""
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")


def _make_certificates(root: Path, log: Path, output: IO[bytes]) -> None:
    """Make an authority and a certificate for localhost and 127.0.0.1."""
    directory = root / TLS_DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(CONFIG_DIRECTORY / "tls.cnf", directory)
    for command in _CERTIFICATES.strip().splitlines():
        words = ["chroot", str(root), "sh", "-c", f"cd /{TLS_DIRECTORY} && openssl {command}"]
        _run(words, log, output)


def main(arguments: list[str]) -> int:
    """Install the versions named, or all; return the exit status."""
    versions = arguments or list(RECIPES)
    failed = False
    with ThreadPoolExecutor(max_workers=len(versions)) as workers:
        for version, task in [(v, workers.submit(ensure_installed, v)) for v in versions]:
            try:
                print(f"Asterisk {version}: {task.result()}", flush=True)
            except (InstallError, OSError) as error:
                print(f"Asterisk {version}: {error}", file=sys.stderr, flush=True)
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
