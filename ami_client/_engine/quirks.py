"""Actions whose answers break the protocol's rules. No I/O here."""

from __future__ import annotations

from typing import Union

from .._record import Record, fields
from .text import TRIMMED, ascii_lower


class Quirk(Record):
    """How the answer to an action breaks the rules.

    Regular answers are a single Response, or a list from ``EventList: start`` to ``EventList: Complete``.

    Pass a quirk to :meth:`~ami_client.Connection.action` for an action of a module that this library does not know.

    Attributes:
        raw_text: the server answers with text and without a Response. A Ping after the action shows where the text
            ends. The lines are in ``packet.output``.
        single_event: one event follows the Response, without a list marker. It is in ``packet.events``.
        merged_entries: the blank lines between the entries of a list are missing. Each ``Event`` line starts an entry.
        ends_with: the name of the event that ends a list without list markers. Case is ignored.
        anonymous_entry: the name of list entries without an ActionID. Case is ignored.
        gathers_events: every event before the end belongs to the answer, and is also emitted.
        logs_off: the answer is a Goodbye, and the last one of the session.
    """

    raw_text: bool = False
    single_event: bool = False
    merged_entries: bool = False
    ends_with: str = ""
    anonymous_entry: str = ""
    gathers_events: bool = False
    logs_off: bool = False

    def __post_init__(self) -> None:
        for one in fields(self):
            value, wanted = getattr(self, one.name), type(one.default)
            if not isinstance(value, wanted):
                raise TypeError(f"{one.name} of a quirk must be a {wanted.__name__}, not {type(value).__name__}")
            if isinstance(value, str):
                vars(self)[one.name] = ascii_lower(value.strip(TRIMMED))


REGULAR = Quirk()

# By action name in lower case. Those without a version were seen live on 16 and 22, and in their source.
QUIRKS: dict[str, Quirk] = {
    "dbget": Quirk(single_event=True),  # app_db.c up to 13.1; since then it is a regular list of one
    "faxsession": Quirk(single_event=True),  # res_fax.c, manager_fax_session
    "faxstats": Quirk(single_event=True),  # res_fax.c, manager_fax_stats
    "iaxnetstats": Quirk(raw_text=True),  # chan_iax2.c, manager_iax2_show_netstats
    "iaxpeers": Quirk(anonymous_entry="peerentry"),  # chan_iax2.c, manager_iax2_show_peers
    "logoff": Quirk(logs_off=True),  # manager.c, action_logoff
    "queues": Quirk(raw_text=True),  # app_queue.c up to 13, manager_queues_show
    "skinnydevices": Quirk(merged_entries=True),  # chan_skinny.c of 16, manager_skinny_show_devices
    "skinnylines": Quirk(merged_entries=True),  # chan_skinny.c of 16, manager_skinny_show_lines
    "skinnyshowdevice": Quirk(raw_text=True),  # chan_skinny.c of 16
    "skinnyshowline": Quirk(raw_text=True),  # chan_skinny.c of 16
    "waitevent": Quirk(ends_with="waiteventcomplete", gathers_events=True),  # manager.c, action_waitevent
}

# Asterisk's own lists in which every entry and the end have the ActionID. All were seen live on 16 and 22, except
# MWIGet and MeetMe's, which were read in their source (res_mwi_external_ami.c, app_meetme.c). In these lists, an Event
# line without the ActionID is text that somebody else has put into a value, so it does not start an entry.
WITH_IDS = frozenset(
    [
        "agents",
        "bridgeinfo",
        "bridgelist",
        "bridgetechnologylist",
        "confbridgelist",
        "confbridgelistrooms",
        "coreshowchannelmap",
        "coreshowchannels",
        "dahdishowchannels",
        "dbget",
        "dbgettree",
        "devicestatelist",
        "extensionstatelist",
        "faxsessions",
        "hangup",
        "iaxpeerlist",
        "iaxregistry",
        "meetmelist",
        "meetmelistrooms",
        "mwiget",
        "parkedcalls",
        "parkinglots",
        "pjsipshowaors",
        "pjsipshowauths",
        "pjsipshowcontacts",
        "pjsipshowendpoint",
        "pjsipshowendpoints",
        "pjsipshowmaintenance",
        "pjsipshowregistrationinboundcontactstatuses",
        "pjsipshowregistrationsinbound",
        "pjsipshowregistrationsoutbound",
        "pjsipshowresourcelists",
        "pjsipshowsubscriptionsinbound",
        "pjsipshowsubscriptionsoutbound",
        "presencestatelist",
        "prishowspans",
        "queuestatus",
        "queuesummary",
        "showdialplan",
        "sippeers",
        "sippeerstatus",
        "sipshowregistry",
        "status",
        "voicemailboxsummary",
        "voicemailuserslist",
        "voicemailuserstatus",
    ]
)


def quirk_of(action: str) -> Quirk:
    """Return the known quirk of an action, or the regular one."""
    return QUIRKS.get(ascii_lower(action), REGULAR)


def as_quirk(quirk: Union[str, Quirk]) -> Quirk:
    """Return a quirk. It may be given by the name of a flag. Raises TypeError or ValueError for anything else."""
    if isinstance(quirk, Quirk):
        return quirk
    if not isinstance(quirk, str):
        raise TypeError(f"quirk must be a Quirk or the name of one of its flags, not {type(quirk).__name__}")
    flags = [one.name for one in fields(Quirk) if one.default is False]
    if quirk not in flags:
        raise ValueError(f"unknown quirk {quirk!r}; use one of {', '.join(flags)}, or a Quirk")
    return REGULAR.replace(**{quirk: True})


def puts_ids_into_entries(action: str) -> bool:
    """Return whether every entry of the action's list is known to have the ActionID."""
    return ascii_lower(action) in WITH_IDS
