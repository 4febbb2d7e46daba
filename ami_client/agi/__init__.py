"""AGI: your program controls the call. AsyncAGI over AMI, and a FastAGI server, with one class of calls for both."""

from .async_agi import AsyncAGI
from .call import Call
from .errors import CallEnded, CommandFailed, CommandTimeout, HungUp
from .fast_agi import FastAGI
from .menus import Entry
from .pending import Pending
from .protocol import Environment, Reply
from .threads import BlockingCall

__all__ = [
    "AsyncAGI",
    "BlockingCall",
    "Call",
    "CallEnded",
    "CommandFailed",
    "CommandTimeout",
    "Entry",
    "Environment",
    "FastAGI",
    "HungUp",
    "Pending",
    "Reply",
]
