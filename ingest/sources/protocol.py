"""What every place of documents offers to the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ingest.labels import NOTHING, Labels
from rag.errors import InputError

Fetch = Callable[[int], AbstractContextManager[Path]]
Label = Callable[[], Labels]


def unlabelled() -> Labels:
    """The labels of a document whose place tells none."""
    return NOTHING


class Vanished(InputError):
    """A place or a document is no longer there: what the index has of it may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A document where it lies.

    `uri` is its name in the index, `source` the place that listed it. `suffix` is its format as far as known now.
    `fetch(max_bytes)` opens a context with a local file that holds the bytes; the name of this file tells the format,
    and stands for a title where the document has none. Raises DocumentError, or Vanished when it is gone by now.
    `label` tells what its place says of who may read it; raises DocumentError.
    """

    uri: str
    source: str
    suffix: str
    fetch: Fetch = field(repr=False, compare=False)
    label: Label = field(default=unlabelled, repr=False, compare=False)


class Source(Protocol):
    """A place of documents. `name` is how it was called, without credentials.

    `places`, `covers` and `ignored` are asked after `items` has ended.
    """

    name: str

    def items(self) -> Iterator[Item]:
        """The documents that are there; raises Vanished when the place is gone, PlumbError when it can't be listed."""
        ...

    def places(self) -> tuple[str, ...]:
        """Whatever the index has from a place of this name belongs here, so what was not listed has vanished."""
        ...

    def covers(self, uri: str) -> bool:
        """Whether a document of this name would have been listed here, whichever place it came from."""
        ...

    def ignored(self) -> Mapping[str, int]:
        """How many documents were left out, by their kind."""
        ...
