"""The pages say the same numbers as the code."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from ami_client import Options, stats
from ami_client._client.server_pool import STARTING_AT_ONCE, STARTING_TIME, TURNED_AWAY_AT_MOST
from ami_client._engine.action_ids import ID_SIZE, START_SIZE
from ami_client._engine.encode import MAX_ACTION_ID, MAX_LINE, MAX_LINES
from ami_client._engine.in_flight import HEADER_SIZE, MAX_ABANDONED, MIN_PACKET_SIZE
from ami_client._engine.line_cache import MEMO_SIZE
from ami_client._transport.stream import LINGER, RECV_BUDGET, RECV_SIZE, TIME_BUDGET
from ami_client.actions import ORIGINATE_TIMEOUT
from ami_client.cli import ask, lists, originate, ping
from ami_client.testing import recorder
from ami_client.url import USUAL_PORT

ROOT = Path(__file__).parents[2]
OPTIONS = Options()
WORDS = {10: "ten", 60: "a minute", 0.1: "a tenth of a second"}


def in_kib(size: int) -> str:
    assert size % 1024 == 0
    return f"{size // 1024} KiB"


# A page, and a part of a sentence, made of the code's own constant.
SAID = [
    ("docs/security.rst", f"a line longer than the server reads ({MAX_LINE:,} bytes)"),
    ("docs/security.rst", f"more lines than it takes ({MAX_LINES})"),
    ("docs/security.rst", f"a connection reads {in_kib(RECV_SIZE * RECV_BUDGET)} at a time"),
    ("docs/security.rst", f"caches up to {MEMO_SIZE:,} recent header lines"),
    ("docs/security.rst", f"with {len(list((ROOT / 'tests/data/malformed').iterdir()))} malformed streams"),
    ("docs/security.rst", f"each id has {8 * ID_SIZE} random bits of its own, after {8 * START_SIZE} random bits"),
    ("docs/reliability.rst", f"After {TURNED_AWAY_AT_MOST} such"),
    ("docs/reliability.rst", f"``reconnect_max`` ({OPTIONS.reconnect_max:.0f})"),
    ("docs/reliability.rst", f"``slow_handler`` seconds ({OPTIONS.slow_handler:g} by default)"),
    ("docs/reliability.rst", f"{HEADER_SIZE} bytes for each header or {MIN_PACKET_SIZE:,}, whichever"),
    ("docs/reliability.rst", f"discarded, for up to {MAX_ABANDONED:,} actions"),
    ("docs/reliability.rst", f"A connection reads at most {in_kib(RECV_SIZE * RECV_BUDGET)} before"),
    (
        "docs/reliability.rst",
        f"after {in_kib(RECV_SIZE)} if its handlers took {WORDS[TIME_BUDGET * 1000]} milliseconds",
    ),
    ("docs/reliability.rst", f"twice the {in_kib(RECV_SIZE * RECV_BUDGET)} that are read at a time"),
    ("docs/reliability.rst", f"for each of the last {stats.MAX_PAST:,} servers that are gone"),
    ("docs/reliability.rst", f'added up under ``"{stats.OTHERS}"``'),
    ("docs/porting.rst", f"for lines above {MAX_LINE:,} bytes and for more than {MAX_LINES} lines"),
    ("docs/porting.rst", f"{OPTIONS.port}, none, none, {OPTIONS.maxconnperserv} and {OPTIONS.timeout:.0f} seconds"),
    (
        "docs/porting.rst",
        f"{WORDS[STARTING_AT_ONCE].capitalize()} start at a time. The next follow when these log in or fail, "
        f"or after {WORDS[STARTING_TIME]}",
    ),
    ("docs/protocol.rst", f"at most {MAX_ACTION_ID} bytes, because list handlers"),
    ("docs/protocol.rst", f"{MAX_LINE:,} bytes of a line and {MAX_LINES} lines of an action"),
    ("docs/protocol.rst", f"a TCP port of the PBX, usually {USUAL_PORT}"),
    ("docs/quickstart.rst", f"``Pool`` **{OPTIONS.port}**, phpDaemon's default"),
    ("docs/quickstart.rst", f"Asterisk usually listens on {USUAL_PORT}"),
    ("docs/quickstart.rst", f"``ami_client.aio.Client`` {USUAL_PORT} ``ami_client.blocking.Client`` {USUAL_PORT}"),
    ("README.ru.md", f"по умолчанию берётся {OPTIONS.port},"),
    ("README.ru.md", f"обычно слушает {USUAL_PORT}."),
    ("docs/howto/many-calls.rst", f"in milliseconds: {ORIGINATE_TIMEOUT * 1000:,.0f} is usual"),
    ("docs/cli.rst", f"{WORDS[ask.TIMEOUT]} for ``action``, ``command`` and the lists"),
    ("docs/cli.rst", f"{WORDS[lists.TIMEOUT]} for ``action``, ``command`` and the lists"),
    ("docs/cli.rst", f"{originate.PATIENCE:.0f} seconds and the time to ring for ``originate``"),
    ("docs/cli.rst", f"{ping.PATIENCE:.0f} seconds and the intervals for ``ping``"),
    ("docs/testing.rst", f"what the server says in the next {recorder.LINGER:g} seconds"),
    # Docstrings, of which the reference is made.
    ("ami_client/actions.py", f"milliseconds to answer, {ORIGINATE_TIMEOUT * 1000:,.0f} by default"),
    ("ami_client/actions.py", f"of at most {MAX_ACTION_ID} bytes, is used as the id"),
    ("ami_client/_engine/encode.py", f"a line of more than {MAX_LINE:,} bytes, more than {MAX_LINES} lines"),
    ("ami_client/_engine/encode.py", f"an ActionID of more than {MAX_ACTION_ID} bytes"),
    ("ami_client/options.py", f"{HEADER_SIZE} bytes per header, and {MIN_PACKET_SIZE:,}"),
    ("ami_client/options.py", f"At most {WORDS[STARTING_AT_ONCE]} connections are opened at the same time"),
    ("ami_client/options.py", f"usually listens on {USUAL_PORT}"),
    ("ami_client/pool.py", f"The last {stats.MAX_PAST:,} servers that are gone keep their entries"),
    ("ami_client/pool.py", f'``"{stats.OTHERS}"`` has the sums over all earlier ones'),
    ("ami_client/prometheus.py", f"last {stats.MAX_PAST:,} servers that are gone keep their labels; ``{stats.OTHERS}"),
    ("ami_client/_transport/stream.py", f"is waited for {LINGER:g} seconds"),
]


def text_of(page: str) -> str:
    """A page in one line, without the marks of comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return " ".join(re.sub(r"^ *#:? ", "", text, flags=re.MULTILINE).split())


