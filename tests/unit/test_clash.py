"""Another distribution that installs a package of our name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_pbx import Ami
from programs import LIBRARY

import ami_client
from ami_client import _clash

ADVICE = (
    "ami-clone installs a package ami_client too, and spoils this one: pip uninstall ami-clone, then pip install "
    "--force-reinstall ami-client"
)


def install(place: Path, name: str, *files: str) -> None:
    """Leave what pip leaves of a distribution with these files."""
    info = place / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},sha256=0,1\n" for file in files))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory where distributions are found."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_those_that_have_files_in_it_are_named(place: Path) -> None:
    assert _clash.others() == []
    install(place, "ami_client", "ami_client/__init__.py")  # that is us, as other tools write it
    install(place, "other", "other/ami_client.py", "ami_client_tools/__init__.py")
    install(place, "ami-clone", "x.py", "ami_client/__init__.py")
    install(place, "one-file", "ami_client.py")
    assert _clash.others() == ["ami-clone", "one-file"]


def test_the_version_says_so_and_what_to_do(place: Path, ami: Ami) -> None:
    alone = ami("--version")
    assert (alone.status, alone.out, alone.err) == (0, f"ami-client, version {ami_client.__version__}\n", "")
    install(place, "ami-clone", "ami_client/__init__.py")
    said = ami("--version")
    assert (said.status, said.out, said.err) == (0, alone.out, f"ami-client: {ADVICE}\n")


@pytest.mark.parametrize(
    ("file", "code", "kind"),
    [
        ("pool.py", "from ami_client import Pool", "ImportError"),
        ("cli/app.py", "import sys, ami_client.cli; sys.exit(ami_client.cli.main(['ping']))", "ami-client"),
    ],
)
def test_an_import_that_fails_by_it_says_so(tmp_path: Path, file: str, code: str, kind: str) -> None:
    shutil.copytree(LIBRARY / "ami_client", tmp_path / "ami_client", ignore=shutil.ignore_patterns("static", "*.json"))
    (tmp_path / "ami_client" / file).write_text("class Manager: ...\n")
    install(tmp_path, "ami-clone", f"ami_client/{file}")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"{kind}: cannot import name")
    assert last.endswith(f"); {ADVICE}")
    assert ("Traceback" in done.stderr) == (kind == "ImportError")  # the command says it in one line


def test_what_others_lack_is_not_ours_to_explain() -> None:
    assert _clash.told(ImportError("No module named 'pyee'", name="pyee")) == ""
    told = _clash.told(ImportError("gone", name="ami_client.gone"))
    assert re.match(r"gone; the package ami_client is not whole, .* --force-reinstall ami-client$", told)
