"""The programs of other libraries on the page about migrating run, and print what our twins of them print.

starpy is not on the package index: its program is only compiled.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from busy_pbx import busy_pbx
from manual_blocks import DOCS, PBX, Text, rst_blocks

from ami_client.testing import FakeAsterisk

LIMIT = 30.0
LIBRARIES = ["panoramisk", "asterisk-ami", "pystrix", "starpy"]
NOT_TO_BE_HAD = ["starpy"]

PAGE = [block for block in rst_blocks(DOCS / "migrating.rst") if block.caption]


def of(caption: str) -> list[Text]:
    return [block for block in PAGE if block.caption == f":caption: {caption}"]


@pytest.fixture(scope="module")
def pbx() -> Iterator[FakeAsterisk]:
    # Slowly: the programs print the members of a queue first, and then wait for a caller.
    with busy_pbx(0.5) as server:
        yield server


def run(code: str, pbx: FakeAsterisk, folder: Path) -> list[str]:
    """The different lines that a program prints, in order."""
    code = PBX.sub(f"{pbx.host}:{pbx.port}", code)
    code = re.sub(r"\b5038\b", str(pbx.port), code.replace('"pbx.example.com"', f'"{pbx.host}"'))
    code = code.replace("sleep(60)", "sleep(2)")
    program = folder / "program.py"
    program.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "-u", program], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return list(dict.fromkeys(done.stdout.splitlines()))


def test_the_page_has_a_program_of_each_library_and_a_twin_of_each() -> None:
    assert [len(of(name)) for name in LIBRARIES] == [1, 1, 1, 1]
    assert len(of("ami_client")) == len(of("Output")) == len(LIBRARIES)


@pytest.mark.parametrize("name", [name for name in LIBRARIES if name not in NOT_TO_BE_HAD])
def test_its_program_prints_what_the_page_says(name: str, pbx: FakeAsterisk, tmp_path: Path) -> None:
    (program,) = of(name)
    output = of("Output")[LIBRARIES.index(name)]
    assert run(program.code, pbx, tmp_path) == output.code.splitlines()


@pytest.mark.parametrize("name", LIBRARIES)
def test_our_twin_prints_the_same(name: str, pbx: FakeAsterisk, tmp_path: Path) -> None:
    number = LIBRARIES.index(name)
    assert run(of("ami_client")[number].code, pbx, tmp_path) == of("Output")[number].code.splitlines()


@pytest.mark.parametrize("name", NOT_TO_BE_HAD)
def test_a_program_of_a_library_that_cannot_be_had_is_python(name: str) -> None:
    (program,) = of(name)
    compile(program.code, name, "exec")
