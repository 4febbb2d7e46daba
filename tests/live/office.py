"""An office: an Asterisk, its telephones, and every kind of call that they make.

``python tests/live/office.py DIRECTORY [16] [22] [NAME...]`` records each kind on each server, one file a call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from driver import Client, is_event, original
from servers import AsteriskServer
from telephones import BUSY, CONGESTED, NOT_THERE, REJECTED, UNKNOWN, Telephone, Telephones

from ami_client import Connection, Packet
from ami_client.testing import Recording
from ami_client.testing.recording import Record

NAMES = ("alice", "bob", "carol", "dave", "erin", "trunk")
SIP_NAMES = ("sam", "sue", "sid")  # of chan_sip, on 16 only


class Office:
    """A server, its telephones and a client that watches."""

    def __init__(self, server: AsteriskServer, phones: Telephones, client: Client) -> None:
        self.server = server
        self.phones = phones
        self.client = client
        self.on_pause: Callable[[], object] = lambda: None  # while a call is as it is for a moment
        self.alice, self.bob, self.carol, self.dave, self.erin, self.trunk = self.telephones("PJSIP", NAMES)

    def telephones(self, driver: str, names: tuple[str, ...]) -> list[Telephone]:
        return [self.phones.telephone(name, self.server.sip_port(driver)) for name in names]

    def channel_of(self, name: str) -> str:
        """The latest channel of a telephone."""
        driver = "SIP" if name in SIP_NAMES else "PJSIP"
        found = [original(one, "Channel") for one in self.client.channels()]
        return max(one for one in found if one.startswith(f"{driver}/{name}-"))

    def until_event(self, name: str, **headers: str) -> Packet:
        """Wait for an event of this call, also one that has come already."""

        def found() -> list[Packet]:
            return [event for event in self.client.events if is_event(event, name, headers)]

        self.client.until(found, what=f"event {name} with {headers}")
        return found()[0]

    def until_bridged(self, *names: str) -> None:
        """Wait until the latest channels of these telephones are in one bridge."""
        end = self.client.reactor.time() + 5
        while self.client.reactor.time() < end:
            bridges = {original(one, "Channel"): original(one, "BridgeId") for one in self.client.channels()}
            mine = {
                bridges[max(bridge for bridge in bridges if f"/{name}-" in bridge)]
                for name in names
                if any(f"/{name}-" in bridge for bridge in bridges)
            }
            if len(mine) == 1 and "" not in mine and all(any(f"/{n}-" in b for b in bridges) for n in names):
                return
            self.pause(0.02)
        raise AssertionError(f"{names} are not in one bridge: {bridges}")

    def pause(self, seconds: float) -> None:
        """Let so much time pass, and events come; then ``on_pause()`` is called."""
        end = self.client.reactor.time() + seconds
        while self.client.reactor.time() < end:
            self.client.reactor.run_once(end - self.client.reactor.time())
        self.on_pause()

    def until_quiet(self) -> None:
        """Wait until no channel is left."""
        end = self.client.reactor.time() + 8
        while self.client.channels():
            assert self.client.reactor.time() < end, f"channels stay: {self.server.cli('core show channels')}"
            self.pause(0.05)
        self.pause(0.15)
        self.client.ask("Ping")

    def originate(self, channel: str, **params: object) -> None:
        """Have the server place a call, without waiting."""
        self.client.conn.originate({"Channel": channel, "Timeout": 5000, **params}, None)


Kind = Callable[[Office], None]
KINDS: dict[str, Kind] = {}
ONLY_16: set[str] = set()


def kind(function: Kind) -> Kind:
    KINDS[function.__name__] = function
    return function


def kind_of_16(function: Kind) -> Kind:
    ONLY_16.add(function.__name__)
    return kind(function)


def connect(office: Office, number: str = "102", caller: Telephone | None = None) -> None:
    """Alice calls Bob, who answers."""
    office.bob.answers()
    (caller or office.alice).call(number).until("up")
    office.bob.dialog.until("up")
    office.until_bridged((caller or office.alice).name, "bob")
    office.pause(0.2)


# -- how a call between two can end


@kind
def answered(office: Office) -> None:
    office.alice.call("102").until("ringing")
    office.bob.until_ringing()
    office.pause(0.2)
    office.bob.dialog.answer()
    office.until_bridged("alice", "bob")
    office.pause(0.3)
    office.alice.dialog.hang_up()


@kind
def answered_and_callee_hangs_up(office: Office) -> None:
    connect(office)
    office.bob.dialog.hang_up()


@kind
def busy(office: Office) -> None:
    office.bob.refuses(BUSY)
    office.alice.call("102").until("ended")


@kind
def rejected(office: Office) -> None:
    office.bob.refuses(REJECTED)
    office.alice.call("102").until("ended")


@kind
def rejected_while_it_rings(office: Office) -> None:
    office.alice.call("102")
    office.bob.until_ringing()
    office.pause(0.2)
    office.bob.dialog.refuse(REJECTED)
    office.alice.dialogs[-1].until("ended")


@kind
def congested(office: Office) -> None:
    office.bob.refuses(CONGESTED)
    office.alice.call("102").until("ended")


@kind
def not_found(office: Office) -> None:
    office.bob.refuses(UNKNOWN)
    office.alice.call("102").until("ended")


@kind
def not_there(office: Office) -> None:
    office.bob.refuses(NOT_THERE)
    office.alice.call("102").until("ended")


@kind
def not_registered(office: Office) -> None:
    office.alice.call("106").until("ended")


@kind
def not_answered(office: Office) -> None:
    office.alice.call("112").until("ended")


@kind
def cancelled(office: Office) -> None:
    call = office.alice.call("102")
    office.bob.until_ringing()
    office.pause(0.2)
    call.cancel()
    call.until("ended")


@kind
def answered_elsewhere(office: Office) -> None:
    office.alice.call("102")
    office.bob.until_ringing()
    call = office.alice.dialog
    office.phones.request(
        call, "CANCEL", sequence=call.sequence, branch=call.branch, remote_tag=False,
        extra=[("Reason", "Q.850;cause=26")],
    )  # fmt: skip
    call.until("ended")


@kind
def dialplan_busy(office: Office) -> None:
    office.alice.call("160").until("ended")


@kind
def dialplan_congestion(office: Office) -> None:
    office.alice.call("161").until("ended")


@kind
def dialplan_reject(office: Office) -> None:
    office.alice.call("162").until("ended")


@kind
def dialplan_unallocated(office: Office) -> None:
    office.alice.call("163").until("ended")


@kind
def dialplan_rings_and_caller_gives_up(office: Office) -> None:
    office.alice.call("164").until("ringing")
    office.pause(0.2)
    office.alice.dialog.cancel()


@kind
def menu_that_answers(office: Office) -> None:
    office.alice.call("152").until("up")
    office.pause(0.3)
    office.alice.dialog.hang_up()


@kind
def menu_then_telephone(office: Office) -> None:
    office.alice.call("153").until("up")
    office.bob.until_ringing()
    office.pause(0.2)
    office.bob.dialog.answer()
    office.until_bridged("alice", "bob")
    office.pause(0.2)
    office.bob.dialog.hang_up()


@kind
def menu_then_not_answered(office: Office) -> None:
    office.alice.call("153").until("up")
    office.bob.until_ringing()
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def voicemail_after_no_answer(office: Office) -> None:
    office.alice.call("170").until("up")
    office.pause(0.3)
    office.alice.dialog.hang_up()


@kind
def do_not_disturb(office: Office) -> None:
    office.bob.refuses(BUSY)
    office.carol.call("102").until("ended")


@kind
def call_limit(office: Office) -> None:
    connect(office, "165")
    office.carol.call("165").until("ended")
    office.alice.dialog.hang_up()


@kind
def held(office: Office) -> None:
    connect(office)
    office.alice.dialog.hold()
    office.until_event("Hold")
    office.pause(0.2)
    office.alice.dialog.unhold()
    office.until_event("Unhold")
    office.pause(0.4)
    office.bob.dialog.hold()
    office.pause(0.2)
    office.alice.dialog.hang_up()


# -- several telephones


@kind
def group_answered_by_one(office: Office) -> None:
    office.alice.call("120")
    for phone in (office.bob, office.carol, office.dave):
        phone.until_ringing()
    office.pause(0.2)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def group_where_all_are_busy(office: Office) -> None:
    for phone in (office.bob, office.carol, office.dave):
        phone.refuses(BUSY)
    office.alice.call("120").until("ended")


@kind
def one_after_the_other(office: Office) -> None:
    office.carol.answers()
    office.alice.call("121").until("up")
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.carol.dialog.hang_up()


@kind
def forwarded(office: Office) -> None:
    office.carol.answers()
    office.bob.refuses(
        "302 Moved Temporarily", ("Contact", "<sip:103@127.0.0.1>"), ("Diversion", "<sip:102@127.0.0.1>")
    )
    office.alice.call("102").until("up")
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def picked_up_in_a_group(office: Office) -> None:
    office.alice.call("102")
    office.bob.until_ringing()
    office.pause(0.2)
    office.carol.call("*8").until("up")
    office.pause(0.4)
    office.alice.dialog.hang_up()


@kind
def picked_up_at_a_number(office: Office) -> None:
    office.alice.call("102")
    office.bob.until_ringing()
    office.pause(0.2)
    office.carol.call("**102").until("up")
    office.pause(0.4)
    office.carol.dialog.hang_up()


# -- Local channels


@kind
def local_kept(office: Office) -> None:
    office.alice.answers()
    office.bob.call("131").until("up")
    office.alice.dialog.until("up")
    office.pause(0.4)
    office.bob.dialog.hang_up()


@kind
def local_optimized(office: Office) -> None:
    office.bob.answers()
    office.alice.call("132").until("up")
    office.until_bridged("alice", "bob")
    office.pause(0.4)
    office.alice.dialog.hang_up()


@kind
def local_group(office: Office) -> None:
    office.alice.call("133")
    office.bob.until_ringing()
    office.carol.until_ringing()
    office.carol.dialog.answer()
    office.alice.dialog.until("up")
    office.pause(0.4)
    office.alice.dialog.hang_up()


# -- Originate


@kind
def click_to_call(office: Office) -> None:
    office.alice.answers()
    office.originate("PJSIP/alice", Context="office", Exten="102", Priority=1, CallerID="Click <102>")
    office.bob.until_ringing()
    office.pause(0.2)
    office.bob.dialog.answer()
    office.until_bridged("alice", "bob")
    office.pause(0.2)
    office.bob.dialog.hang_up()


@kind
def click_to_call_by_local(office: Office) -> None:
    office.alice.answers()
    office.originate("Local/101@office", Context="office", Exten="102", Priority=1)
    office.bob.until_ringing()
    office.bob.dialog.answer()
    office.until_bridged("alice", "bob")
    office.pause(0.4)
    office.bob.dialog.hang_up()


@kind
def click_to_call_by_local_kept(office: Office) -> None:
    office.alice.answers()
    office.originate("Local/101@office/n", Context="office", Exten="102", Priority=1)
    office.bob.until_ringing()
    office.bob.dialog.answer()
    office.pause(0.6)
    office.bob.dialog.hang_up()


@kind
def click_to_call_not_answered(office: Office) -> None:
    office.originate("PJSIP/alice", Context="office", Exten="102", Priority=1, Timeout=1000)
    office.alice.until_ringing()
    office.until_event("OriginateResponse")


@kind
def click_to_call_busy(office: Office) -> None:
    office.alice.refuses(BUSY)
    office.originate("PJSIP/alice", Context="office", Exten="102", Priority=1)
    office.until_event("OriginateResponse")


@kind
def click_to_call_and_other_side_is_busy(office: Office) -> None:
    office.alice.answers()
    office.bob.refuses(BUSY)
    office.originate("PJSIP/alice", Context="office", Exten="102", Priority=1)
    office.until_event("OriginateResponse")
    office.pause(0.5)
    office.alice.dialog.hang_up()


@kind
def callback_by_application(office: Office) -> None:
    office.alice.answers()
    office.originate("PJSIP/alice", Application="Dial", Data="PJSIP/bob,20")
    office.bob.until_ringing()
    office.bob.dialog.answer()
    office.until_bridged("alice", "bob")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def announcement(office: Office) -> None:
    office.alice.answers()
    office.originate("PJSIP/alice", Application="Wait", Data="1")
    office.until_event("OriginateResponse")


# -- transfers


@kind
def blind_transfer_by_callee(office: Office) -> None:
    connect(office)
    office.bob.dialog.transfer("103")
    office.carol.until_ringing()
    office.pause(0.2)
    office.bob.dialog.hang_up()
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def blind_transfer_by_caller(office: Office) -> None:
    connect(office)
    office.carol.answers()
    office.alice.dialog.transfer("103")
    office.carol.dialog.until("up")
    office.alice.dialog.hang_up()
    office.until_bridged("bob", "carol")
    office.pause(0.2)
    office.carol.dialog.hang_up()


@kind
def blind_transfer_to_a_busy_one(office: Office) -> None:
    connect(office)
    office.carol.refuses(BUSY)
    office.bob.dialog.transfer("103")
    office.until_event("DialEnd", DialStatus="BUSY")
    office.alice.dialog.hang_up()


@kind
def blind_transfer_to_a_queue(office: Office) -> None:
    connect(office)
    office.bob.rings()
    office.bob.dialog.transfer("140")
    office.until_event("BlindTransfer")
    office.bob.dialog.hang_up()
    office.carol.until_ringing()
    office.pause(0.2)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def blind_transfer_to_a_group(office: Office) -> None:
    connect(office)
    office.bob.rings()
    office.bob.dialog.transfer("120")
    office.until_event("BlindTransfer")
    office.bob.dialog.hang_up()
    office.dave.until_ringing()
    office.pause(0.2)
    office.dave.dialog.answer()
    office.until_bridged("alice", "dave")
    office.pause(0.2)
    office.dave.dialog.hang_up()


@kind
def blind_transfer_by_action(office: Office) -> None:
    connect(office)
    office.carol.answers()
    office.client.ask("BlindTransfer", {"Channel": office.channel_of("alice"), "Context": "office", "Exten": "103"})
    office.until_bridged("bob", "carol")
    office.pause(0.2)
    office.bob.dialog.hang_up()


@kind
def redirected(office: Office) -> None:
    connect(office)
    office.carol.answers()
    channel = office.channel_of("alice")
    office.client.ask("Redirect", {"Channel": channel, "Context": "office", "Exten": "103", "Priority": 1})
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def both_redirected_to_a_conference(office: Office) -> None:
    connect(office)
    one, two = office.channel_of("alice"), office.channel_of("bob")
    where = {"Context": "office", "Exten": "150", "Priority": 1}
    extra = {f"Extra{name}": value for name, value in where.items()}
    office.client.ask("Redirect", {"Channel": one, "ExtraChannel": two, **where, **extra})
    office.until_bridged("alice", "bob")
    office.pause(0.3)
    office.alice.dialog.hang_up()
    office.pause(0.2)
    office.bob.dialog.hang_up()


def consult(office: Office) -> None:
    """Bob, who speaks with Alice, asks Carol."""
    connect(office)
    office.bob.dialog.hold()
    office.bob.call("103")
    office.carol.until_ringing()
    office.pause(0.2)


@kind
def attended_transfer_by_callee(office: Office) -> None:
    consult(office)
    first, second = office.bob.dialogs
    office.carol.dialog.answer()
    second.until("up")
    office.until_bridged("bob", "carol")
    office.pause(0.2)
    first.transfer_to(second)
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def attended_transfer_by_caller(office: Office) -> None:
    connect(office)
    office.alice.dialog.hold()
    office.carol.answers()
    office.alice.call("103").until("up")
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    first, second = office.alice.dialogs
    first.transfer_to(second)
    office.until_bridged("bob", "carol")
    office.pause(0.2)
    office.carol.dialog.hang_up()


@kind
def attended_transfer_given_up(office: Office) -> None:
    consult(office)
    first, second = office.bob.dialogs
    second.cancel()
    second.until("ended")
    first.unhold()
    office.pause(0.3)
    first.hang_up()


@kind
def blonde_transfer(office: Office) -> None:
    """Transferred while the third telephone rings."""
    consult(office)
    first, second = office.bob.dialogs
    first.transfer_to(second)
    office.pause(0.5)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def blonde_transfer_not_answered(office: Office) -> None:
    consult(office)
    first, second = office.bob.dialogs
    first.transfer_to(second)
    office.pause(0.5)
    office.alice.dialog.hang_up()


@kind
def attended_transfer_to_a_menu(office: Office) -> None:
    connect(office)
    office.bob.dialog.hold()
    office.bob.call("152").until("up")
    office.pause(0.2)
    first, second = office.bob.dialogs
    first.transfer_to(second)
    office.pause(0.4)
    office.alice.dialog.hang_up()


@kind
def attended_transfer_to_a_queue(office: Office) -> None:
    connect(office)
    office.bob.dialog.hold()
    office.bob.call("140").until("up")
    office.carol.until_ringing()
    office.pause(0.2)
    first, second = office.bob.dialogs
    first.transfer_to(second)
    office.pause(0.3)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def attended_transfer_by_feature(office: Office) -> None:
    connect(office)
    office.carol.answers()
    office.client.ask("Atxfer", {"Channel": office.channel_of("bob"), "Context": "office", "Exten": "103"})
    office.carol.dialog.until("up")
    office.pause(0.6)
    office.bob.dialog.hang_up()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.carol.dialog.hang_up()


@kind
def blonde_transfer_by_feature(office: Office) -> None:
    connect(office)
    office.client.ask("Atxfer", {"Channel": office.channel_of("bob"), "Context": "office", "Exten": "103"})
    office.carol.until_ringing()
    office.pause(0.3)
    office.bob.dialog.hang_up()
    office.pause(0.4)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


# -- parking


@kind
def parked_and_taken(office: Office) -> None:
    connect(office)
    office.client.ask("Park", {"Channel": office.channel_of("alice"), "TimeoutChannel": office.channel_of("bob")})
    parked = office.until_event("ParkedCall")
    office.pause(0.3)
    office.carol.call(original(parked, "ParkingSpace")).until("up")
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.carol.dialog.hang_up()


@kind
def parked_and_hung_up(office: Office) -> None:
    office.alice.call("151").until("up")
    office.until_event("ParkedCall")
    office.pause(0.3)
    office.alice.dialog.hang_up()


@kind
def parked_by_transfer(office: Office) -> None:
    connect(office)
    office.bob.dialog.transfer("700")
    office.until_event("ParkedCall")
    office.bob.dialog.hang_up()
    office.pause(0.3)
    office.alice.dialog.hang_up()


@kind
def parked_too_long(office: Office) -> None:
    connect(office)
    office.bob.dialog.transfer("700")
    office.until_event("ParkedCall")
    office.bob.dialog.hang_up()
    office.bob.rings()
    office.until_event("ParkedCallTimeOut")
    office.bob.until_ringing().answer()
    office.until_bridged("alice", "bob")
    office.pause(0.2)
    office.alice.dialog.hang_up()


# -- conferences


@kind
def conference(office: Office) -> None:
    for phone in (office.alice, office.bob, office.carol):
        phone.call("150").until("up")
        office.pause(0.3)
    office.alice.dialog.hang_up()
    office.pause(0.2)
    office.bob.dialog.hang_up()
    office.carol.dialog.hang_up()


@kind
def blind_transfer_to_a_conference(office: Office) -> None:
    office.carol.call("150").until("up")
    connect(office)
    office.bob.dialog.transfer("150")
    office.until_event("BlindTransfer")
    office.bob.dialog.hang_up()
    office.until_bridged("alice", "carol")
    office.pause(0.3)
    office.alice.dialog.hang_up()
    office.carol.dialog.hang_up()


@kind
def conference_that_calls_by_local(office: Office) -> None:
    office.alice.call("150").until("up")
    office.bob.answers()
    office.originate("Local/102@office/n", Context="office", Exten="150", Priority=1)
    office.bob.dialog.until("up")
    office.pause(0.5)
    office.bob.dialog.hang_up()
    office.pause(0.3)
    office.alice.dialog.hang_up()


# -- what brings channels together in other ways


@kind
def bridged_by_action(office: Office) -> None:
    office.alice.call("152").until("up")
    office.carol.call("152").until("up")
    one, two = office.channel_of("alice"), office.channel_of("carol")
    office.client.ask("Bridge", {"Channel1": one, "Channel2": two})
    office.until_bridged("alice", "carol")
    office.pause(0.3)
    office.alice.dialog.hang_up()
    office.carol.dialog.hang_up()


@kind
def paged(office: Office) -> None:
    office.bob.answers()
    office.carol.answers()
    office.alice.call("182").until("up")
    office.pause(0.6)
    office.alice.dialog.hang_up()


@kind
def listened_to(office: Office) -> None:
    connect(office)
    office.carol.call("183").until("up")
    office.pause(0.3)
    office.carol.dialog.hang_up()
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def picked_up_from_a_queue(office: Office) -> None:
    office.alice.call("140").until("up")
    office.bob.until_ringing()
    office.pause(0.3)
    office.dave.call("*8").until("up")
    office.until_bridged("alice", "dave")
    office.pause(0.3)
    office.alice.dialog.hang_up()


# -- queues


@kind
def queue_answered(office: Office) -> None:
    office.alice.call("140").until("up")
    office.bob.until_ringing()
    office.carol.until_ringing()
    office.pause(0.3)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.3)
    office.carol.dialog.hang_up()


@kind
def queue_abandoned(office: Office) -> None:
    office.alice.call("140").until("up")
    office.bob.until_ringing()
    office.pause(0.3)
    office.alice.dialog.hang_up()


@kind
def queue_timeout(office: Office) -> None:
    office.alice.call("142").until("ended")


@kind
def queue_members_in_turn(office: Office) -> None:
    office.carol.answers()
    office.alice.call("143").until("up")
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def queue_member_refuses(office: Office) -> None:
    office.bob.refuses(BUSY)
    office.alice.call("140").until("up")
    office.carol.until_ringing()
    office.pause(0.2)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()


@kind
def queue_by_local_kept_and_optimized(office: Office) -> None:
    office.alice.call("141").until("up")
    office.bob.until_ringing()
    office.carol.until_ringing()
    office.pause(0.2)
    office.bob.dialog.answer()
    office.pause(0.5)
    office.alice.dialog.hang_up()


@kind
def queue_by_local_optimized(office: Office) -> None:
    office.alice.call("141").until("up")
    office.bob.until_ringing()
    office.carol.until_ringing()
    office.pause(0.2)
    office.carol.dialog.answer()
    office.until_bridged("alice", "carol")
    office.pause(0.5)
    office.carol.dialog.hang_up()


@kind
def queue_with_three_callers(office: Office) -> None:
    callers = (office.alice, office.dave, office.trunk)
    for phone in callers:
        phone.call("140").until("up")
        office.pause(0.1)
    office.dave.dialog.hang_up()
    office.pause(0.2)
    office.bob.until_ringing().answer()
    office.until_bridged("alice", "bob")
    office.carol.until_ringing().answer()
    office.until_bridged("trunk", "carol")
    office.pause(0.2)
    office.alice.dialog.hang_up()
    office.trunk.dialog.hang_up()


@kind
def queue_members_pause_come_and_go(office: Office) -> None:
    for action, more in (
        ("QueuePause", {"Paused": "true", "Reason": "lunch"}),
        ("QueuePause", {"Paused": "false"}),
        ("QueuePenalty", {"Penalty": "5"}),
    ):
        office.client.ask(action, {"Queue": "support", "Interface": "PJSIP/bob", **more})
    office.client.ask("QueueAdd", {"Queue": "support", "Interface": "PJSIP/dave", "MemberName": "Dave", "Penalty": "2"})
    office.client.ask("QueueRemove", {"Queue": "support", "Interface": "PJSIP/dave"})
    office.client.ask("QueuePenalty", {"Queue": "support", "Interface": "PJSIP/bob", "Penalty": "0"})
    office.pause(0.2)


# -- of chan_sip


@kind_of_16
def sip_answered(office: Office) -> None:
    sam, sue, _ = office.telephones("SIP", SIP_NAMES)
    office.client.action("Setvar", {"Variable": "BOB", "Value": "SIP/sue"})
    sue.answers()
    sam.call("102").until("up")
    office.until_bridged("sam", "sue")
    office.pause(0.2)
    sam.dialog.hang_up()
    office.client.action("Setvar", {"Variable": "BOB", "Value": "PJSIP/bob"})


@kind_of_16
def sip_blind_transfer(office: Office) -> None:
    sam, _, _ = office.telephones("SIP", SIP_NAMES)
    connect(office, caller=sam)
    office.carol.answers()
    sam.dialog.transfer("103")
    office.carol.dialog.until("up")
    office.until_bridged("bob", "carol")
    office.pause(0.2)
    office.bob.dialog.hang_up()


@kind_of_16
def sip_attended_transfer(office: Office) -> None:
    sam, _, _ = office.telephones("SIP", SIP_NAMES)
    connect(office, caller=sam)
    sam.dialog.hold()
    office.carol.answers()
    sam.call("103").until("up")
    office.until_bridged("sam", "carol")
    office.pause(0.2)
    first, second = sam.dialogs
    first.transfer_to(second)
    office.until_bridged("bob", "carol")
    office.pause(0.2)
    office.carol.dialog.hang_up()


@kind_of_16
def sip_held(office: Office) -> None:
    sam, _, _ = office.telephones("SIP", SIP_NAMES)
    connect(office, caller=sam)
    sam.dialog.hold()
    office.pause(0.3)
    sam.dialog.unhold()
    office.pause(0.3)
    sam.dialog.hang_up()


@contextmanager
def open_office(version: str) -> Iterator[Office]:
    """An office of its own, with an Asterisk of that version."""
    with ExitStack() as stack:
        phones = stack.enter_context(Telephones())
        server = stack.enter_context(AsteriskServer(version, config="office", PHONE_PORT=phones.port))
        client = stack.enter_context(Client(server))
        client.connect()
        yield Office(server, phones, client)


def kinds_of(version: str) -> list[str]:
    """The names of the kinds of calls that a version knows."""
    return [name for name in KINDS if version == "16" or name not in ONLY_16]


def make(office: Office, name: str) -> None:
    """Make a call of that kind, from the first event to the last."""
    office.client.events.clear()
    try:
        KINDS[name](office)
        office.until_quiet()
    finally:
        office.phones.rest()
        office.client.hang_up_all()


class Keeper:
    """Keeps the events of one call as a recording does."""

    def __init__(self, office: Office) -> None:
        self.records: list[Record] = []
        self._reactor = office.client.reactor
        self._began = self._reactor.time()

    def __call__(self, conn: Connection, packet: Packet) -> None:
        if packet.event_name not in ("testevent", "rtcpsent", "rtcpreceived"):
            at = round(self._reactor.time() - self._began, 3)
            self.records.append(Record(at, "server", packet.raw + b"\r\n\r\n"))


def record(directory: Path, version: str, names: list[str]) -> None:
    """Record calls, one file each."""
    with open_office(version) as office:
        office.pause(4)  # until all telephones were asked whether they live
        for name in kinds_of(version):
            if names and name not in names:
                continue
            keeper = Keeper(office)
            office.client.pool.on("event", keeper)
            make(office, name)
            office.client.pool.off("event", keeper)
            Recording(keeper.records, {"server": f"Asterisk {version}"}).save(
                str(directory / f"{name}.{version}.jsonl")
            )
            print(version, name, len(keeper.records), flush=True)


if __name__ == "__main__":
    given = sys.argv[2:]
    for one in [word for word in given if word.isdigit()] or ["16", "22"]:
        record(Path(sys.argv[1]), one, [word for word in given if not word.isdigit()])
