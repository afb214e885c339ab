"""The engine inside LlamaIndex programs."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import QueryEngineTool

from rag.engine import Engine
from rag.errors import ModelError
from rag.llama_index import LlamaIndexRetriever
from rag.llm import make_llm
from rag.search import Searcher
from rag.settings import load_settings
from rag.types import Scope

QUESTION = "How many days may be carried over?"


@pytest.fixture
def engine(filled: Path) -> Engine:
    return Engine.from_settings(load_settings(filled / "plumbline.toml"))


def test_a_retriever_gives_the_hits_of_the_engine(engine: Engine) -> None:
    hits = engine.search(QUESTION, limit=2)
    nodes = engine.as_retriever(limit=2).retrieve(QUESTION)
    assert [(node.node_id, node.score, node.text) for node in nodes] == [
        (hit.chunk.id, hit.score, hit.chunk.text) for hit in hits
    ]
    assert nodes[0].metadata["uri"] == "docs/hr/leave.md"
    assert set(nodes[0].metadata["scores"]) == set(hits[0].scores)
    read = nodes[0].node.get_content(MetadataMode.LLM)
    assert "Carrying over" in read
    assert "scores" not in read
    assert asyncio.run(engine.as_retriever(limit=2).aretrieve(QUESTION))[0].node_id == nodes[0].node_id


class Board(BaseRetriever):
    """A LlamaIndex retriever over a few nodes."""

    def __init__(self, *nodes: NodeWithScore) -> None:
        """Hold the nodes."""
        super().__init__()
        self.nodes = nodes

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if not query_bundle.query_str.endswith("?"):
            raise ZeroDivisionError
        return list(self.nodes)


def noted(text: str, score: float | None, **metadata: str) -> NodeWithScore:
    return NodeWithScore(node=TextNode(text=text, metadata=metadata), score=score)


def with_retriever(engine: Engine, *nodes: NodeWithScore) -> Engine:
    wrapped = LlamaIndexRetriever(Board(*nodes))
    searcher = Searcher(engine.settings, engine.searcher.index, retriever=wrapped)
    return Engine(searcher=searcher, answer=make_llm(engine.settings, "scripted:quote", role="answer"))


def test_their_retriever_finds_in_place_of_our_legs(engine: Engine) -> None:
    right = noted("Of leave, 7 days may be carried over.", 12.5, file_path="board.txt", page_label="3")
    asked = with_retriever(engine, noted("The canteen opens at noon.", 2.5), noted(" ", 99), right)
    answer = asked.ask(QUESTION)
    assert "7 days" in answer.text
    (citation,) = answer.citations
    assert (citation.uri, citation.page) == ("board.txt", 3)
    assert answer.hits[0].chunk.uri == "board.txt"
    assert answer.hits[0].scores["llama_index"] == 12.5
    assert all(0 <= hit.score <= 1 for hit in answer.hits)


def test_their_order_counts_where_they_give_no_scores(engine: Engine) -> None:
    asked = with_retriever(engine, noted("First things.", None), noted("Then others.", 5.0))
    assert [hit.ranks["llama_index"] for hit in asked.search(QUESTION)] == [1, 2]
    assert [hit.chunk.text for hit in asked.search(QUESTION)] == ["First things.", "Then others."]


def test_their_nodes_are_held_against_the_scope_too(engine: Engine) -> None:
    mine, everyones = noted("Mine.", 2.0), noted("Everyone's.", 1.0)
    mine.node.metadata["readers"], unclear = ["user:ada"], noted("Whose?", 3.0, readers="user:ada")
    asked = with_retriever(engine, mine, everyones, unclear)
    assert [hit.chunk.text for hit in asked.search(QUESTION)] == ["Everyone's."]
    assert {hit.chunk.text for hit in asked.search(QUESTION, scope=Scope(user="ada"))} == {"Mine.", "Everyone's."}


def test_where_their_retriever_finds_nothing_there_is_no_answer_and_its_error_is_one_of_ours(engine: Engine) -> None:
    answer = with_retriever(engine).ask(QUESTION)
    assert (answer.abstained, answer.text) == (
        True,
        f"None of the documents that may be searched here holds anything near to this. Looked for: “{QUESTION}”.",
    )
    with pytest.raises(ModelError, match="Board failed: ZeroDivisionError"):
        with_retriever(engine).search("a statement")


def test_a_query_engine_gives_checked_answers(engine: Engine) -> None:
    asked = engine.ask(QUESTION)
    for response in (engine.as_query_engine().query(QUESTION), asyncio.run(engine.as_query_engine().aquery(QUESTION))):
        assert str(response) == asked.text
        assert response.metadata["supported"] is True
        assert response.metadata["citations"][0]["uri"] == "docs/hr/leave.md"
        assert response.source_nodes[0].metadata["title"] == "Annual leave"
        assert response.metadata["trace_id"] != asked.trace_id


def test_what_is_not_there_is_told_as_such(engine: Engine) -> None:
    response = engine.as_query_engine().query("Who painted the Mona Lisa?")
    assert response.metadata["abstained"] is True
    assert response.metadata["citations"] == []


def test_our_retriever_serves_their_query_engine(engine: Engine) -> None:
    synthesizer = get_response_synthesizer(llm=MockLLM(), response_mode="compact")
    theirs = RetrieverQueryEngine(retriever=engine.as_retriever(limit=3), response_synthesizer=synthesizer)
    assert [node.node_id for node in theirs.query(QUESTION).source_nodes] == [
        hit.chunk.id for hit in engine.search(QUESTION, limit=3)
    ]


def test_our_query_engine_is_a_tool_for_their_agents(engine: Engine) -> None:
    tool = QueryEngineTool.from_defaults(engine.as_query_engine(), name="handbook", description="The rules.")
    assert tool.call(input=QUESTION).content == engine.ask(QUESTION).text


def test_32_questions_at_once_are_not_mixed(engine: Engine) -> None:
    questions = [
        QUESTION,
        "What does a hotel in Zurich cost at most?",
        "How do I travel?",
        "Who painted the Mona Lisa?",
    ]
    alone = {question: engine.ask(question).text for question in questions}
    with ThreadPoolExecutor(32) as threads:
        asked = [questions[i % len(questions)] for i in range(32)]
        answers = list(threads.map(engine.ask, asked))
    assert [answer.question for answer in answers] == asked
    assert [answer.text for answer in answers] == [alone[question] for question in asked]
    assert len({answer.trace_id for answer in answers}) == 32


def test_whose_a_node_of_ours_is_stays_with_it_through_another_retriever(engine: Engine) -> None:
    (node,) = engine.as_retriever(limit=1).retrieve(QUESTION)
    assert node.metadata["readers"] == ["everyone"]
    node.metadata["readers"] = ["group:board"]
    wrapped = with_retriever(engine, node)
    assert wrapped.search(QUESTION) == []
    (hit,) = wrapped.search(QUESTION, scope=Scope(groups=("board",)))
    (again,) = wrapped.as_retriever(scope=Scope(groups=("board",))).retrieve(QUESTION)
    assert hit.chunk.readers == ("group:board",) == tuple(again.metadata["readers"])
