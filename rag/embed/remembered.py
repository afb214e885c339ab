"""What was computed for a text, for as long as it is among those that were wanted last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from rag.embed.protocol import Matrix


class Remembered:
    """Arrays by text, up to so many bytes. Safe to share between threads; what it gives can't be written to."""

    def __init__(self, *, max_bytes: int) -> None:
        """Begin empty."""
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, Matrix] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, texts: Sequence[str], compute: Callable[[Sequence[str]], Sequence[Matrix]]) -> list[Matrix]:
        """The array of each text; `compute` is called once, with those that are not known, if any."""
        known = self._known(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        made = dict(zip(missing, compute(missing), strict=True)) if missing else {}
        self._keep(made)
        return [known[text] if text in known else made[text] for text in texts]

    def _known(self, texts: Sequence[str]) -> dict[str, Matrix]:
        with self._lock:
            found = {text: self._held[text] for text in texts if text in self._held}
            for text in found:
                self._held.move_to_end(text)
        return found

    def _keep(self, made: dict[str, Matrix]) -> None:
        with self._lock:
            for text, array in made.items():
                array.flags.writeable = False
                # Another thread may have computed it meanwhile.
                before = self._held.pop(text, None)
                self._held[text] = array
                self._bytes += array.nbytes - (0 if before is None else before.nbytes)
            while self._bytes > self._max_bytes:
                self._bytes -= self._held.popitem(last=False)[1].nbytes
