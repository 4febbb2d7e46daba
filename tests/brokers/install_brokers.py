"""Install the brokers of these tests from Debian, unless they are there. Needs root and a Debian-like machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

#: Package to a program of it.
PACKAGES = {
    "redis-server": "redis-server",
    "rabbitmq-server": "rabbitmq-server",
    "mosquitto": "mosquitto",
    "nats-server": "nats-server",
}


def main() -> int:
    """Install what is missing; return the exit status."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    missing = [package for package, program in PACKAGES.items() if not shutil.which(program, path=path)]
    if not missing:
        return 0
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"not installed: {', '.join(missing)}; this needs root and apt-get", file=sys.stderr)
        return 1
    print(f"installing {', '.join(missing)} with apt-get", file=sys.stderr, flush=True)
    # With that runlevel no service is started: the tests start their own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", *command], env=environment, stdin=subprocess.DEVNULL)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
