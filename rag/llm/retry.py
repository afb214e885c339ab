"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_S = 0.5
LONGEST_S = 8.0


def pauses(retries: int) -> Iterator[float]:
    """Seconds before each retry: anything from 0 to a bound that doubles, so that callers don't come back together.

    "Full jitter" of Brooker, Exponential Backoff And Jitter, 2015.
    """
    return (random.uniform(0, min(LONGEST_S, FIRST_S * 2**n)) for n in range(retries))  # noqa: S311 - no secret
