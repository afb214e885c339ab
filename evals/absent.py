"""Which expected sources no document of the index can be: no search would ever find them."""

from __future__ import annotations

from collections.abc import Sequence

from evals.ranking import is_source
from ingest.library import Library
from rag.settings import Settings


def absent(sources: Sequence[str], settings: Settings) -> list[str]:
    """Those of the sources that name no document of the live version; none where nothing is known of its documents.

    Raises StoreError.
    """
    uris = Library(settings).manifest.records()
    return [source for source in sources if uris and not any(is_source(uri, source) for uri in uris)]
