"""Tools for testing programs that use ami_client: an embedded server, simulated time and network, recordings."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .caller import CallRecorder, CallRecording, FakeCaller, ReplayingCaller
    from .fake_asterisk import FakeAsterisk
    from .fake_socket import FakeSocket, NothingCanHappen
    from .fakes import FakeClock, FakeSelector
    from .recorder import Recorder
    from .recording import Recording
    from .simulation import SimulatedReactor

__all__ = [
    "CallRecorder",
    "CallRecording",
    "FakeAsterisk",
    "FakeCaller",
    "FakeClock",
    "FakeSelector",
    "FakeSocket",
    "NothingCanHappen",
    "Recorder",
    "Recording",
    "ReplayingCaller",
    "SimulatedReactor",
]

_HOMES = {
    "CallRecorder": "caller",
    "CallRecording": "caller",
    "FakeCaller": "caller",
    "ReplayingCaller": "caller",
    "FakeAsterisk": "fake_asterisk",
    "FakeClock": "fakes",
    "FakeSelector": "fakes",
    "FakeSocket": "fake_socket",
    "NothingCanHappen": "fake_socket",
    "Recorder": "recorder",
    "Recording": "recording",
    "SimulatedReactor": "simulation",
}

if not TYPE_CHECKING:  # where type checkers see it, any name would pass
    # Imported on first use: pytest loads this package's plugin in every project, but few use it.
    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
