"""The engine inside LlamaIndex programs: as a retriever and as a query engine, for chat engines, routers and agents."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag.types import PUBLIC, Answer, Hit, Scope

if TYPE_CHECKING:
    from rag.engine import Engine


class EngineRetriever(BaseRetriever):  # type: ignore[misc]
    """The hits of `Engine.search`, as nodes with their score; every stage's score is in the metadata."""

    def __init__(self, engine: Engine, *, limit: int | None = None, scope: Scope = PUBLIC) -> None:
        """`limit` is how many hits (default: retrieve.limit), `scope` who asks."""
        super().__init__()
        self._engine = engine
        self._limit = limit
        self._scope = scope

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in self._found(query_bundle.query_str)]

    def _found(self, question: str) -> list[Hit]:
        return self._engine.search(question, limit=self._limit, scope=self._scope)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


class EngineQueryEngine(BaseQueryEngine):  # type: ignore[misc]
    """The checked answers of `Engine.ask`: the passages are its source nodes, citations and verdict its metadata."""

    def __init__(self, engine: Engine, *, scope: Scope = PUBLIC) -> None:
        """Hold the engine; `scope` tells who asks."""
        super().__init__(callback_manager=None)
        self._engine = engine
        self._scope = scope

    def _query(self, query_bundle: QueryBundle) -> Response:
        return _response(self._engine.ask(query_bundle.query_str, scope=self._scope))

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}


def _response(answer: Answer) -> Response:
    return Response(
        response=answer.text,
        source_nodes=[_node(passage.hit) for passage in answer.passages],
        metadata={
            "abstained": answer.abstained,
            "supported": answer.verdict.supported,
            "citations": [asdict(citation) for citation in answer.citations],
            "trace_id": answer.trace_id,
        },
    )


def _node(hit: Hit) -> NodeWithScore:
    chunk = hit.chunk
    place: dict[str, Any] = {
        "uri": chunk.uri,
        "title": chunk.title,
        "page": chunk.page,
        "headings": list(chunk.headings),
    }
    place |= {"fields": dict(chunk.fields)} if chunk.fields else {}
    # What a model reads with the text is the title and the headings, and not our bookkeeping.
    hidden = ["uri", "page", "scores", "fields"]
    node = TextNode(
        id_=chunk.id,
        text=chunk.text,
        metadata={**place, "scores": dict(hit.scores)},
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
    )
    return NodeWithScore(node=node, score=hit.score)
