"""The engine inside LlamaIndex programs, for chat engines, routers and agents, and their retrievers inside ours."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag.errors import ModelError
from rag.imports import describe
from rag.types import EVERYONE, PUBLIC, Answer, Chunk, Hit, Scope

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


class LlamaIndexRetriever:
    """The nodes of any LlamaIndex retriever as hits: a `Retriever` for `Searcher`.

    Everyone may read a node, unless its metadata name its `readers`, a list of 'user:NAME' and 'group:NAME'.
    """

    name = "llama_index"

    def __init__(self, retriever: BaseRetriever) -> None:
        """Hold the retriever."""
        self._retriever = retriever

    def hits(self, question: str, *, limit: int) -> list[Hit]:
        """Its first nodes that have a text; where it gives no scores, its order counts. Raises ModelError."""
        try:
            found = self._retriever.retrieve(question)
            chunks = [_chunk(each.node) for each in found]
            scores = [each.score for each in found]
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            told = describe(error, {})
            raise ModelError(f"{type(self._retriever).__name__} failed: {told}", retryable=True) from None
        known = [-float(rank) if None in scores else float(score or 0) for rank, score in enumerate(scores)]
        pairs = [(chunk, score) for chunk, score in zip(chunks, known, strict=True) if chunk.text.strip()]
        return [Hit(chunk=chunk, score=score, scores={}) for chunk, score in pairs[:limit]]


def _chunk(node: Any) -> Chunk:
    """A node as a chunk, its document named as LlamaIndex readers and our own nodes do."""
    facts = node.metadata
    uri = str(facts.get("uri") or facts.get("file_path") or facts.get("file_name") or node.ref_doc_id or node.node_id)
    page = str(facts.get("page") or facts.get("page_label") or "")
    return Chunk(
        id=node.node_id,
        uri=uri,
        title=str(facts.get("title") or uri.rpartition("/")[2]),
        headings=tuple(str(each) for each in facts.get("headings") or ()),
        page=int(page) if page.isdecimal() else None,
        position=0,
        text=node.get_content(),
        revision=node.hash,
        readers=_readers(facts.get("readers", (EVERYONE,))),
    )


def _readers(told: Any) -> tuple[str, ...]:
    """Who is named; nobody where that can't be read."""
    return tuple(map(str, told)) if isinstance(told, list | tuple) else ()


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
    # Whose a node is stays with it: it may come back to us through another retriever.
    place["readers"] = list(chunk.readers)
    # What a model reads with the text is the title and the headings, and not our bookkeeping.
    hidden = ["uri", "page", "scores", "fields", "readers"]
    node = TextNode(
        id_=chunk.id,
        text=chunk.text,
        metadata={**place, "scores": dict(hit.scores)},
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
    )
    return NodeWithScore(node=node, score=hit.score)