@pytest.mark.parametrize(("page", "said"), SAID, ids=[f"{page}-{number}" for number, (page, _) in enumerate(SAID)])
def test_a_number_that_a_page_says_is_the_codes(page: str, said: str) -> None:
    assert said in text_of(page)


def defaults_in_tables(page: str) -> dict[str, str]:
    """Of the tables whose rows begin with an option and its default."""
    return dict(
        re.findall(r"^   \* - ``(\w+)``\n     - (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    )


def shown(option: str) -> str:
    """A default as the tables have it: bytes in MiB, numbers with commas."""
    value = getattr(OPTIONS, option)
    if option in ("max_packet", "max_answer", "max_outgoing"):
        assert value % 1024**2 == 0
        return f"{value // 1024**2} MiB"
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}"


def test_the_tables_of_options_have_their_defaults() -> None:
    table = defaults_in_tables("docs/reliability.rst")
    bounds = {name for name in Options.__dataclass_fields__ if name.startswith("max_")}
    limits = {name for name in Options.__dataclass_fields__ if name.endswith("timeout")}
    assert set(table) == bounds | limits
    assert table == {option: shown(option) for option in table}


@pytest.mark.parametrize(("page", "between"), [("README.md", " to "), ("README.ru.md", "\N{EN DASH}")])
def test_the_readme_names_the_pythons_that_the_package_is_for(page: str, between: str) -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    pythons = re.findall(r":: Python :: (3\.\d+)", config["metadata"]["classifiers"])
    assert f"Python {pythons[0]}{between}{pythons[-1]}" in text_of(page)
    assert config["options"]["python_requires"] == f">={pythons[0]}"
