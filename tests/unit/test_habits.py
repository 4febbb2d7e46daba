"""What contributors are told, and what runs for them, agrees with what is there."""

from __future__ import annotations

import configparser
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs import ROOT

FOR_CONTRIBUTORS = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / ".pre-commit-config.yaml",
    *sorted(path for path in (ROOT / ".github").rglob("*") if path.is_file()),
]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    """What tasks.py defines."""
    return runpy.run_path(str(ROOT / "tasks.py"))


@pytest.fixture(scope="module")
def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(read("setup.cfg"))
    return parser


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# -- what is written


@pytest.mark.parametrize(
    "path", [*FOR_CONTRIBUTORS, ROOT / ".ci" / "run", ROOT / "docs" / "development.rst"], ids=relative
)
def test_every_task_that_is_named_exists(path: Path, program: dict[str, Any]) -> None:
    named = re.findall(r"tasks\.py (\w+)", path.read_text(encoding="utf-8"))
    assert [name for name in named if name not in program["TASKS"]] == []


def test_the_manual_lists_every_task(program: dict[str, Any]) -> None:
    table = read("docs/development.rst").split("============= ")[2]
    assert sorted(re.findall(r"^``(\w+)``", table, re.M)) == sorted(program["TASKS"])


@pytest.mark.parametrize("path", FOR_CONTRIBUTORS, ids=relative)
def test_nothing_names_a_machine_or_a_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.*])/(?:home|root|tmp|opt|srv|usr|var|work|etc)\b\S*", text) == []
    assert re.findall(r"\S*(?:pypi|index-url|find-links)\S*", text, re.I) == []
    assert set(re.findall(r"https?://([^/)\s]+)", text)) <= {"pre-commit.com"}
    assert re.findall(r"\S+@[\w-]+\.\w+", text) == []


def test_what_contributors_are_told_fits_a_page() -> None:
    assert len(read("CONTRIBUTING.md").splitlines()) <= 80


def test_an_issue_asks_for_a_recording_without_secrets() -> None:
    template = read(".github/ISSUE_TEMPLATE/bug.md")
    assert "ami-client record" in template and "secrets" in template and "SECURITY.md" in template


def test_the_source_distribution_holds_them_too() -> None:
    manifest = read("MANIFEST.in").split()
    assert {"CONTRIBUTING.md", "SECURITY.md", ".pre-commit-config.yaml", ".ci/run", ".github"} <= set(manifest)


# -- what runs


def test_the_hosted_tests_run_on_every_python_that_is_supported(settings: configparser.ConfigParser) -> None:
    classifiers = settings["metadata"]["classifiers"]
    supported = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", classifiers, re.M)
    (matrix,) = re.findall(r"python: \[(.*)\]", read(".github/workflows/ci.yml"))
    free_threaded = supported[-1] + "t"
    assert re.findall(r'"([^"]+)"', matrix) == [*supported, free_threaded]


def test_every_hosted_check_is_a_task(program: dict[str, Any]) -> None:
    (matrix,) = re.findall(r"task: \[(.*)\]", read(".github/workflows/ci.yml"))
    tasks = matrix.split(", ")
    assert set(tasks) >= {"lint", "types", "docs", "build"}
    assert set(tasks) <= set(program["TASKS"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=relative)
def test_hosted_actions_are_pinned_by_major_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@v\d+", action)] == []


def test_the_hooks_of_a_commit_have_the_tools_of_lint(settings: configparser.ConfigParser) -> None:
    wanted = re.findall(r"^[^#\s].*", settings["options.extras_require"]["lint"], re.M)
    config = read(".pre-commit-config.yaml")
    assert set(re.findall(r'additional_dependencies: \["(.*)"\]', config)) == set(wanted)
    assert set(re.findall(r"repo: (\S+)", config)) == {"local"}


def test_ci_measures_branches_and_has_a_floor(settings: configparser.ConfigParser) -> None:
    assert settings.getboolean("coverage:run", "branch")
    assert settings.getfloat("coverage:report", "fail_under") > 90
    assert "tasks.py coverage" in read(".ci/run")


# -- blanks


@pytest.fixture
def blanks(tmp_path: Path) -> Callable[[bytes], list[str]]:
    """What tasks.py complains about, of a file with this content in a repository of its own."""
    shutil.copy(ROOT / "tasks.py", tmp_path)
    copied = runpy.run_path(str(tmp_path / "tasks.py"))

    def complaints(data: bytes) -> list[str]:
        (tmp_path / "file").write_bytes(data)
        try:
            copied["TASKS"]["blanks"](["file"])
        except copied["TaskError"] as error:
            return str(error).splitlines()[1:]
        return []

    return complaints


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\n\nb\n", []),
        (b"a\0 \n\n", []),
        (b"a \nb\n", ["file:1: ends in a blank"]),
        (b"a\n\t\nb\n", ["file:2: ends in a blank"]),
        (b"a\r\nb\n", ["file:1: ends in a blank"]),
        (b"a\nb", ["file:2: the last line has no line end"]),
        (b"a\n\n", ["file:2: the file ends in an empty line"]),
        (b"\n", ["file:1: the file is an empty line"]),
    ],
)
def test_blanks_that_must_go_are_named(blanks: Callable[[bytes], list[str]], data: bytes, expected: list[str]) -> None:
    assert blanks(data) == expected


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_blanks_are_looked_for_in_what_git_will_commit(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tasks.py", tmp_path)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("/ignored\n")
    (tmp_path / "ignored").write_text("a \n")
    (tmp_path / "tests" / "data").mkdir(parents=True)
    (tmp_path / "tests" / "data" / "said").write_text("a \n")
    (tmp_path / "new").write_text("a \n")
    copied = runpy.run_path(str(tmp_path / "tasks.py"))
    with pytest.raises(copied["TaskError"], match=r"^[^\n]*\nnew:1: ends in a blank$"):
        copied["TASKS"]["blanks"]([])


# Sphinx, setuptools and tox load the first, and bring what they import. tox checks the types of the others, in an
# environment that has Home Assistant.
UNTYPED = ("docs/", "setup.py", "toxfile.py", "examples/custom_components/", "tests/peers/home_assistant/")


def test_mypy_reads_every_python_file(program: dict[str, Any], settings: configparser.ConfigParser) -> None:
    alone = settings["mypy"]["files"].split(", ")
    read_by_folders = [name for names, _ in program["TYPED"] for name in program["modules_in"](names.split())]
    assert len(read_by_folders) == len(set(read_by_folders)) > 150
    left = {name for name in program["files_of_git"]() if name.endswith(".py")} - set(read_by_folders)
    assert {name for name in left if not name.startswith((*UNTYPED, *alone))} == set()


def test_no_run_of_mypy_meets_two_modules_of_one_name(program: dict[str, Any]) -> None:
    for names, path in program["TYPED"]:
        modules = [
            name for name in program["modules_in"](names.split()) if Path(name).parent.as_posix() in path.split()
        ]
        assert len(modules) == len({Path(name).name for name in modules}), names
