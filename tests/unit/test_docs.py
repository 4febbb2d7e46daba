"""The manual: its programs run and print what it says, and no public name is missing.

A Python block that imports from ami_client itself or from one of its clients, or from another part of it and shows its
output, is a whole program, which a reader will paste and run; other blocks are pieces, and have to compile. What a
program prints is the text block that follows it with the caption "Output", or in Markdown the one marked ``text``;
``...`` stands for anything. An example that a page includes is run if such a block follows; test_examples.py runs them
all.
"""

from __future__ import annotations

import doctest
import inspect
import itertools
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from busy_pbx import busy_pbx
from manual_blocks import DOCS, PBX, markdown_blocks, rst_blocks
from programs import ROOT, Launcher

import ami_client
import ami_client.aio
import ami_client.blocking
import ami_client.testing
from ami_client import Connection, Pool
from ami_client._engine.state import TRANSITIONS
from ami_client.php import OTHER_NAMES, camel_case
from ami_client.testing import FakeAsterisk

#: A program that shows how to write a test is that test.
CALL_ITS_TESTS = """
for name, function in list(globals().items()):
    if name.startswith("test_"):
        function()
"""


class Block(NamedTuple):
    """A code block of the manual."""

    place: str  # page and line
    code: str
    output: Optional[str]
    included: bool

    @property
    def is_program(self) -> bool:
        if self.included:
            return self.output is not None
        parts = "aio|blocking" if self.output is None else "aio|blocking|model"
        return re.search(rf"^from ami_client(\.({parts}))? import ", self.code, re.MULTILINE) is not None


def read_blocks(page: Path) -> Iterator[Block]:
    """The Python blocks of a page, each with the output that follows it."""
    find = rst_blocks if page.suffix == ".rst" else markdown_blocks
    found = list(find(page))
    for block, following in itertools.zip_longest(found, found[1:]):
        if block.language == "python":
            shows_output = following is not None and following.caption == ":caption: Output"
            output = following.code if shows_output else None
            place = page.relative_to(DOCS if DOCS in page.parents else ROOT).as_posix()
            yield Block(f"{place}:{block.line}", block.code, output, block.included)


PAGES = [*ROOT.glob("README*.md"), *sorted(page for page in DOCS.rglob("*.rst") if "_build" not in page.parts)]
BLOCKS = [block for page in PAGES for block in read_blocks(page)]
PROGRAMS = [block for block in BLOCKS if block.is_program]


def by_place(block: Block) -> str:
    return block.place


@pytest.fixture(scope="module")
def pbx() -> Iterator[FakeAsterisk]:
    """The "real" server."""
    with busy_pbx() as server:
        yield server


@pytest.fixture(scope="module")
def runs(
    pbx: FakeAsterisk, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[subprocess.CompletedProcess[str]]]]:
    """Every program, started; several run at a time."""
    place = tmp_path_factory.mktemp("programs")

    def run(number: int, program: Block) -> subprocess.CompletedProcess[str]:
        path = place / f"program{number}.py"
        code = program.code + CALL_ITS_TESTS
        if "ami_client.testing" not in code:
            code = PBX.sub(f"{pbx.host}:{pbx.port}", code)
        path.write_text(code, encoding="utf-8")
        return launcher.run(path, cwd=place)

    with ThreadPoolExecutor(max_workers=8) as threads:
        yield {program.place: threads.submit(run, number, program) for number, program in enumerate(PROGRAMS)}


@pytest.mark.parametrize("program", PROGRAMS, ids=by_place)
def test_a_program_of_the_manual_runs(
    program: Block, runs: dict[str, Future[subprocess.CompletedProcess[str]]]
) -> None:
    done = runs[program.place].result()
    assert (done.returncode, done.stderr) == (0, "")
    assert not re.search("no (connection|login)", done.stdout)  # as our examples put it
    if program.output is not None:
        as_said = doctest.OutputChecker().check_output(program.output, done.stdout, doctest.ELLIPSIS)
        assert as_said, f"printed:\n{done.stdout}\nthe manual says:\n{program.output}"


@pytest.mark.parametrize("block", BLOCKS, ids=by_place)
def test_a_block_compiles(block: Block) -> None:
    compile(block.code, block.place, "exec")


def test_no_page_has_lost_its_programs() -> None:
    pages = {program.place.split(":")[0] for program in PROGRAMS}
    assert pages >= {"README.md", "README.ru.md", "index.rst", "quickstart.rst", "testing.rst"}
    assert sum(program.output is not None for program in PROGRAMS) > 5


