"""What is imported at the start. Times depend on the machine; what takes the time are these modules."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig

from cases import for_each
from programs import LIBRARY

# Slow to import, and of no use to a pool of callbacks.
HEAVY = {
    *("asyncio", "concurrent.futures", "datetime", "email", "hashlib", "http", "ipaddress", "json", "platform", "ssl"),
    *("subprocess", "urllib.parse"),
    # These are found soon enough where they are needed: an odd callback, two servers, a reconnect.
    *("dataclasses", "inspect", "ast", "copy", "random", "difflib", "hmac", "secrets"),
}
# What a pool cannot do without. What these import depends on Python's version.
NEEDED = "import logging, pyee, selectors, socket"
ON_TOP = {"aio", "blocking", "_fronts", "catalogue", "model", "forward", "agi", "testing", "cli", "web"}
COMMAND_LINE = {
    *("", "__main__", "_version"),
    *("cli", "cli.access", "cli.app", "cli.failures", "cli.signals", "cli.streams"),
}
TELL = "import sys; print('\\n' + repr(sorted(sys.modules)))"
HELP = "import sys; sys.argv[1:] = {}; from ami_client.__main__ import main; main(); "


def imported(code: str) -> set[str]:
    """The modules that a new interpreter has after ``code``, besides those that it has by itself."""
    before, after = (loaded(text) for text in ("", code))
    return after - before


def loaded(code: str) -> set[str]:
    """Without what an installation imports at each start."""
    path = os.pathsep.join([str(LIBRARY), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"{code}\n{TELL}"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
        timeout=20,
    )
    return set(ast.literal_eval(done.stdout.decode().splitlines()[-1]))


def ours(names: set[str]) -> set[str]:
    """Our own modules, without the package's name."""
    return {name.partition(".")[2] for name in names if name.partition(".")[0] == "ami_client"}


def test_the_package_alone_imports_nothing_of_it() -> None:
    found = imported("import ami_client")
    assert ours(found) == {"", "_version"}
    assert found & {*HEAVY, "inspect", "logging", "socket", "dataclasses"} == set()


def test_a_pool_needs_nothing_that_is_built_on_top() -> None:
    found = imported("from ami_client import Pool")
    assert (found - imported(NEEDED)) & HEAVY == set()
    assert {name.partition(".")[0] for name in ours(found)} & ON_TOP == set()


def test_a_login_loads_no_openssl() -> None:
    """It would take 4 MB, a fifth of a small daemon's memory."""
    found = imported("from ami_client._engine.login import Login; Login('joe', 'secret').md5('123')")
    assert found & {"_hashlib", "hashlib", "_ssl"} == set()


@for_each("args", [["--help"], ["--version"]])
def test_the_help_of_the_command_line_imports_no_command(args: list[str]) -> None:
    found = imported(HELP.format(args)) - imported("import click")
    looks_for_a_clash = {"_clash"} if args == ["--version"] else set()
    assert ours(found) == COMMAND_LINE | looks_for_a_clash
    assert looks_for_a_clash or not found & {"rich", "logging", "socket", "selectors", "json", "asyncio", "pyee"}


def test_a_command_imports_no_other_one() -> None:
    found = ours(imported(HELP.format(["ping", "--help"])))
    assert "cli.ping" in found
    assert found & {"cli.events", "cli.top", "cli.forwarding", "cli.wallboard", *ON_TOP - {"cli"}} == set()
