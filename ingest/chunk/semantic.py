"""The chunking 'semantic': LlamaIndex's SemanticSplitterNodeParser cuts where the text turns to something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llama_index.core import Document
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.node_parser import SemanticSplitterNodeParser
from pydantic import PrivateAttr

from ingest.chunk.prose import apart, in_sentences
from ingest.parse import Element
from rag.embed import Embedder


def split(embedder: Embedder) -> Callable[[Sequence[Element], int], Iterable[Sequence[Element]]]:
    """Embeds each sentence with its neighbours and cuts where two are farther apart than most. Raises ModelError."""
    parser = SemanticSplitterNodeParser(
        embed_model=_Bridge(embedder), sentence_splitter=in_sentences, include_prev_next_rel=False
    )

    def cut(text: str) -> list[str]:
        return [node.get_content() for node in parser.get_nodes_from_documents([Document(text=text)])]

    def groups(elements: Sequence[Element], _room: int) -> Iterable[Sequence[Element]]:
        return apart(elements, cut)

    return groups


class _Bridge(BaseEmbedding):  # type: ignore[misc]
    """Our embedder as one of theirs."""

    _embedder: Any = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embed_batch_size=512)
        self._embedder = embedder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self._embedder.embed(texts).tolist()
        return rows

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)
