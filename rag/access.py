"""Whether an answer that was given some time ago is still somebody's to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.embed.question import question_vector
from rag.index import Index
from rag.scope import allows
from rag.types import Answer, Chunk, Condition, Scope, Vectors


def may_read(index: Index, answer: Answer, scope: Scope) -> bool:
    """Whether all that an answer rests on was this person's to read then, and is now.

    Of a document that was written anew since, something must be theirs now; one that is gone is nobody's. The answer
    tells what the passages say, so it is all or nothing. Raises StoreError and ModelError where that can't be told.
    """
    own = set(scope.readers)
    if not all(own.intersection(readers) for readers in answer.readers):
        return False
    read = {hit.chunk.id: hit.chunk for hit in (*answer.hits, *(passage.hit for passage in answer.passages))}
    now = {chunk.id: chunk for chunk in index.store.retrieve(list(read))} if read else {}
    gone = dict.fromkeys(chunk.uri for identifier, chunk in read.items() if identifier not in now)
    return _are_allowed(list(now.values()), scope) and all(_finds_any(index, uri, scope) for uri in gone)


def _are_allowed(chunks: Sequence[Chunk], scope: Scope) -> bool:
    return all(allows(scope, chunk) for chunk in chunks)


def _finds_any(index: Index, uri: str, scope: Scope) -> bool:
    """Whether the person finds anything in a document as it is now."""
    within = replace(scope, where=(Condition(field="path", operator="=", values=(uri,)),))
    vectors = Vectors(dense=question_vector(uri, index.embedder), lexical=index.lexical.question(uri))
    return bool(index.store.score(vectors, depth=1, scope=within))
