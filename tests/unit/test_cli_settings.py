"""Which server the command line means, and who logs in: options, environment, config file, prompt."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from ami_client.cli import config
from ami_client.cli.failures import CommandError, Status
from ami_client.cli.target import Given, Target, find

PROFILES = """
[ami-client]
default = pbx2

[pbx1]
url = tls://one.example:5039
username = monitor
secret_file = pbx1.secret
verify = no

[pbx2]
url = tcp://two.example
username = watcher
secret = 50%% off
"""


class Asked:
    """Somebody at a terminal."""

    def __init__(self, *answers: str) -> None:
        self.questions: list[tuple[str, bool]] = []
        self._answers = list(answers)

    def __call__(self, what: str, hide: bool) -> str:
        self.questions.append((what, hide))
        return self._answers.pop(0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.ini"
    path.write_text(PROFILES.replace("%%", "%"), encoding="utf-8")
    path.chmod(0o600)
    (tmp_path / "pbx1.secret").write_text("from the file\nsecond line\n", encoding="utf-8")
    return path


def target(given: Given, environ: Any = (), ask: Any = None) -> Target:
    return find(given, {"AMI_CONFIG": os.devnull, **dict(environ)}, ask)


def test_everything_may_stand_in_the_url() -> None:
    found = target(Given(server="tcp://me:s%40fe@pbx.example:15038#timeout=7"))
    assert (found.username, found.secret) == ("me", "s@fe")
    assert found.url == "tcp://pbx.example:15038#timeout=7"
    assert str(found) == "tcp://me@pbx.example:15038"


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("tcp://u:p@h", "tcp://h:5038"),
        ("u:p@h:1", "tcp://h:1"),
        ("tls://u:p@w@[::1]:5039", "tls://[::1]:5039"),
        ("unix:/run/a@b", "unix:/run/a@b"),
        ("unix://u:p@/run/ami#timeout=7", "unix:/run/ami#timeout=7"),
        ("unix:u:p@/run/ami", "unix:/run/ami"),
    ],
)
def test_credentials_are_taken_out_of_any_url(url: str, bare: str) -> None:
    assert target(Given(server=url, username="u", secret_file="/dev/null")).url == bare


def test_no_secret_is_shown() -> None:
    found = target(Given(server="tcp://me:hushhush@pbx.example"))
    assert "hushhush" not in repr(found) + str(found)


def test_the_environment_stands_in() -> None:
    environ = {"AMI_URL": "tcp://pbx.example", "AMI_USERNAME": "me", "AMI_SECRET": "hush"}
    found = target(Given(), environ)
    assert (str(found), found.secret) == ("tcp://me@pbx.example:5038", "hush")
    assert str(target(Given(server="tcp://you@other.example"), environ)) == "tcp://you@other.example:5038"


def test_the_default_profile(file: Path) -> None:
    found = find(Given(config=file), {})
    assert (str(found), found.secret) == ("tcp://watcher@two.example:5038", "50% off")


def test_a_profile_by_its_name_with_a_secret_file_beside_the_config_file(file: Path) -> None:
    found = find(Given(server="pbx1", config=file), {"AMI_SECRET": "of another server"})
    assert (str(found), found.secret) == ("tls://monitor@one.example:5039", "from the file")
    assert not found.ssl_verify
    assert found.options["ssl_verify"] is False


def test_a_profile_may_be_named_by_the_environment(file: Path) -> None:
    assert find(Given(config=file), {"AMI_URL": "pbx1"}).username == "monitor"


def test_the_command_line_wins(file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("my own", encoding="utf-8")
    given = Given(server="pbx1", username="me", secret_file=str(tmp_path / "mine"), config=file)
    found = find(given, {"AMI_USERNAME": "no", "AMI_SECRET": "no"})
    assert (found.username, found.secret) == ("me", "my own")
    given = Given(server="tcp://u:p@h", username="me", secret_file=str(tmp_path / "mine"))
    assert (target(given).username, target(given).secret) == ("me", "my own")


def test_a_single_profile_is_the_default(file: Path) -> None:
    file.write_text("[only]\nurl = tcp://only.example\nusername = u\nsecret = s\n")
    assert find(Given(config=file), {}).url == "tcp://only.example:5038"


def test_who_sits_there_is_asked() -> None:
    asked = Asked("me", "hush")
    found = target(Given(server="pbx.example"), ask=asked)
    assert (found.username, found.secret) == ("me", "hush")
    assert asked.questions == [("User at tcp://pbx.example", False), ("Secret of tcp://me@pbx.example", True)]


def test_without_a_login_nobody_is_asked() -> None:
    found = find(Given(server="pbx.example"), {"AMI_CONFIG": os.devnull}, login=False)
    assert found.url == "tcp://pbx.example:5038"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Given(), "no server: .* AMI_URL"),
        (Given(server="tcp://pbx.example"), "no user is known for .*--username"),
        (Given(server="tcp://me@pbx.example"), "no secret is known for .*AMI_SECRET"),
        (Given(server="http://x"), "malformed server: unknown URL scheme 'http'"),
        (Given(server="tcp://me@h", secret_file="/no/such/file"), "secret file /no/such/file: No such file"),
        (Given(server="tls://u:p@h", ca_file="/no/such/file"), "CA file /no/such/file: No such file"),
        (Given(config=Path("/no/such/file")), "config file /no/such/file: there is no such file"),
    ],
)
def test_what_is_missing_or_wrong_is_said(given: Given, message: str) -> None:
    with pytest.raises(CommandError, match=message) as caught:
        target(given)
    assert caught.value.status == Status.USAGE


def test_a_file_that_the_environment_names_must_be_there() -> None:
    with pytest.raises(CommandError, match="config file /no/such/file: there is no such file"):
        target(Given(server="tcp://u:p@h"), {"AMI_CONFIG": "/no/such/file"})


def test_a_file_that_is_no_certificate(file: Path) -> None:
    with pytest.raises(CommandError, match="it holds no certificate"):
        target(Given(server="tls://u:p@h", ca_file=str(file)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nurl = h\nsercet = x\n", r"\[a\] has an unknown key 'sercet'; did you mean 'secret'\?"),
        ("[a]\nusername = x\n", r"\[a\] has no url"),
        ("[a]\nurl = h\nverify = perhaps\n", r"\[a\] verify is yes or no"),
        ("[ami-client]\ndefault = b\n[a]\nurl = h\n", "default = b: there is no such profile"),
        ("[ami-client]\nsecret = b\n", "has an unknown key 'secret'"),
        ("[a]\nurl = h\nhushhush\n", "line 3 is neither"),
        ("url = h\n", "line 1 is neither"),
        ("[a]\nurl = h\n[a]\nurl = h\n", "line 3 is neither"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_and_where(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(CommandError, match=message) as caught:
        config.load(file, {})
    assert "hushhush" not in str(caught.value)


def test_a_file_that_is_not_utf8(file: Path) -> None:
    file.write_bytes(b"[a]\nurl = \xff\n")
    with pytest.raises(CommandError, match="it is not UTF-8"):
        config.load(file, {})


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o640, 1), (0o644, 1)])
def test_a_secret_that_others_can_read_is_told(file: Path, mode: int, warnings: int) -> None:
    file.chmod(mode)
    told: list[str] = []
    find(Given(config=file), {}, None, told.append)
    assert len(told) == warnings
    assert all("chmod 600" in text and "50%" not in text for text in told)


@pytest.mark.parametrize(("mode", "who"), [(0o600, ""), (0o400, ""), (0o640, "its group"), (0o644, "everybody")])
@pytest.mark.parametrize("named", ["by the command line", "by a profile"])
def test_a_secret_file_that_others_can_read_is_told(file: Path, mode: int, who: str, named: str) -> None:
    secret = file.parent / "pbx1.secret"
    secret.chmod(mode)
    told: list[str] = []
    given = Given(server="pbx1", config=file)
    if named == "by the command line":
        given = Given(server="tcp://me@pbx.example", secret_file=str(secret))
    assert find(given, {"AMI_CONFIG": os.devnull}, None, told.append).secret == "from the file"
    assert told == [f"{secret} holds a secret, and {who} can read it: chmod 600 {secret}"] * bool(who)


USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = (1 << bit for bit in range(6))  # tags of acl(5)


@pytest.mark.parametrize(
    ("entries", "who"),
    [
        ([(USER, 4, os.geteuid())], ""),  # as systemd gives a credential to the user of a service
        ([(USER, 4, os.geteuid() + 1)], "another user"),
        ([(USER, 4, os.geteuid()), (GROUP, 4, 5)], "a group"),
        ([(USER, 0, os.geteuid() + 1), (GROUP, 0, 5)], ""),
    ],
)
def test_an_access_control_list_says_who_it_is(tmp_path: Path, entries: list[tuple[int, int, int]], who: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush")
    plain = [(USER_OBJ, 6, 2**32 - 1), (GROUP_OBJ, 0, 2**32 - 1), (MASK, 4, 2**32 - 1), (OTHER, 0, 2**32 - 1)]
    packed = b"".join(struct.pack("<HHI", *entry) for entry in sorted([*plain, *entries]))
    try:
        os.setxattr(secret, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except (AttributeError, OSError):
        pytest.skip("no access control lists here")
    assert secret.stat().st_mode & 0o777 == 0o640
    told: list[str] = []
    find(Given(server="tcp://me@pbx.example", secret_file=str(secret)), {"AMI_CONFIG": os.devnull}, None, told.append)
    assert told == [f"{secret} holds a secret, and {who} can read it: chmod 600 {secret}"] * bool(who)


def test_what_is_no_file_on_a_disk_is_read_by_nobody_else(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o644)
    holder = os.open(fifo, os.O_RDWR)
    os.write(holder, b"hush\n")
    told: list[str] = []
    given = Given(server="tcp://me@pbx.example", secret_file=str(fifo))
    assert find(given, {"AMI_CONFIG": os.devnull}, None, told.append).secret == "hush"
    os.close(holder)
    assert told == []


def test_what_has_no_end_is_neither_a_secret_nor_a_config_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="secret file /dev/zero: its first line is longer than 1024 characters"):
        target(Given(server="tcp://me@h", secret_file="/dev/zero"))
    with pytest.raises(CommandError, match="config file /dev/zero: it is longer than 1048576 characters"):
        target(Given(config=Path("/dev/zero")))
    (tmp_path / "long").write_text("x" * 1024 + "\n")
    assert target(Given(server="tcp://me@h", secret_file=str(tmp_path / "long"))).secret == "x" * 1024


def test_where_the_file_is() -> None:
    assert config.default_path({}) == Path("~/.config/ami-client/config.ini").expanduser()
    assert config.default_path({"XDG_CONFIG_HOME": "/etc/x"}) == Path("/etc/x/ami-client/config.ini")
    assert config.default_path({"AMI_CONFIG": "/a/b.ini", "XDG_CONFIG_HOME": "/etc/x"}) == Path("/a/b.ini")
