"""The recorder: a proxy that changes nothing, on the way to servers of every kind."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_client import DATA

from ami_client import AMIError, ConnectFailed, Connection, ConnectionLost, Packet, Pool, Reactor
from ami_client.testing import FakeAsterisk, Recorder, Recording, SimulatedReactor


class Refusing(io.StringIO):
    """A file on a disk that is full."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


@pytest.fixture
def sim() -> Iterator[SimulatedReactor]:
    with SimulatedReactor() as sim:
        yield sim


def recorded(out: io.StringIO) -> Recording:
    return Recording.load(io.StringIO(out.getvalue()))


def test_what_passes_by_is_written_with_its_time(sim: SimulatedReactor) -> None:
    out, got = io.StringIO(), []
    with FakeAsterisk(sim, secret="hush hush") as server, Recorder(sim, server.url, out) as recorder:
        assert recorder.url == f"tcp://admin:hush%20hush@127.0.0.1:{recorder.port}"
        pool = Pool(reactor=sim)
        pool.on("event_x", lambda conn, packet: got.append(packet.original("Name")))
        pool.get_connection(recorder.url, lambda conn: conn.ping(lambda conn, packet: got.append(packet["ping"])))
        server.play([(2.5, {"Event": "X", "Name": "Яна"}), (3, server.drop)])
        sim.run_for(5)
        assert (recorder.clients, recorder.packets) == (0, 9)
        assert isinstance(recorder.error, ConnectionLost)
    assert got == ["pong", "Яна"]
    assert "hush" not in out.getvalue()
    recording = recorded(out)
    told = [(one.time, one.source, one.data.split(b"\r\n")[0], one.end) for one in recording.records]
    assert told == [
        (0, "server", b"Asterisk Call Manager/11.0.0", ""),
        (0, "client", b"Action: Challenge", ""),
        (0, "server", b"Response: Success", ""),
        (0, "client", b"Action: Login", ""),
        (0, "server", b"Response: Success", ""),
        (0, "server", b"Event: FullyBooted", ""),
        (0, "client", b"Action: Ping", ""),
        (0, "server", b"Response: Success", ""),
        (2.5, "server", b"Event: X", ""),
        (3, "server", b"", "closed"),
    ]


def test_each_connection_has_a_number_and_either_side_may_end_it(sim: SimulatedReactor) -> None:
    out = io.StringIO()
    conns: list[Connection] = []

    def take(conn: Connection) -> None:
        conn.acquire()
        conns.append(conn)

    with FakeAsterisk(sim) as server, Recorder(sim, server.url, out) as recorder:
        pool = Pool(reactor=sim)
        for _ in range(2):
            pool.get_connection(recorder.url, take)
        sim.run_until(lambda: len(conns) == 2)
        assert (recorder.clients, server.clients) == (2, 2)
        conns[0].close()
        sim.run_until(lambda: server.clients == 1)
        conns[1].logoff()
        sim.run_until(lambda: not recorder.clients)
    ends = [(one.link, one.source) for one in recorded(out).records if one.end]
    assert sorted(source for _, source in ends) == ["client", "server"]
    assert sorted(link for link, _ in ends) == [1, 2]


def test_a_server_that_is_not_there_is_told_and_ends_the_clients_connection(sim: SimulatedReactor) -> None:
    out, outcome = io.StringIO(), []
    told: list[Exception] = []
    with Recorder(sim, "tcp://a:b@pbx.example.com:5038", out, on_lost=told.append) as recorder:
        Pool(reactor=sim).get_connection(recorder.url, lambda conn, packet: outcome.append(conn.error))
        sim.run_until(lambda: outcome)
    assert [type(error) for error in told] == [ConnectFailed]
    assert isinstance(outcome[0], AMIError)
    (end,) = recorded(out).records
    assert (end.source, "cannot connect" in end.end) == ("server", True)


def test_a_client_that_speaks_first_is_not_lost(sim: SimulatedReactor) -> None:
    with FakeAsterisk(sim) as server, Recorder(sim, server.url, io.StringIO()) as recorder:
        sock = sim.network.socket()
        sock.setblocking(False)
        sock.connect_ex((recorder.host, recorder.port))
        assert sock.readiness()
        sock.send(b"Action: Login\r\nUsername: admin\r\nSecret: secret\r\n\r\n")
        sim.run_until(lambda: server.received("Login", Username="admin"))


