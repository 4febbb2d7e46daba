#!/usr/bin/env python3
"""Runs the project's tasks, each in the repository's own virtual environment, made on first use.

    python3 tasks.py demo [URL]        a client against the embedded server, or against yours
    python3 tasks.py test [ARGS...]    unit and conformance tests; ARGS go to pytest

Run without a task it lists all of them. Needs Python 3.9 or newer, and a package index within reach
for what is not installed yet; nothing has to be installed or activated beforehand.
"""

import sys

if sys.version_info < (3, 9):  # noqa: UP036  (it is here for those who start an older one)
    sys.exit(f"tasks.py: Python 3.9 or newer is needed, this is {sys.version.split()[0]}")

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
DIST = ROOT / "dist"
CATALOGUE = ROOT / "ami_client" / "catalogue"
# In an activated environment sys.executable belongs to it, and it may be the .venv to be replaced.
PYTHON: str = getattr(sys, "_base_executable", sys.executable)

Task = Callable[[list[str]], None]

# Of the package, what Windows has not: `top` says so before it comes to it.
POSIX_ONLY = "ami_client/cli/screen.py"

# Folders that mypy reads at once, and where their imports are found, as in pytest. No two modules of one run may have
# the same name, and most folders have a conftest.
TYPED = (
    ("tests/unit", "tests/unit tests ."),
    ("tests/unit/fake_asterisk", "tests/unit/fake_asterisk tests/unit tests ."),
    ("tests/conformance", "tests/conformance tests ."),
    ("tests/load", "tests/load tests ."),
    ("tests/live", "tests/live tests ."),
    ("tests/terminal", "tests/terminal tests ."),
    ("tests/brokers", "tests/brokers tests/live tests/load tests ."),
    ("tests/browser", "tests/browser tests ."),
    ("tests/peers/libraries", "tests/peers/libraries tests ."),
    ("examples", "examples"),
    ("tools", "tools tests/live tests/browser tests ."),
    ("benchmarks benchmarks/clients tests tests/fuzz tests/model", "tests ."),
)


def demo(args: list[str]) -> None:
    """the demonstration: against the embedded server, or against the one at URL"""
    run(python_with(), "-m", "ami_client", "demo", *args)


def test(args: list[str]) -> None:
    """unit and conformance tests; arguments go to pytest"""
    run(python_with("test"), "-m", "pytest", *args)


def windows(args: list[str]) -> None:
    """the unit tests that need no POSIX system, without what Windows lacks; arguments go to pytest"""
    run(python_with("test"), "tests/unit/like_windows.py", *(args or ["tests/unit"]))


def coverage(args: list[str]) -> None:
    """unit and conformance tests, branches counted; fails below the floor in setup.cfg; arguments go to pytest"""
    python = python_with("coverage")
    run(python, "-m", "coverage", "run", "-m", "pytest", *args)
    run(python, "-m", "coverage", "report")


def terminal(args: list[str]) -> None:
    """the command ami-client in a real terminal, which needs tmux; arguments go to pytest"""
    run(python_with("test"), "-m", "pytest", "tests/terminal", *args)


def browser(args: list[str]) -> None:
    """wallboard and manual in Chromium (Debian's chromium and chromium-driver); arguments go to pytest"""
    docs([])
    run(python_with("browser"), "-m", "pytest", "tests/browser", *args)


def live(args: list[str]) -> None:
    """installs Asterisk 16 and 22 (root, Debian) and runs the live tests; arguments go to pytest"""
    python = python_with("test")
    run(python, "tests/live/install.py")
    run(python, "-m", "pytest", "tests/live", *args)


def catalogue(args: list[str]) -> None:
    """makes the catalogue of actions and events anew, from Asterisk 16 and 22; --check compares only"""
    if args not in ([], ["--check"]):
        raise TaskError("catalogue takes no arguments but --check")
    python = python_with("test")
    run(python, "tests/live/install.py")
    with tempfile.TemporaryDirectory() as made:
        run(python, "tools/catalogue.py", made, PYTHONPATH="tests/live")
        run(python_with("lint"), "-m", "ruff", "format", "--quiet", "--config", "pyproject.toml", made)
        files = sorted(Path(made).iterdir())
        changed = [file for file in files if not is_same(file, CATALOGUE / file.name)]
        if not args:
            for file in changed:
                shutil.copyfile(file, CATALOGUE / file.name)
        elif changed:
            names = ", ".join(file.name for file in changed)
            raise TaskError(f"the servers say something else than ami_client/catalogue: {names}")


def is_same(some: Path, other: Path) -> bool:
    """Whether both files are there, with the same content."""
    return other.exists() and some.read_bytes() == other.read_bytes()


def brokers(args: list[str]) -> None:
    """installs RabbitMQ, Redis, Mosquitto and NATS (root, Debian) and tests with them; arguments go to pytest"""
    python = python_with("test")
    run(python, "tests/brokers/install_brokers.py")
    run(python, "-m", "pytest", "tests/brokers", *args)


