"""For testing programs that use ami_client: an embedded server, fake sockets, selector, clock."""

from .fake_asterisk import FakeAsterisk
from .fakes import FakeClock, FakeSelector, FakeSocket

__all__ = ["FakeAsterisk", "FakeClock", "FakeSelector", "FakeSocket"]
