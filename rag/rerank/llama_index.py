"""Any LlamaIndex node postprocessor that scores nodes, by import path: a cross-encoder, a hosted service, an LLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.errors import ModelError
from rag.imports import construct, describe
from rag.types import Hit


class LlamaIndexReranker:
    """A Reranker by a LlamaIndex `BaseNodePostprocessor`."""

    name = "rerank"

    def __init__(self, path: str, arguments: Mapping[str, Any]) -> None:
        """`path` is 'package.module.ClassName'; `arguments` go to its constructor. Raises ConfigError."""
        from llama_index.core.postprocessor.types import BaseNodePostprocessor

        self._path = path
        self._arguments = arguments
        self._model: Any = construct(path, arguments, kind=BaseNodePostprocessor, setting="llama_index.rerank_args")

    def scores(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """What the class gives each hit; one it leaves out, as those that keep only the best do, gets the lowest.

        Where it puts nodes in order without scoring them, the order counts. Raises ModelError.
        """
        from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

        nodes = [
            NodeWithScore(node=TextNode(id_=hit.chunk.id, text=hit.chunk.indexed_text), score=hit.score) for hit in hits
        ]
        try:
            found = self._model.postprocess_nodes(nodes, query_bundle=QueryBundle(question))
            told = {str(item.node.node_id): item.score for item in found}
            scores = _scores(told)
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            reason = describe(error, self._arguments)
            raise ModelError(f"llama_index:{self._path} failed: {reason}", retryable=True) from None
        lowest = min(scores.values(), default=0.0)
        return [scores.get(hit.chunk.id, lowest) for hit in hits]


def _scores(told: Mapping[str, float | None]) -> dict[str, float]:
    if any(score is None for score in told.values()):
        return {identifier: -float(rank) for rank, identifier in enumerate(told)}
    return {identifier: float(score) for identifier, score in told.items() if score is not None}
