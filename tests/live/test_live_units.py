"""The units of systemd in the examples and in the manual, read by systemd itself. Debian's package systemd has it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from example_modules import EXAMPLES
from manual_blocks import DOCS, rst_blocks

UNITS = {path.name: path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.service"))}
UNITS |= {
    f"hangups{number}.service": block.code
    for number, block in enumerate(rst_blocks(DOCS / "cli.rst"))
    if block.language == "ini" and "[Service]" in block.code
}


def verify(text: str, path: Path) -> tuple[int, str]:
    """What systemd says of a unit whose program is there."""
    path.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/usr/bin/env", text), encoding="utf-8")
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.fail("there is no systemd-analyze: install the package systemd", pytrace=False)
    command = [analyze, "verify", str(path).replace("@.", "@pbx1.")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_there_are_units_of_all_kinds() -> None:
    assert {"pbx-watchd.service", "ami-forward@.service", "ami-gateway@.service"} < set(UNITS)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_against_it(name: str, tmp_path: Path) -> None:
    assert verify(UNITS[name], tmp_path / name) == (0, "")


def test_systemd_would_find_a_mistake(tmp_path: Path) -> None:
    _, said = verify(UNITS["pbx-watchd.service"] + "\n[Service]\nRestrat=always\n", tmp_path / "wrong.service")
    assert "'Restrat'" in said
