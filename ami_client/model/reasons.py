"""Why a call ended, in words for people. No I/O here.

Sources: Asterisk apps/app_dial.c (DIALSTATUS), apps/app_queue.c (QUEUESTATUS), include/asterisk/causes.h.
"""

from __future__ import annotations

from .live import LiveCall

COMPLETED, LOST, ABANDONED = "completed", "lost", "abandoned"

_ELSEWHERE = 26

_BY_CAUSE = {
    1: "unavailable",  # unallocated number
    2: "unavailable",  # no route
    3: "unavailable",
    17: "busy",
    18: "no-answer",  # no response
    19: "no-answer",  # rang, nobody answered
    20: "unavailable",  # not registered
    21: "rejected",
    22: "unavailable",  # number changed
    _ELSEWHERE: "answered-elsewhere",
    27: "unavailable",  # out of order
    28: "unavailable",  # invalid number
    34: "congestion",
    38: "congestion",
    41: "congestion",
    42: "congestion",
    44: "congestion",
    50: "unavailable",
    55: "rejected",
    57: "rejected",
    58: "congestion",
}

_BY_STATUS = {
    "ANSWER": COMPLETED,
    "BUSY": "busy",
    "CANCEL": "cancelled",
    "CHANUNAVAIL": "unavailable",
    "CONGESTION": "congestion",
    "DONTCALL": "rejected",
    "INVALIDARGS": "unavailable",
    "NOANSWER": "no-answer",
    "TORTURE": "rejected",
}

# What a queue reported of a caller that left it.
BY_QUEUE_STATUS = {
    "TIMEOUT": "no-answer",
    "FULL": "congestion",
    "JOINEMPTY": "unavailable",
    "JOINUNAVAIL": "unavailable",
    "LEAVEEMPTY": "unavailable",
    "LEAVEUNAVAIL": "unavailable",
}

# These only mean that nobody answered; the phones' own results say more.
_VAGUE = ("NOANSWER", "CHANUNAVAIL")


def reason_of(call: LiveCall) -> str:
    """Return why a call has ended. All its channels were seen to end."""
    if call.has_talked:
        return COMPLETED
    if call.outcome:
        return call.outcome
    if call.cause == _ELSEWHERE:
        return _BY_CAUSE[_ELSEWHERE]
    status = call.dial_status
    if status in _VAGUE or (not status and not call.was_up):
        for cause in reversed(call.causes):
            # A phone that stopped ringing because another one was answered says nothing here.
            if cause in _BY_CAUSE and cause != _ELSEWHERE:
                return _BY_CAUSE[cause]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if call.was_up:
        return COMPLETED
    return _BY_CAUSE.get(call.cause, "no-answer" if call.causes else "cancelled")


def reason_of_merged(call: LiveCall) -> str:
    """Return why a call has ended whose channels are now part of another one.

    Somebody who lets go while the third phone rings has cancelled their own call, whatever happens to the other one.
    """
    return COMPLETED if call.has_talked or call.was_up else "cancelled"
