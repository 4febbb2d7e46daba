"""The distribution: one version, one run-time dependency, types shipped."""

from __future__ import annotations

import re
from importlib import metadata, resources

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
