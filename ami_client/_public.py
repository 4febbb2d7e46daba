"""The public names of the package, which :mod:`ami_client` has from here."""

from ._engine.packet import Packet
from ._engine.quirks import Quirk
from ._engine.state import State
from ._engine.text import unescape
from ._version import __version__
from .callbacks import PriorityQueueCallbacks, StackCallbacks
from .connection import Connection
from .emitter import EventHandlers
from .errors import (
    ActionFailed,
    ActionTimeout,
    AMIError,
    Cancelled,
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
from .filters import Filter
from .loop import Loop
from .options import Options
from .pool import Pool
from .reactor import Reactor
from .signatures import ConnectionCallback, EventHandler, ListCallback, OneArgumentCallback, PacketCallback
from .stats import Stats
from .url import ServerURL

__all__ = [
    "AMIError",
    "ActionFailed",
    "ActionTimeout",
    "Cancelled",
    "ConnectFailed",
    "ConnectTimeout",
    "Connection",
    "ConnectionCallback",
    "ConnectionFinished",
    "ConnectionLost",
    "EventHandler",
    "EventHandlers",
    "Filter",
    "LimitReached",
    "ListCallback",
    "LoginRefused",
    "LoginTimeout",
    "Loop",
    "NoServer",
    "OneArgumentCallback",
    "Options",
    "Packet",
    "PacketCallback",
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
