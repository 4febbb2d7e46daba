"""A callback-style, event-loop client library for the Asterisk Manager Interface (AMI)."""

from ._version import __version__
from .callbacks import PriorityQueueCallbacks, StackCallbacks
from .connection import Connection
from .errors import (
    ActionFailed,
    ActionTimeout,
    AMIError,
    ConnectFailed,
    ConnectionFinished,
    ConnectionLost,
    ConnectTimeout,
    LimitReached,
    LoginRefused,
    LoginTimeout,
    NoServer,
    ProtocolError,
    SilenceTimeout,
    Timeout,
    TLSFailed,
)
from .events import EventHandlers
from .loop import Loop
from .options import Options
from .packet import Packet, unescape
from .pool import Pool
from .quirks import Quirk
from .reactor import Reactor
from .state import State
from .stats import Stats
from .url import ServerURL

__all__ = [
    "AMIError",
    "ActionFailed",
    "ActionTimeout",
    "ConnectFailed",
    "ConnectTimeout",
    "Connection",
    "ConnectionFinished",
    "ConnectionLost",
    "EventHandlers",
    "LimitReached",
    "LoginRefused",
    "LoginTimeout",
    "Loop",
    "NoServer",
    "Options",
    "Packet",
    "Pool",
    "PriorityQueueCallbacks",
    "ProtocolError",
    "Quirk",
    "Reactor",
    "ServerURL",
    "SilenceTimeout",
    "StackCallbacks",
    "State",
    "Stats",
    "TLSFailed",
    "Timeout",
    "__version__",
    "unescape",
]
