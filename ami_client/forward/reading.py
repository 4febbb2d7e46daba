"""Which messages are new, which are repeats, and where some are missing. No I/O here."""

from __future__ import annotations

from collections import OrderedDict
from typing import Optional

from .envelope import Envelope, Gap

#: Epochs that are remembered for each server. A message that comes again is of the last one, or of one just before it.
_EPOCHS = 16


class Reading:
    """Follows the keys of the messages of all servers."""

    def __init__(self) -> None:
        self._servers: dict[str, OrderedDict[str, int]] = {}  # server to epoch to the last seq

    def take(self, envelope: Envelope) -> Optional[list[Gap]]:
        """What is to be told before this message; None if it was there before, and is to be dropped.

        In a new epoch whose beginning is not there, what is missing cannot be known unless an earlier one was seen.
        """
        epochs = self._servers.setdefault(envelope.server, OrderedDict())
        is_first = not epochs
        last = epochs.get(envelope.epoch)
        if last is not None and envelope.seq <= last:
            return None
        epochs[envelope.epoch] = envelope.seq
        epochs.move_to_end(envelope.epoch)
        while len(epochs) > _EPOCHS:
            epochs.popitem(last=False)
        if last is None and is_first:
            return []
        missing = envelope.seq - (last or 0) - 1
        return [Gap(missing, "missing", envelope.server)] if missing else []
