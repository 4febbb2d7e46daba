"""Detects repeated messages and gaps. No I/O here."""

from __future__ import annotations

from collections import OrderedDict
from typing import Optional

from .envelope import Envelope, Gap

#: How many epochs are remembered per server. A repeated message belongs to the last epoch, or to one just before it.
_EPOCHS = 16


class Reading:
    """Follows the keys of the messages of all servers."""

    def __init__(self) -> None:
        self._servers: dict[str, OrderedDict[str, int]] = {}  # server -> epoch -> last seq

    def take(self, envelope: Envelope) -> Optional[list[Gap]]:
        """Return the gaps to report before this message. None if it is a repeat that must be dropped.

        If the beginning of a new epoch is missing, the count is known only if an earlier epoch was seen.
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
