"""Several sources -> one list of documents, and what has vanished from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath

from ingest.parse import SUPPORTED
from ingest.sources.protocol import Item, Source, Vanished
from rag.errors import InputError


def discover(sources: Sequence[Source], *, known: Mapping[str, str], max_documents: int) -> list[Item]:
    """The documents of all sources, each once, sorted by name.

    `known` are the documents in the index: name -> place they came from. A place that is gone is fine if some of them
    belong to it. Raises InputError for any other place that is gone, for one with more than `max_documents`, and when
    there is neither a document nor a known one.
    """
    found = {item.uri: item for source in sources for item in _items(source, known, max_documents)}
    if not (found or any(_belongs(uri, place, source) for source in sources for uri, place in known.items())):
        raise InputError(
            f"no documents in {', '.join(source.name for source in sources)}",
            expected=f"files ending in {' '.join(sorted(SUPPORTED))}",
            remedy="name a place that holds some",
        )
    return [found[uri] for uri in sorted(found)]


def vanished(sources: Sequence[Source], items: Sequence[Item], *, known: Mapping[str, str]) -> list[str]:
    """The known documents that belong to these sources and that `discover` did not find.

    None is of a kind that was left out there: where the extra that reads pictures is missing, they are still there.
    """
    found = {item.uri for item in items}
    return [
        uri
        for uri, place in known.items()
        if uri not in found
        and any(_belongs(uri, place, source) and not _is_left_out(uri, source) for source in sources)
    ]


def ignored(sources: Sequence[Source]) -> dict[str, int]:
    """How many documents the sources left out, by kind."""
    total: Counter[str] = Counter()
    for source in sources:
        total.update(source.ignored())
    return dict(sorted(total.items()))


def _items(source: Source, known: Mapping[str, str], limit: int) -> Iterator[Item]:
    listed = _unless_gone(source, known)
    yield from islice(listed, limit)
    if next(listed, None) is not None:
        raise InputError(
            f"{source.name} holds too many documents",
            expected=f"at most ingest.max_documents = {limit:,}",
            remedy="name smaller places, or raise the limit",
        )


def _unless_gone(source: Source, known: Mapping[str, str]) -> Iterator[Item]:
    try:
        yield from source.items()
    except Vanished:
        if not any(_belongs(uri, place, source) for uri, place in known.items()):
            raise


def _is_left_out(uri: str, source: Source) -> bool:
    return PurePosixPath(uri).suffix.lower() in source.ignored()


def _belongs(uri: str, place: str, source: Source) -> bool:
    return place in source.places() or source.covers(uri)
