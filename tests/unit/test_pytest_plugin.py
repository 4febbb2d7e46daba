"""The pytest plugin, as a project sees it that has the library installed: whole runs of pytest, and what they print."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from programs import on_library

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # Whether it is installed or not, here it is asked for: installed, it would be there by itself.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "ami_client.testing.pytest_plugin")
    return pytester


def run(project: pytest.Pytester, source: str, *args: str) -> pytest.RunResult:
    project.makepyfile(source)
    return project.runpytest_inprocess("--strict-markers", "-W", "error", *args)


def test_it_is_an_entry_point_of_the_distribution() -> None:
    (entry,) = (one for one in metadata.distribution("ami-client").entry_points if one.group == "pytest11")
    assert entry.value == "ami_client.testing.pytest_plugin"


def test_the_fixtures_work_together(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        def test_an_hour(reactor, fake_asterisk, ami_pool):
            ami_pool.on("event_hangup", lambda conn, packet: conn.originate({"Channel": "PJSIP/100"}, None))
            ami_pool.get_connection(lambda conn: None)
            fake_asterisk.play([(1800, {"Event": "Hangup", "Channel": "PJSIP/7"})])
            reactor.run_for(3600)
            assert fake_asterisk.received("Originate", Channel="PJSIP/100")
            assert reactor.time() == 3600
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_example_of_the_manual_runs(project: pytest.Pytester, expect_log: Callable[[str], None]) -> None:
    expect_log("connecting again")
    manual = (ROOT / "docs" / "testing.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n    :caption: (\w+)\.py\n\n((?:    .*\n|\n)+)", manual)
    files = {name: textwrap.dedent(code) for name, code in blocks}
    assert list(files) == ["callback", "test_callback"]
    project.makepyfile(**files)
    project.syspathinsert()
    project.runpytest_inprocess("--strict-markers", "-W", "error").assert_outcomes(passed=3)


def test_the_tests_of_the_tutorial_pass(project: pytest.Pytester, expect_log: Callable[[str], None]) -> None:
    expect_log("connecting again")
    for name in ("callback_robot.py", "test_callback_robot.py"):
        shutil.copy(ROOT / "examples" / name, project.path)
    result = project.runpytest_inprocess("--strict-markers", "-W", "error")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] > 5


def test_what_was_not_received_is_told(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        def test_it(reactor, fake_asterisk, ami_pool):
            ami_pool.get_connection(lambda conn: conn.originate({"Channel": "PJSIP/7", "DialSecret": "hush"}, None))
            reactor.run_for(1)
            assert fake_asterisk.received("Originate", Channel="PJSIP/100")
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*assert <no Originate Channel='PJSIP/100'; received: Originate Channel='PJSIP/7', Challenge, Login>",
            "*- Received by fake_asterisk -*",
            "Challenge AuthType='MD5'",
            "Login *Username='admin' Key='[[]removed[]]'*",
            "Originate Channel='PJSIP/7' DialSecret='[[]removed[]]'*",
        ]
    )
    result.stdout.no_fnmatch_line("*hush*admin*")


def test_what_was_expected_and_did_not_come_fails_the_test_itself(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        def test_it(reactor, fake_asterisk, ami_pool):
            fake_asterisk.expect("Hangup", Channel="PJSIP/100")
            reactor.run_for(1)
        """,
    )
    result.assert_outcomes(failed=1)  # no error of the teardown's
    result.stdout.fnmatch_lines(
        [
            "1 of 1 expected requests did not come:",
            "  - Hangup Channel='PJSIP/100'",
            "*- Received by fake_asterisk -*",
            "nothing",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_a_test_that_can_never_go_on_fails(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import pytest

        @pytest.mark.ami_pool(timeout=3600)
        def test_pings_for_ever(reactor, fake_asterisk, ami_pool):
            ami_pool.get_connection(lambda conn: None)
            reactor.run()

        def test_silence(reactor, fake_asterisk, ami_pool):
            fake_asterisk.on("Challenge", None)
            ami_pool.get_connection(lambda conn: None)
            reactor.run()
        """,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E*NothingCanHappen: 86,400 seconds have passed, and the awaited*", "Ping (* times)"])
    result.stdout.fnmatch_lines(["E*NothingCanHappen: nothing is ready and no timer is set: this would hang"])


def test_marks_hand_on_options(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import pytest

        pytestmark = pytest.mark.fake_asterisk(version="5.0.4", username="alice")

        @pytest.mark.fake_asterisk(version="9.0.0")
        @pytest.mark.ami_pool(events="off", timeout=None)
        def test_it(reactor, fake_asterisk, ami_pool):
            conns = []
            ami_pool.get_connection(conns.append)
            reactor.run_until(lambda: conns)
            assert (conns[0].ami_version, conns[0].username) == ("9.0.0", "alice")
            assert ami_pool.options.timeout is None
            assert fake_asterisk.received("Login", Events="off")
        """,
    )
    result.assert_outcomes(passed=1)


def test_marks_without_names_are_refused(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import pytest

        @pytest.mark.fake_asterisk("5.0.4")
        def test_it(fake_asterisk):
            pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *TypeError: the mark fake_asterisk takes options as keywords, not ('5.0.4',)"])


def test_an_assertion_in_a_callback_fails(project: pytest.Pytester, expect_log: Callable[[str], None]) -> None:
    expect_log("on_ping raised")
    result = run(
        project,
        """
        def on_ping(conn, packet):
            assert packet["ping"] == "peng"

        def test_it(reactor, fake_asterisk, ami_pool):
            ami_pool.get_connection(lambda conn: conn.ping(on_ping))
            reactor.run_for(1)
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *AssertionError: assert 'pong' == 'peng'"])


@pytest.mark.parametrize("failure", ["assert False, 'here'", "pytest.fail('here')"])
@pytest.mark.parametrize("when", ["", "ami_pool.finish()"], ids=["in a run", "by the test itself"])
def test_whatever_fails_in_a_callback_fails_the_test(
    project: pytest.Pytester, failure: str, when: str, expect_log: Callable[[str], None]
) -> None:
    expect_log("on_disconnect raised")
    result = run(
        project,
        f"""
        import pytest

        def on_disconnect(conn):
            {failure}

        def test_it(reactor, fake_asterisk, ami_pool):
            ami_pool.on("disconnect", on_disconnect)
            ami_pool.get_connection(lambda conn: None)
            reactor.run_for(1)
            {when or "reactor.call_soon(ami_pool.finish); reactor.run_for(1)"}
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *here*"])


def test_what_fails_when_all_is_torn_down_fails_no_test(
    project: pytest.Pytester, expect_log: Callable[[str], None]
) -> None:
    expect_log("<lambda> raised")
    result = run(
        project,
        """
        def test_it(reactor, fake_asterisk, ami_pool):
            fake_asterisk.on("Ping", None)
            ami_pool.get_connection(lambda conn: conn.ping(lambda conn, packet: packet["ping"]))
            reactor.run_for(1)
        """,
    )
    result.assert_outcomes(passed=1)


def test_what_is_expected_to_fail_may_fail_for_what_did_not_come(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import pytest

        @pytest.mark.xfail(strict=True)
        def test_it(reactor, fake_asterisk, ami_pool):
            fake_asterisk.expect("Hangup")
        """,
    )
    result.assert_outcomes(xfailed=1)


def test_a_reactor_of_the_projects_own_goes_before_ours(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        import asyncio
        import pytest

        @pytest.fixture
        def reactor():
            loop = asyncio.new_event_loop()
            yield loop
            loop.close()
        """
    )
    result = run(
        project,
        """
        import asyncio

        def test_it(reactor, fake_asterisk, ami_pool):
            done = reactor.create_future()
            ami_pool.get_connection(lambda conn: conn.ping(lambda conn, packet: done.set_result(packet["ping"])))
            assert reactor.run_until_complete(asyncio.wait_for(done, 10)) == "pong"
        """,
    )
    result.assert_outcomes(passed=1)


def test_tests_without_the_fixtures_are_left_alone(project: pytest.Pytester) -> None:
    result = run(project, "def test_it():\n    assert 0\n")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*fake_asterisk*")


def test_loading_it_loads_no_more_than_the_core() -> None:
    # Every project of whoever has the library installed pays for it, whether it has to do with AMI or not.
    code = "import sys, ami_client.testing.pytest_plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **on_library())
    loaded = [name for name in done.stdout.split() if name.startswith("ami_client.testing")]
    assert loaded == ["ami_client.testing", "ami_client.testing.pytest_plugin"]
