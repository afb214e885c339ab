"""The chunking 'semantic': LlamaIndex's SemanticSplitterNodeParser cuts where the text turns to something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import Any

from llama_index.core import Document
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.node_parser import SemanticSplitterNodeParser
from pydantic import PrivateAttr

from ingest.chunk.packing import Count
from ingest.chunk.prose import apart, in_sentences
from ingest.parse import Element
from rag.embed import Embedder


def split(embedder: Embedder, count: Count) -> Callable[[Sequence[Element], int], Iterable[Sequence[Element]]]:
    """Text longer than a chunk is cut where its sentences are farthest apart. Raises ModelError."""
    bridge, frame = _Bridge(embedder), count("")

    def groups(elements: Sequence[Element], room: int) -> Iterable[Sequence[Element]]:
        def cut(text: str) -> list[str]:
            chunks = ceil((count(text) - frame) / max(room, 1))
            return _topics(text, chunks, bridge) if chunks > 1 else [text]

        return apart(elements, cut)

    return groups


def _topics(text: str, chunks: int, bridge: _Bridge) -> list[str]:
    """As many topics as the text fills chunks, at least.

    LlamaIndex's own share of places to cut, one in 20, makes topics that would mostly be cut again for their length.
    """
    places = max(len(in_sentences(text)) - 1, 1)
    parser = SemanticSplitterNodeParser(
        embed_model=bridge,
        sentence_splitter=in_sentences,
        include_prev_next_rel=False,
        breakpoint_percentile_threshold=max(0, round(100 - 100 * (chunks - 1) / places)),
    )
    return [node.get_content() for node in parser.get_nodes_from_documents([Document(text=text)])]


class _Bridge(BaseEmbedding):  # type: ignore[misc]
    """Our embedder as one of theirs."""

    _embedder: Any = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embed_batch_size=512)
        self._embedder = embedder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self._embedder.embed([self._shortened(text) for text in texts]).tolist()
        return rows

    def _shortened(self, text: str) -> str:
        """A sentence with its neighbours, or as much of it as the embedder takes: servers refuse what is longer."""
        while self._embedder.count(text) > self._embedder.max_tokens:
            text = text[: len(text) // 2]
        return text

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)