@pytest.mark.parametrize("kind", ["tutorials", "howto"])
def test_every_page_of_that_kind_shows_a_program_that_runs(kind: str) -> None:
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.glob(f"{kind}/*.rst")} - {f"{kind}/index.rst"}
    assert pages
    # Those of the web and of tests are run by test_examples.py.
    # That of brokers is run by tests/brokers/test_tutorial.py.
    elsewhere = {"tutorials/web.rst", "tutorials/testing.rst", "tutorials/broker.rst"}
    assert pages - elsewhere == {program.place.split(":")[0] for program in PROGRAMS} & pages


@pytest.mark.parametrize(
    "name",
    [f"ami_client.{name}" for name in ami_client.__all__]
    + [f"ami_client.testing.{name}" for name in ami_client.testing.__all__]
    + [f"ami_client.aio.{name}" for name in ami_client.aio.__all__]
    + [f"ami_client.blocking.{name}" for name in ami_client.blocking.__all__ if name != "Gap"],  # that of aio
)
def test_the_reference_has_every_public_name(name: str) -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.rst")}
    assert re.search(rf"\b{re.escape(name)}\b", pages["api.rst"])
    described = [p for p in pages.values() if re.search(rf"^\.\. (auto\w+|data):: {name}(\(.*\))?$", p, re.M)]
    assert len(described) == 1


def own_methods(cls: type) -> Iterator[str]:
    """The methods that phpDaemon's users may look for: public, ours, and not for the library."""
    for name in dir(cls):
        value = inspect.getattr_static(cls, name)
        owner = next(base for base in cls.__mro__ if name in vars(base))
        is_public = not name.startswith("_") and name == name.lower()
        if is_public and owner.__module__.startswith("ami_client.") and not isinstance(value, property):
            yield name


@pytest.mark.parametrize("name", sorted({*own_methods(Pool), *own_methods(Connection)}))
def test_the_porting_page_has_every_method(name: str) -> None:
    page = (DOCS / "porting.rst").read_text(encoding="utf-8")
    php = {python: php for php, python in OTHER_NAMES.items()}.get(name, camel_case(name))
    assert re.search(rf"\b{re.escape(name)}\b", page)
    assert re.search(rf"\b{re.escape(php)}\b", page)


@pytest.mark.parametrize("name", list(ami_client.Options.__dataclass_fields__))
def test_the_porting_page_has_every_option(name: str) -> None:
    assert f"``{name}``" in (DOCS / "porting.rst").read_text(encoding="utf-8")


def test_the_protocol_page_describes_every_state() -> None:
    page = (DOCS / "protocol.rst").read_text(encoding="utf-8")
    for state in TRANSITIONS:
        assert f"``{state.name}``" in page


@pytest.mark.parametrize("page", ["reliability.rst", "security.rst", "development.rst"])
def test_every_file_that_the_manual_names_is_there(page: str) -> None:
    named = re.findall(r"``((?:tests|examples|benchmarks)/[\w./-]+)``", (DOCS / page).read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "README.ru.md"])
def test_the_two_commands_for_a_fresh_machine_stand_together_near_the_top(page: str) -> None:
    top = (ROOT / page).read_text(encoding="utf-8").partition("\n## ")[0].splitlines()
    commands = [line.partition("#")[0].strip() for line in top]
    first = commands.index("python3 tasks.py demo")
    assert commands[first + 1] == "python3 tasks.py test" and first < 20
    tasks = (ROOT / "tasks.py").read_text(encoding="utf-8")
    assert "def demo(" in tasks and "def test(" in tasks


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT).as_posix() for path in [*DOCS.glob("*.rst"), *DOCS.glob("*/index.rst")]}
    # The landing page has the same contents; the others are README.ru.md and CHANGELOG.md themselves.
    elsewhere = {"docs/index.rst", "docs/ru/index.rst", "docs/changelog.rst"}
    assert [page for page in sorted(pages - elsewhere) if f"]({page})" not in text] == []


@pytest.mark.parametrize("client", [ami_client.aio.Client, ami_client.blocking.Client], ids=["await", "blocking"])
def test_a_program_shows_each_public_thing_of_a_client(client: type, request: pytest.FixtureRequest) -> None:
    page = f"howto/{request.node.callspec.id}.rst"
    shown = "".join(program.code for program in PROGRAMS if program.place.startswith(page))
    names = {name for name in dir(client) if not name.startswith("_")} | {"on", "once", "off"}
    assert len(names) > 20
    assert {name for name in names if not re.search(rf"\bpbx\.{name}\b", shown)} == set()