def peers(args: list[str]) -> None:
    """programs of other libraries beside ours, and the example in Home Assistant; arguments go to tox"""
    run(python_with("dev"), "-m", "tox", "run", "-m", "peers", *args)


def stress(args: list[str]) -> None:
    """the model of the pool and the load tests; arguments go to pytest"""
    run(python_with("test"), "-m", "pytest", "tests/model", "tests/load", *args)


def fuzz(args: list[str]) -> None:
    """a minute of fuzzing; arguments go to `python -m tests.fuzz`"""
    run(python_with("fuzz"), "-m", "tests.fuzz", *args)


def bench(args: list[str]) -> None:
    """our client and its peers on the same work; arguments go to `python -m benchmarks`"""
    run(python_with(), "-m", "benchmarks", *args)


def types(args: list[str]) -> None:
    """mypy --strict: the package, then tests, examples and benchmarks; arguments go to mypy, for the package alone"""
    python = python_with("types")
    run(python, "-m", "mypy", *args)
    if args:
        return
    for platform in ("win32", "darwin"):
        say(f"types: {platform}")
        # Its own cache, for mypy forgets one that was made for another platform.
        options = ["--platform", platform, "--cache-dir", f".mypy_cache/{platform}", "--follow-imports", "silent"]
        run(python, "-m", "mypy", *options, "--exclude", POSIX_ONLY, "ami_client")
    for names, path in TYPED:
        say(f"types: {names}")
        found = os.pathsep.join(path.split())
        run(python, "-m", "mypy", "--explicit-package-bases", *modules_in(names.split()), MYPYPATH=found)


def lint(args: list[str]) -> None:
    """ruff (style, layout), codespell and blanks; arguments go to `ruff check`"""
    python = python_with("lint")
    run(python, "-m", "ruff", "check", *args)
    run(python, "-m", "ruff", "format", "--check")
    run(python, "-m", "codespell_lib", *files_of_git())
    run(python, "tools/fronts.py", "--check")
    blanks([])


def fronts(args: list[str]) -> None:
    """writes the actions of the awaited and the blocking client, from ami_client/actions.py"""
    run(python_with("lint"), "tools/fronts.py", *args)


def blanks(args: list[str]) -> None:
    """no blanks at a line's end, one line end at a file's; arguments are files, all of git's without any"""
    complaints = [complaint for name in args or files_of_git() for complaint in blanks_in(name)]
    if complaints:
        raise TaskError("\n".join(["blanks that must go", *complaints]))


def docs(args: list[str]) -> None:
    """builds the manual into docs/_build/html, and docs/man/ami-client.1; a warning is an error"""
    python = python_with("docs")
    options = ["-W", "-n", "--keep-going", "-d", "docs/_build/doctrees", *args]
    run(python, "-m", "sphinx", *options, "-b", "html", "docs", "docs/_build/html")
    run(python, "-m", "sphinx", *options, "-b", "man", "docs", "docs/man")


def pictures(args: list[str]) -> None:
    """makes the pictures of screens in docs (Debian's chromium and chromium-driver): top, events, wallboard, or all"""
    run(python_with("browser"), "tools/pictures.py", *args, PYTHONPATH=os.pathsep.join(("tests/browser", "tests")))


def build(args: list[str]) -> None:
    """sdist and wheel into dist/, both checked, installed in clean environments and imported"""
    python = python_with("dev")
    shutil.rmtree(DIST, ignore_errors=True)
    run(python, "-m", "build", "--outdir", str(DIST), *args)
    artefacts = sorted(map(str, DIST.iterdir()))
    check_contents()
    run(python, "-m", "twine", "check", "--strict", *artefacts)
    for artefact in artefacts:
        say(f"trying {Path(artefact).name} in a clean environment")
        with tempfile.TemporaryDirectory() as scratch:
            clean = make_venv(Path(scratch) / "venv")
            pip_install(clean, artefact)
            # -I keeps the checkout off sys.path: what is imported is what was installed.
            show_version = "import ami_client as a; print(a.__version__, 'from', a.__file__)"
            run(clean, "-I", "-c", show_version)


def check_contents() -> None:
    """The sdist has git's files, the wheel those of the package: not one more, not one less."""
    ours = set(files_of_git())
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    with tarfile.open(sdist) as tar, zipfile.ZipFile(wheel) as archive:
        in_sdist = {member.name.partition("/")[2] for member in tar.getmembers() if member.isfile()}
        in_wheel = {name for name in archive.namelist() if not re.match(r"ami_client-[\d.]+\.(dist-info|data)/", name)}
    made = {name for name in in_sdist if name == "PKG-INFO" or name.startswith("ami_client.egg-info/")}
    wrong = {"wheel": in_wheel ^ {name for name in ours if name.startswith("ami_client/")}}
    wrong["sdist"] = (in_sdist - made) ^ (ours - {".gitignore"})
    for kind, names in wrong.items():
        if names:
            raise TaskError(f"the {kind} has more or less than git: {', '.join(sorted(names))}")


