"""The rules: what users, servers, the network and the clock may do."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Callable, Optional

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from .links import Link
from .ways import WAYS
from .words import OF_ACTIONS, OF_NOTHING
from .world import KINDS, Fault, World

which = st.integers(0, 3)  # of those that there are, counted anew when there are fewer
behaviours = st.sampled_from(
    ["calm"] * 24
    + ["acquire", "acquire", "release", "send more", "send more", "get another", "get another", "raise", "slow"]
    + ["interrupt", "interrupt", "finish", "close", "shut down gracefully", "log off", "finish the pool"]
)
REPORTED = 60  # lines of the story, at most


def step(
    when: Optional[Callable[[Contract], object]] = None, **strategies: st.SearchStrategy[Any]
) -> Callable[..., Any]:
    """A rule: it may be interrupted; then everything is done that can be, and checked. ``when`` is its precondition."""

    def decorate(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def run(self: Contract, **arguments: Any) -> None:
            Contract.steps += 1
            with suppress(KeyboardInterrupt):
                function(self, **arguments)
            self.settle()

        decorated: Any = rule(**strategies)(run)  # type: ignore[call-overload]
        return decorated if when is None else precondition(lambda self: bool(when(self)))(decorated)

    return decorate


class Contract(RuleBasedStateMachine):
    """Any interleaving of what can happen to a pool keeps its contract."""

    steps = 0  # of all examples

    world: World
    options: dict[str, object]

    @initialize(
        reconnect=st.sampled_from([None, 2.0]),
        reconnect_refused=st.booleans(),
        maxconnperserv=st.integers(1, 3),
        small=st.booleans(),
        timeout=st.sampled_from([None, 30.0]),
        md5=st.booleans(),
        at_once=st.sampled_from([10, 1]),
        way=st.sampled_from(sorted(WAYS)),
    )
    def start(self, **options: object) -> None:
        self.options = options
        self._begin()

    def _begin(self) -> None:
        self.world = World(**self.options)  # type: ignore[arg-type]
        self.world.get_connection(0)
        self.world.pump()
        self.world.log_in(self._links(bool)[0], "welcome")

    def _links(self, wanted: Callable[[Link], object]) -> list[Link]:
        if not hasattr(self, "world"):
            return []
        return [link for server in self.world.servers for link in server.links if wanted(link)]

    # -- users

    @step(host=st.sampled_from([0, 0, 0, 1]), behaviour=behaviours, pri=st.integers(0, 2), early=behaviours)
    def get_connection(self, host: int, behaviour: str, pri: int, early: str) -> None:
        self.world.get_connection(host, behaviour, pri, early)

    @step(
        lambda self: self._links(lambda link: True),
        link=which,
        kind=st.sampled_from(KINDS),
        behaviour=behaviours,
        retry=st.booleans(),
        limit=st.sampled_from([None, 3.0, 7.0]),
        own_id=st.sampled_from(["", "", "Own-A", "own-a", "Own-B"]),
    )
    def send(self, link: int, kind: str, behaviour: str, retry: bool, limit: Optional[float], own_id: str) -> None:
        links = self._links(lambda link: True)
        one = links[link % len(links)]
        self.world.send(one, kind, behaviour, retry=retry, limit=limit, own_id=own_id, result_behaviour=behaviour)

    @step(
        lambda self: self._talking(),
        link=which,
        kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
        retry=st.booleans(),
    )
    def send_calmly(self, link: int, kinds: Sequence[str], retry: bool) -> None:
        links = self._talking()
        for kind in kinds:
            self.world.send(links[link % len(links)], kind, retry=retry)

    @step(lambda self: self._links(lambda link: True), link=which, behaviour=behaviours)
    def on_connected(self, link: int, behaviour: str) -> None:
        links = self._links(lambda link: True)
        self.world.wait_for_login(links[link % len(links)], behaviour)

    @step(
        lambda self: self.world.links,
        link=which,
        what=st.sampled_from(
            ["acquire", "release", "release", "finish", "close", "shut down gracefully", "log off", "log off"]
        ),
    )
    def user_does(self, link: int, what: str) -> None:
        links = list(self.world.links.values())[-4:]  # lost ones, too
        self.world.user_does(links[link % len(links)], what)

    @step(handler=st.sampled_from(["login", "connected", "disconnect", "event", "reconnecting"]), behaviour=behaviours)
    def next_handler_does(self, handler: str, behaviour: str) -> None:
        self.world.plans[handler] = behaviour

    @step(lambda self: len(self.world.links) > 3, graceful=st.booleans())
    def finish_pool(self, graceful: bool) -> None:
        self.world.finish_pool(graceful)

    # -- servers and the network

    def _connecting(self) -> list[Link]:
        return self._links(lambda link: link.sock and not link.sock.closed and not link.opened and not link.refused)

    def _logging_in(self) -> list[Link]:
        return self._links(lambda link: link.opened and link.stage != "over" and not link.cut)

    def _talking(self) -> list[Link]:
        return self._links(lambda link: link.logged_in and not link.cut)

    @step(host=st.sampled_from([0, 0, 0, 1]), behaviour=behaviours)
    def get_and_log_in(self, host: int, behaviour: str) -> None:
        with suppress(KeyboardInterrupt):
            self.world.get_connection(host, behaviour)
        self.world.pump()
        for link in self._connecting()[-1:]:
            self.world.log_in(link, "welcome")

    @step(
        lambda self: self._connecting(),
        link=which,
        verdict=st.sampled_from(["welcome"] * 4 + ["refusal", "refusal for now"]),
    )
    def log_in(self, link: int, verdict: str) -> None:
        links = self._connecting()
        self.world.log_in(links[link % len(links)], verdict)

    @step(lambda self: self._connecting(), link=which, accept=st.booleans())
    def answer_attempt(self, link: int, accept: bool) -> None:
        links = self._connecting()
        one = links[link % len(links)]
        if accept:
            self.world.accept(one)
        else:
            assert one.sock is not None
            one.refused = True
            one.sock.refuse()

    @step(
        lambda self: self._logging_in(), link=which, verdict=st.sampled_from(["welcome", "refusal", "refusal for now"])
    )
    def login_step(self, link: int, verdict: str) -> None:
        links = self._logging_in()
        self.world.login_step(links[link % len(links)], verdict)

    @step(
        lambda self: any(link.actions for link in self._talking()),
        link=which,
        answers=st.lists(st.tuples(which, st.sampled_from(OF_ACTIONS)), min_size=1, max_size=4),
        cut=st.sampled_from([1, 2, 5]),
    )
    def answer(self, link: int, answers: Sequence[tuple[int, str]], cut: int) -> None:
        self._answer(link, answers, cut)

    def _answer(self, link: int, answers: Sequence[tuple[int, str]], cut: int) -> None:
        links = [link for link in self._talking() if link.actions]
        one = links[link % len(links)]
        open_ones = [token.id for token in one.answers.waiting() if token.id in one.actions]
        ids = list(dict.fromkeys([*open_ones, *one.answers.abandoned, *one.actions[-1:]]))
        ids = [action_id for action_id in ids if action_id in one.actions]
        words = []
        for action, word in answers:
            action_id = ids[action % len(ids)]
            raw = action_id in one.fences  # answered by text, or refused
            if (word == "error" or (word == "fence" and one.fences[action_id])) if raw else word != "fence":
                words.append((word, action_id))
        self.world.say(one, *words, cut=cut)

    @step(
        lambda self: any(link.actions for link in self._talking()),
        link=which,
        action=which,
        word=st.sampled_from(OF_ACTIONS),
    )
    def answer_one(self, link: int, action: int, word: str) -> None:
        self._answer(link, [(action, word)], 1)

    @step(lambda self: any(any(link.fences.values()) for link in self._talking()), link=which, lines=which)
    def answer_with_text(self, link: int, lines: int) -> None:
        links = [link for link in self._talking() if any(link.fences.values())]
        one = links[link % len(links)]
        action_id = next((key for key in one.answers.fenced if one.fences.get(key)), None)
        if action_id is not None:
            self.world.say(one, *[("text", "")] * lines, ("fence", action_id))

    @step(
        lambda self: self._talking(),
        link=which,
        words=st.lists(st.sampled_from(OF_NOTHING), min_size=1, max_size=3),
        cut=st.sampled_from([1, 3]),
    )
    def say(self, link: int, words: Sequence[str], cut: int) -> None:
        links = self._talking()
        self.world.say(links[link % len(links)], *((word, "") for word in words), cut=cut)

    @step(lambda self: self._links(lambda link: link.opened and not link.cut), link=which, reset=st.booleans())
    def lose(self, link: int, reset: bool) -> None:
        links = self._links(lambda link: link.opened and not link.cut)
        one = links[link % len(links)]
        assert one.sock is not None
        one.cut = True
        one.sock.reset() if reset else one.sock.eof()

    @step(lambda self: self._silent_so_far(), count=st.integers(1, 3))
    def turn_away(self, count: int) -> None:
        for link in self._silent_so_far()[:count]:
            assert link.sock is not None
            if not link.opened:
                self.world.accept(link)
            if not link.conn.finished:
                link.cut = True
                link.sock.eof()

    def _silent_so_far(self) -> list[Link]:
        return [link for link in [*self._connecting(), *self._logging_in()] if link.stage == "banner" and not link.cut]

    @step(lambda self: self._talking(), link=which, room=st.sampled_from([None, 0, 50]))
    def read(self, link: int, room: Optional[int]) -> None:
        links = self._talking()
        sock = links[link % len(links)].sock
        assert sock is not None
        sock.room = room

    @step(lambda self: self.world.timeout and self._talking(), link=which)
    def fall_silent(self, link: int) -> None:
        links = self._talking()
        one = links[link % len(links)]
        one.silent = not one.silent

    @step(seconds=st.sampled_from([0.05, 1.0, 3.0, 9.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    # -- what must be so after each of them

    def settle(self) -> None:
        """Run until nothing is left to be done now, and check; the end of a pool is the beginning of another."""
        self.world.pump()
        self._checked(self.world.check)
        if self.world.finished:
            self._checked(self.world.wind_up)
            self.world.close()
            self._begin()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                if not self.world.faults:
                    self._checked(self.world.wind_up)
            finally:
                self.world.close()

    def _checked(self, check: Callable[[], None]) -> None:
        try:
            check()
        except Fault:
            note("\n".join(["What happened, at which second:", *self.world.story[-REPORTED:]]))
            raise
