"""The best hits read again: late interaction, LlamaIndex postprocessors, and what fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle

from rag.embed import Embedder, TokenEmbedder, make_embedder
from rag.embed.question import question_vector, windows
from rag.errors import ConfigError, ModelError
from rag.index import Index
from rag.rerank import checked_scores, make_reranker
from rag.rerank.late import LateInteraction
from rag.roles import RULE_NONE
from rag.search import Searcher
from rag.settings import Settings, load_settings
from rag.types import Chunk, Hit

HERE = "llama_index:test_rerank"


def hit(name: str, text: str) -> Hit:
    chunk = Chunk(id=name, uri=f"{name}.md", title="", headings=(), page=None, position=0, text=text, revision="0")
    return Hit(chunk=chunk, score=0.5, scores={})


HITS = (hit("cat", "A cat sleeps."), hit("tax", "The tax is due in May."), hit("boat", "A boat sails."))


class Shortest(BaseNodePostprocessor):
    """Keeps the two shortest texts, the shortest first; scores them unless told not to."""

    scored: bool = True

    @classmethod
    def class_name(cls) -> str:
        return "Shortest"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        assert query_bundle is not None
        best = sorted(nodes, key=lambda node: len(node.node.get_content()))[:2]
        return [
            NodeWithScore(node=node.node, score=1.0 / rank if self.scored else None)
            for rank, node in enumerate(best, 1)
        ]


class Failing(BaseNodePostprocessor):
    """A service that is down."""

    api_key: str = ""

    @classmethod
    def class_name(cls) -> str:
        return "Failing"

    def _postprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None) -> Any:
        raise RuntimeError(f"no answer for {self.api_key}")


def named(name: str, **arguments: Any) -> Settings:
    return Settings(roles={"rerank": name}, llama_index={"rerank_args": arguments})  # type: ignore[arg-type]


@pytest.fixture
def scripted() -> Embedder:
    return make_embedder(Settings(roles={"embed": "scripted:words"}))  # type: ignore[arg-type]


def test_a_postprocessor_scores_and_what_it_leaves_out_comes_last(scripted: Embedder) -> None:
    reranker = make_reranker(named(f"{HERE}.Shortest"), scripted)
    assert reranker
    assert reranker.scores("cats?", HITS) == [1.0, 0.5, 0.5]


def test_a_postprocessor_that_only_orders_is_understood(scripted: Embedder) -> None:
    reranker = make_reranker(named(f"{HERE}.Shortest", scored=False), scripted)
    assert reranker
    assert reranker.scores("cats?", HITS) == [0.0, -1.0, -1.0]


def test_a_postprocessor_that_fails_tells_no_secret(scripted: Embedder) -> None:
    reranker = make_reranker(named(f"{HERE}.Failing", api_key="sk-123"), scripted)
    assert reranker
    with pytest.raises(ModelError, match=r"Failing failed: RuntimeError: no answer for \*\*\*"):
        reranker.scores("cats?", HITS)


@pytest.mark.parametrize("name", ["cohere:rerank", "late-interaction", "llama_index:test_rerank.hit"])
def test_a_name_that_names_no_reranker_is_refused(scripted: Embedder, name: str) -> None:
    with pytest.raises(ConfigError):
        make_reranker(named(name), scripted)


def test_there_may_be_none(scripted: Embedder) -> None:
    assert make_reranker(named(RULE_NONE), scripted) is None
    assert not isinstance(scripted, TokenEmbedder)
    assert make_reranker(Settings(), scripted) is None


def test_a_reranker_that_is_down_leaves_the_hits_in_their_order(filled: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings(filled / "plumbline.toml")
    plain = Searcher.from_settings(settings).find("How many days may be carried over?")
    index = Searcher.from_settings(settings).index
    found = Searcher(settings, index, reranker=make_reranker(named(f"{HERE}.Failing"), index.embedder)).find(
        "How many days may be carried over?"
    )
    assert [hit.chunk.id for hit in found.hits] == [hit.chunk.id for hit in plain.hits]
    assert "Failing failed" in found.failure
    assert "order of the fusion" in caplog.text


class Reversed:
    """A Reranker of the caller's own."""

    name = "reversed"

    def scores(self, question: str, hits: Sequence[Hit]) -> list[float]:
        return [float(rank) for rank, _ in enumerate(hits)]


def test_a_callers_own_reranker_takes_part(filled: Any) -> None:
    settings = load_settings(filled / "plumbline.toml")
    index: Index = Searcher.from_settings(settings).index
    options = settings.retrieve.model_copy(update={"rerank_weight": 1.0})
    weighed = settings.model_copy(update={"retrieve": options})
    plain = Searcher(settings, index).search("hotel limit")
    own = Searcher(weighed, index, reranker=Reversed()).search("hotel limit")
    assert [hit.chunk.id for hit in own] == [hit.chunk.id for hit in reversed(plain)]
    assert own[0].ranks["reversed"] == 1


class Broken:
    """A Reranker that gives too little, or no numbers."""

    name = "broken"

    def __init__(self, *scores: float) -> None:
        self._scores = list(scores)

    def scores(self, question: str, hits: Sequence[Hit]) -> list[float]:
        return self._scores[: len(hits)]


@pytest.mark.parametrize("scores", [(1.0,), (float("nan"),) * 20, ()])
def test_scores_that_are_none_are_not_used(filled: Any, scores: tuple[float, ...]) -> None:
    settings = load_settings(filled / "plumbline.toml")
    index = Searcher.from_settings(settings).index
    found = Searcher(settings, index, reranker=Broken(*scores)).find("hotel limit")
    assert [hit.chunk.id for hit in found.hits] == [
        hit.chunk.id for hit in Searcher(settings, index).search("hotel limit")
    ]
    assert "the reranker broken gave" in found.failure


@pytest.mark.model
def test_late_interaction_prefers_the_passage_that_holds_the_words_in_their_sense() -> None:
    local = make_embedder(Settings())
    assert isinstance(local, TokenEmbedder)
    late = LateInteraction(local)
    scores = checked_scores(late, "When must taxes be paid?", HITS) or []
    assert max(scores) == scores[1]
    assert all(-1 <= score <= 1 for score in scores)
    assert late.scores("黑豹队的防守丢了多少分？", HITS) is None
    long = " ".join(["Where does the cat sleep?"] * 100)
    scores = checked_scores(late, long, HITS) or []
    assert scores[0] == max(scores)


def words(text: str) -> int:
    return len(text.split())


def test_a_long_question_is_cut_between_sentences_into_parts_that_fit() -> None:
    question = "One two three four. Five six seven. Eight nine ten eleven twelve."
    assert windows(question, max_tokens=20, count=words) == [question]
    parts = windows(question, max_tokens=7, count=words)
    assert parts == ["One two three four. Five six seven.", "Eight nine ten eleven twelve."]
    assert windows("a b c d e", max_tokens=2, count=words) == ["a b", "c", "d e"]
    assert windows("", max_tokens=2, count=words) == [""]
    assert "".join(windows("x" * 10, max_tokens=3, count=len)) == "x" * 10


@pytest.mark.model
def test_the_end_of_a_question_beyond_the_window_counts() -> None:
    local = make_embedder(Settings())
    padding = "I have read the handbook and thought about it for a while. " * 40
    boat, cat = (question_vector(f"{padding}{end}", local) for end in ("Can I rent a boat?", "May I bring my cat?"))
    assert boat != cat
    assert len(boat) == local.dimension
    assert sum(x * x for x in boat) == pytest.approx(1)
