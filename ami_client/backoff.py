"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random


def backoff_delay(attempt: int, base: float, longest: float) -> float:
    """Seconds before attempt number ``attempt`` (from 1): exponential back-off with full jitter.

    Chosen by chance between 0 and ``base``, doubled for each attempt after the first, ``longest`` at most. So a
    thousand clients that lost the same server at the same instant come back evenly spread. Source: M. Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    doublings = min(attempt - 1, 1000)  # a float holds no more
    return random.uniform(0.0, min(longest, base * 2.0**doublings))
