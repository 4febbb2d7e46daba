"""The meanings of Asterisk's numbers: an enum for each kind of code, with the number and words.

::

    cause = HangupCause.of(event["cause"])  # None for a number that Asterisk has no name for
    if cause is HangupCause.USER_BUSY:
        print(cause.words, int(cause))      # user busy 17

Names and numbers are Asterisk's own; the words are ours.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Optional, Union

from .._engine.text import whole_number
from ..errors import ORIGINATE_REASONS

if TYPE_CHECKING:
    from typing_extensions import Self

_NOT_IN_NAMES = re.compile("[^a-z0-9]")


class Code(IntEnum):
    """A number of Asterisk's and its meaning.

    Attributes:
        words: the meaning, in words.
    """

    words: str

    def __new__(cls, number: int, words: str = "") -> Self:
        made = int.__new__(cls, number)
        made._value_ = number
        made.words = words
        return made

    def __init__(self, number: int, words: str = "") -> None:
        self.words = words or self.name.replace("_", " ").lower()

    @classmethod
    def of(cls, value: Union[str, int, None]) -> Optional[Self]:
        """Return the code of a number, or of a number or name as servers send it, in any case. None for others.

        It never raises, so ``event.get("state")`` can be passed directly.
        """
        if isinstance(value, str):
            number = whole_number(value)
            if number is None:
                folded = _fold(value)
                return next((code for code in cls if folded in (_fold(code.name), _fold(code.words))), None)
            value = number
        return next((code for code in cls if code.value == value), None)


def _fold(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.lower())


class HangupCause(Code):
    """Why a channel was hung up: ``Cause`` of Hangup and others.

    Q.850's numbers, and 0 of Asterisk's own. Source: Asterisk include/asterisk/causes.h.
    """

    NOTDEFINED = 0, "not defined"
    UNALLOCATED = 1, "unallocated number"
    NO_ROUTE_TRANSIT_NET = 2, "no route to the transit network"
    NO_ROUTE_DESTINATION = 3, "no route to the destination"
    MISDIALLED_TRUNK_PREFIX = 5, "misdialled trunk prefix"
    CHANNEL_UNACCEPTABLE = 6, "channel unacceptable"
    CALL_AWARDED_DELIVERED = 7, "call awarded and delivered"
    PRE_EMPTED = 8, "preempted"
    NUMBER_PORTED_NOT_HERE = 14, "number ported to elsewhere"
    NORMAL_CLEARING = 16, "normal clearing"
    USER_BUSY = 17, "user busy"
    NO_USER_RESPONSE = 18, "no response from the user"
    NO_ANSWER = 19, "no answer"
    SUBSCRIBER_ABSENT = 20, "subscriber absent"
    CALL_REJECTED = 21, "call rejected"
    NUMBER_CHANGED = 22, "number changed"
    REDIRECTED_TO_NEW_DESTINATION = 23, "redirected to a new destination"
    ANSWERED_ELSEWHERE = 26, "answered elsewhere"
    DESTINATION_OUT_OF_ORDER = 27, "destination out of order"
    INVALID_NUMBER_FORMAT = 28, "invalid number format"
    FACILITY_REJECTED = 29, "facility rejected"
    RESPONSE_TO_STATUS_ENQUIRY = 30, "response to a status enquiry"
    NORMAL_UNSPECIFIED = 31, "normal, unspecified"
    NORMAL_CIRCUIT_CONGESTION = 34, "circuit congestion"
    NETWORK_OUT_OF_ORDER = 38, "network out of order"
    NORMAL_TEMPORARY_FAILURE = 41, "temporary failure"
    SWITCH_CONGESTION = 42, "switch congestion"
    ACCESS_INFO_DISCARDED = 43, "access information discarded"
    REQUESTED_CHAN_UNAVAIL = 44, "requested channel unavailable"
    FACILITY_NOT_SUBSCRIBED = 50, "facility not subscribed to"
    OUTGOING_CALL_BARRED = 52, "outgoing call barred"
    INCOMING_CALL_BARRED = 54, "incoming call barred"
    BEARERCAPABILITY_NOTAUTH = 57, "bearer capability not authorized"
    BEARERCAPABILITY_NOTAVAIL = 58, "bearer capability not available"
    BEARERCAPABILITY_NOTIMPL = 65, "bearer capability not implemented"
    CHAN_NOT_IMPLEMENTED = 66, "channel type not implemented"
    FACILITY_NOT_IMPLEMENTED = 69, "facility not implemented"
    INVALID_CALL_REFERENCE = 81, "invalid call reference"
    INCOMPATIBLE_DESTINATION = 88, "incompatible destination"
    INVALID_MSG_UNSPECIFIED = 95, "invalid message, unspecified"
    MANDATORY_IE_MISSING = 96, "mandatory information element missing"
    MESSAGE_TYPE_NONEXIST = 97, "no such message type"
    WRONG_MESSAGE = 98, "message in a wrong state"
    IE_NONEXIST = 99, "no such information element"
    INVALID_IE_CONTENTS = 100, "invalid information element"
    WRONG_CALL_STATE = 101, "wrong call state"
    RECOVERY_ON_TIMER_EXPIRE = 102, "recovery after a timer"
    MANDATORY_IE_LENGTH_ERROR = 103, "mandatory information element of a wrong length"
    PROTOCOL_ERROR = 111, "protocol error"
    INTERWORKING = 127, "interworking, unspecified"


class ChannelState(Code):
    """The state of a channel: ``ChannelState``, and as a word ``ChannelStateDesc``.

    Sources: Asterisk include/asterisk/channelstate.h; main/channel.c, ast_state2str.
    """

    DOWN = 0, "down"
    RSRVD = 1, "reserved"
    OFFHOOK = 2, "off hook"
    DIALING = 3, "dialing"
    RING = 4, "ring"
    RINGING = 5, "ringing"
    UP = 6, "up"
    BUSY = 7, "busy"
    DIALING_OFFHOOK = 8, "dialing off hook"
    PRERING = 9, "pre-ring"


class DeviceState(Code):
    """The state of a device: ``State`` of DeviceStateChange, as a name, and ``Status`` of queue members, as a number.

    Sources: Asterisk include/asterisk/devicestate.h; main/devicestate.c, ast_devstate_str.
    """

    UNKNOWN = 0, "unknown"
    NOT_INUSE = 1, "not in use"
    INUSE = 2, "in use"
    BUSY = 3, "busy"
    INVALID = 4, "invalid"
    UNAVAILABLE = 5, "unavailable"
    RINGING = 6, "ringing"
    RINGINUSE = 7, "ringing and in use"
    ONHOLD = 8, "on hold"


#: ``Status`` of QueueMember, QueueMemberStatus and similar events: that of the member's device (Asterisk
#: apps/app_queue.c).
QueueMemberStatus = DeviceState


class PresenceState(Code):
    """A person's own presence: ``State`` of PresenceState, ``Status`` of PresenceStateChange and others.

    Servers send the name. Source: Asterisk include/asterisk/presencestate.h; main/presencestate.c.
    """

    NOT_SET = 0, "not set"
    UNAVAILABLE = 1, "unavailable"
    AVAILABLE = 2, "available"
    AWAY = 3, "away"
    XA = 4, "away for long"
    CHAT = 5, "wants to chat"
    DND = 6, "do not disturb"
    INVALID = 7, "invalid"


class ExtensionState(Code):
    """The state of an extension with a hint: ``Status`` of ExtensionStatus and of the answer to ExtensionState.

    Source: Asterisk include/asterisk/pbx.h, ast_extension_states.
    """

    REMOVED = -2, "removed"
    DEACTIVATED = -1, "hint removed"
    NOT_INUSE = 0, "not in use"
    INUSE = 1, "in use"
    BUSY = 2, "busy"
    UNAVAILABLE = 4, "unavailable"
    RINGING = 8, "ringing"
    RINGINUSE = 9, "ringing and in use"
    ONHOLD = 16, "on hold"
    HELDINUSE = 17, "on hold and in use"


class OriginateReason(Code):
    """How a call of the action Originate ended: ``Reason`` of OriginateResponse.

    The numbers are those of control frames, or 0. Sources: Asterisk include/asterisk/frame.h, ast_control_frame_type;
    main/pbx.c, pbx_outgoing_attempt.
    """

    FAILURE = 0, ORIGINATE_REASONS[0]
    HANGUP = 1, ORIGINATE_REASONS[1]
    RINGING = 3, ORIGINATE_REASONS[3]
    ANSWER = 4, "answered"
    BUSY = 5, ORIGINATE_REASONS[5]
    CONGESTION = 8, ORIGINATE_REASONS[8]