def test_a_client_that_only_sends_no_more_still_gets_its_answers(sim: SimulatedReactor) -> None:
    out = io.StringIO()
    with FakeAsterisk(sim) as server, Recorder(sim, server.url, out) as recorder:
        server.on("Slow", {"Response": "Success", "Message": "at last"}, delay=1)
        sock = sim.network.socket()
        sock.setblocking(False)
        sock.connect_ex((recorder.host, recorder.port))
        assert sock.readiness()
        sock.send(b"Action: Login\r\nUsername: admin\r\nSecret: secret\r\n\r\nAction: Slow\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        sim.run_for(1)
        assert sock.recv(10_000).endswith(b"Response: Success\r\nMessage: at last\r\n\r\n")
        assert recorder.clients == 1
        sim.run_for(5)
        assert (recorder.clients, server.clients) == (0, 0)
    assert [one.source for one in recorded(out).records if one.end] == ["client"]


def test_bytes_go_through_unchanged_however_odd(sim: SimulatedReactor) -> None:
    odd = b"Event: Odd\r\nNo colon\r\nA:b\r\n\r\n\r\n\xff\r\n\r\nSecret: x\r\n\r\nunfinished"
    out, seen = io.StringIO(), []
    with FakeAsterisk(sim) as server, Recorder(sim, server.url, out) as recorder:
        pool = Pool(reactor=sim)
        pool.get_connection(recorder.url, lambda conn: seen.append(conn))
        sim.run_until(lambda: seen)
        server.push(odd)
        server.drop()
        pool.on("event_odd", lambda conn, packet: seen.append(packet.raw))
        sim.run_until(lambda: not recorder.clients)
    assert seen[1].strip() == odd[: odd.index(b"\r\n\r\n")]
    assert recorded(out).data("server").endswith(odd.replace(b"Secret: x", b"Secret: [removed]"))


def test_a_file_that_cannot_be_written_ends_the_recording_and_nothing_else(sim: SimulatedReactor) -> None:
    out, got = Refusing(), []
    told: list[Exception] = []
    with FakeAsterisk(sim) as server, Recorder(sim, server.url, out, on_lost=told.append) as recorder:
        out.full = True
        Pool(reactor=sim).get_connection(recorder.url, lambda conn: conn.ping(lambda conn, packet: got.append(packet)))
        sim.run_until(lambda: got)
        assert recorder.error is told[0]
    assert [type(error) for error in told] == [OSError]


def test_a_client_that_does_not_read_is_cut_off(sim: SimulatedReactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_client.testing.recorder.MAX_HELD", 1000)
    with FakeAsterisk(sim) as server, Recorder(sim, server.url, io.StringIO()) as recorder:
        conns: list[Connection] = []
        Pool(reactor=sim).get_connection(recorder.url, conns.append)
        sim.run_until(lambda: conns)
        recorder._passages[0].client.mute(True)
        server.push({"Event": "Long", "Text": "x" * 2000})
        sim.run_until(lambda: not recorder.clients)


def test_a_server_that_does_not_read_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_client.testing.recorder.MAX_HELD", 1000)
    with Reactor() as reactor, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with Recorder(reactor, url, io.StringIO()) as recorder:
            assert sent_until_cut_off(reactor, recorder) > 1000


def test_a_server_that_is_not_reached_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ami_client.testing.recorder.MAX_HELD", 1000)
    with Reactor() as reactor:
        monkeypatch.setattr("ami_client.testing.recorder.ServerLink", Unreached)
        with Recorder(reactor, "tcp://192.0.2.1", io.StringIO()) as recorder:
            assert sent_until_cut_off(reactor, recorder) > 1000


class Unreached:
    """The way to a server that does not answer."""

    buffered = 0

    def __init__(self, *args: object, **options: object) -> None:
        pass

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass


def sent_until_cut_off(reactor: Reactor, recorder: Recorder) -> int:
    """Pour bytes into a recorder until it ends the connection, and return how many that were."""
    sent = 0
    with socket.create_connection((recorder.host, recorder.port)) as client:
        client.setblocking(False)

        def pour() -> None:
            nonlocal sent
            try:
                sent += client.send(b"x" * 65536)
            except OSError:  # it is cut off
                reactor.stop()

        reactor.add_writer(client.fileno(), pour)
        limit = reactor.call_later(10, reactor.stop)
        reactor.run()
        assert reactor.time() < limit.when(), "it took all of it"
        limit.cancel()
        reactor.remove_writer(client.fileno())
    assert recorder.clients == 0
    return sent


def connect_and_ping(reactor: Reactor, url: str) -> Connection:
    pool = Pool(reactor=reactor)
    answers: list[Connection] = []

    def on_answer(conn: Connection, packet: Packet) -> None:
        answers.append(conn)
        reactor.stop()

    pool.get_connection(url, lambda conn: conn.ping(on_answer))
    timer = reactor.call_later(10, reactor.stop)
    reactor.run()
    timer.cancel()
    pool.finish()
    return answers[0]


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_real_sockets_of_every_kind(
    kind: str, tmp_path: Path, new_server: Callable[..., FakeAsterisk], expect_log: Callable[[str], None]
) -> None:
    server = new_server(kind)
    path = tmp_path / "session.jsonl"
    if kind == "tls":
        expect_log("anybody may answer")
    with Recorder(server.loop, server.url, path, ssl_verify=False) as recorder:
        assert connect_and_ping(server.loop, recorder.url).username == "admin"  # type: ignore[arg-type]
    assert Recording.load(path).banner == "Asterisk Call Manager/11.0.0"


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., FakeAsterisk]]:
    with Reactor() as reactor:
        servers = []

        def new(kind: str) -> FakeAsterisk:
            options: dict[str, object] = {}
            if kind == "tls":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(DATA / "tls" / "cert.pem", DATA / "tls" / "key.pem")
                options["tls"] = context
            if kind == "unix":
                options["unix_path"] = str(tmp_path / "ami")
            servers.append(FakeAsterisk(reactor, **options))  # type: ignore[arg-type]
            servers[-1].start()
            return servers[-1]

        yield new
        for server in servers:
            server.close()


def test_wrong_ways_to_make_one(sim: SimulatedReactor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scheme"):
        Recorder(sim, "http://x", io.StringIO())
    with pytest.raises(TypeError, match="did you mean 'timeout'"):
        Recorder(sim, "tcp://x", io.StringIO(), timeuot=5)
    recorder = Recorder(sim, "tcp://x:1", tmp_path / "no" / "file", port=7)
    with pytest.raises(FileNotFoundError):
        recorder.start()
    recorder = Recorder(sim, "tcp://x:1", tmp_path / "file", port=7, username="u", secret="ü")
    recorder.start()  # the port is free again
    assert recorder.url == "tcp://u:%C3%BC@127.0.0.1:7"
    with pytest.raises(RuntimeError, match="already"):
        recorder.start()
    recorder.close()
    recorder.close()
    with pytest.raises(RuntimeError, match="already"):
        recorder.start()
    assert (tmp_path / "file").read_text(encoding="utf-8")
