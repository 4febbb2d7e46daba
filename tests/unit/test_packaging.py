"""The distribution: one version, one run-time dependency, types shipped."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from configparser import ConfigParser
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest
from programs import ROOT, Launcher, on_library

import ami_client
from ami_client._version import __version__


def test_the_version_is_the_same_wherever_it_is_asked_for() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert ami_client.__version__ == __version__
    assert metadata.version("ami-client") == __version__


def test_the_core_depends_on_pyee_alone() -> None:
    requirements = metadata.requires("ami-client") or []
    at_run_time = [line for line in requirements if "extra ==" not in line]
    (only,) = at_run_time
    name, bounds = re.fullmatch(r"(\w+)\s*\(?([^)]*)\)?", only).groups()  # type: ignore[union-attr]
    assert name == "pyee"
    assert set(bounds.split(",")) == {">=12", "<17"}


def test_the_oldest_supported_python_is_declared() -> None:
    assert metadata.metadata("ami-client")["Requires-Python"] == ">=3.9"


def test_the_type_marker_is_shipped() -> None:
    assert (resources.files("ami_client") / "py.typed").is_file()


def test_the_licence_is_shipped() -> None:
    assert any(path.name == "LICENSE" for path in metadata.files("ami-client") or [])


# -- addresses: all of them come of one setting

ADDRESS = "https://example.org/owner/name"


@pytest.fixture(scope="module")
def making() -> dict[str, Any]:
    """What setup.py defines."""
    return runpy.run_path(str(ROOT / "setup.py"))


def test_the_address_of_the_repository_is_set_once_or_not_yet(making: dict[str, Any]) -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    address = settings["publishing"]["repository"]
    assert re.fullmatch(r"(https://[\w.-]+/[\w.-]+/[\w.-]*\w)?", address)
    urls = dict(line.split(", ") for line in metadata.metadata("ami-client").get_all("Project-URL") or [])
    assert urls == (making["project_urls"](address, __version__) if address else {})
    if address:
        names = runpy.run_path(str(ROOT / "tasks.py"))["files_of_git"]()
        assert [name for name in names if address.encode() in (ROOT / name).read_bytes()] == ["setup.cfg"]


def test_project_urls_come_of_it(making: dict[str, Any]) -> None:
    urls = making["project_urls"](ADDRESS, "1.2.3")
    assert urls.pop("Source") == ADDRESS
    assert {url.partition(ADDRESS)[2] for url in urls.values()} == {
        *("/tree/v1.2.3/docs", "/blob/v1.2.3/CHANGELOG.md", "/issues"),
    }


def test_an_index_page_has_no_relative_link(making: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", readme)
    made = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", making["absolute"](readme, ADDRESS, "1.2.3"))
    assert len(made) == len(links) > 20
    for (mark, before), (_, after) in zip(links, made):
        kind = "raw" if mark else "blob"
        assert after == (before if before.startswith("https:") else f"{ADDRESS}/{kind}/v1.2.3/{before}")


# -- what is tested


@pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="tox installs a wheel")
def test_tox_tests_what_is_in_the_wheel() -> None:
    assert "site-packages" in Path(ami_client.__file__).parts


def test_programs_use_the_library_that_the_tests_use(launcher: Launcher, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import ami_client\nprint(ami_client.__file__)\n")
    assert launcher.run(program, cwd=ROOT).stdout == f"{ami_client.__file__}\n"
    command = [sys.executable, "-c", program.read_text()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, **on_library())
    assert done.stdout == f"{ami_client.__file__}\n"