def tox(args: list[str]) -> None:
    """tests on every Python at both ends of pyee's range, and all checks; arguments go to tox"""
    run(python_with("dev"), "-m", "tox", *args)


_ALL = (
    *(demo, test, windows, coverage, terminal, browser, live, brokers, peers, fronts, catalogue, stress, fuzz, bench),
    *(types, lint, blanks),
    *(docs, pictures, build, tox),
)
TASKS: dict[str, Task] = {task.__name__: task for task in _ALL}


class TaskError(Exception):
    """What the user is told in one line."""


def python_with(extra: str = "") -> str:
    """The interpreter of .venv, where the package (editable) and what `extra` requires are."""
    wanted = fingerprint()
    made_for = VENV / "made-for"
    if not made_for.exists() or made_for.read_text() != wanted:
        say(f"making a virtual environment in {VENV.name}")
        make_venv(VENV)
        made_for.write_text(wanted)
    python = python_of(VENV)
    # Written last: an installation that was interrupted is done again.
    installed = VENV / f"installed-{extra or 'package'}"
    if not installed.exists():
        needs = f" and what `{extra}` needs" if extra else ""
        say(f"installing the package{needs}; the first time this takes minutes")
        pip_install(python, "--editable", f".[{extra}]" if extra else ".")
        installed.touch()
    return python


def fingerprint() -> str:
    """Changes with everything that makes an existing .venv useless: requirements, Python, place."""
    digest = hashlib.sha256(f"{ROOT}\n{PYTHON}\n{sys.version}\n".encode())
    for name in ("setup.cfg", "pyproject.toml", "ami_client/_version.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def make_venv(path: Path) -> str:
    """A new virtual environment at `path`, in place of any old one; returns its interpreter."""
    if not (find_spec("venv") and find_spec("ensurepip")):
        raise TaskError("this Python has no venv module; on Debian: apt-get install python3-venv")
    run(PYTHON, "-m", "venv", "--clear", str(path))
    return python_of(path)


def python_of(venv: Path) -> str:
    """The interpreter inside a virtual environment."""
    return str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def pip_install(python: str, *what: str) -> None:
    """Installs quietly; pip's own message says what went wrong."""
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)


def files_of_git() -> list[str]:
    """The files that are committed, or will be with `git add --all`; deleted ones are left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise TaskError("git is needed, and a clone: it says which files are the project's") from None
    return [name for name in sorted(os.fsdecode(listed).split("\0")) if (ROOT / name).is_file()]


def modules_in(folders: list[str]) -> list[str]:
    """The project's Python files that stand in one of these folders itself."""
    return [name for name in files_of_git() if name.endswith(".py") and Path(name).parent.as_posix() in folders]


def blanks_in(name: str) -> list[str]:
    """What is wrong with the blanks of a file, a line for each; `name` is relative to the repository."""
    # What servers said is kept as they said it.
    if name.startswith("tests/data/"):
        return []
    data = (ROOT / name).read_bytes()
    if b"\0" in data:
        return []
    lines = data.split(b"\n")
    complaints = [f"{name}:{number}: ends in a blank" for number, line in enumerate(lines, 1) if line != line.rstrip()]
    if data and not data.endswith(b"\n"):
        complaints.append(f"{name}:{len(lines)}: the last line has no line end")
    elif data == b"\n":
        complaints.append(f"{name}:1: the file is an empty line")
    elif data.endswith(b"\n\n"):
        complaints.append(f"{name}:{len(lines) - 1}: the file ends in an empty line")
    return complaints


def run(*command: str, **environment: str) -> None:
    """Runs a command in the repository, with these variables added to its environment; its failure is ours."""
    # A PYTHONPATH or PYTHONHOME of the user's must not reach into the environment.
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        subprocess.run(command, cwd=ROOT, env={**clean, **environment}, check=True)
    except OSError as error:
        raise TaskError(f"cannot run {command[0]}: {error.strerror}") from None


def say(text: str) -> None:
    print(f"tasks.py: {text}", file=sys.stderr, flush=True)


def usage() -> str:
    """Every task with its line of help."""
    lines = [f"  {name:<8} {task.__doc__}" for name, task in TASKS.items()]
    return "\n".join(["usage: python3 tasks.py TASK [ARGS...]", "", *lines])


def main(argv: list[str]) -> int:
    """Runs the task that `argv` names and returns its exit status."""
    if not argv or argv[0] not in TASKS:
        print(usage(), file=sys.stderr)
        return 2
    try:
        TASKS[argv[0]](argv[1:])
    except TaskError as error:
        say(str(error))
        return 1
    except subprocess.CalledProcessError as error:
        # The command has said what is wrong; killed by a signal, it had no time to.
        if error.returncode < 0:
            say(f"{error.cmd[0]} was killed by signal {-error.returncode}")
        return error.returncode if error.returncode > 0 else 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
