"""An embedder that fails is asked again, where that can help."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rag.embed import Matrix
from rag.errors import ModelError

# Pauses before an embedder that failed is asked again.
RETRY_AFTER_S = (1.0, 4.0)


def patiently(embed: Callable[[], Matrix], pauses_s: Sequence[float]) -> Matrix:
    """The vectors, with a try after each of the pauses; raises ModelError."""
    for pause_s in pauses_s:
        try:
            return embed()
        except ModelError as error:
            if not error.retryable:
                raise
            time.sleep(pause_s)
    return embed()
