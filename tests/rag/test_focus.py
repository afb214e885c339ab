"""The sentences that are read when the budget is small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rag.embed import Matrix
from rag.embed.lexical import Lexical
from rag.embed.scripted import ScriptedEmbedder
from rag.focus import FRAME_TOKENS, focus
from rag.types import Chunk, Hit, Passage

TERMS = Lexical("english").terms
FERRY = "The ferry leaves at seven. The canteen opens at noon. Bicycles travel free on the ferry."
CANTEEN = "Soup costs 3 euros. The ferry has no canteen."


def hit(name: str, text: str, score: float) -> Hit:
    chunk = Chunk(id=name, uri=f"{name}.md", title=name, headings=(), page=None, position=0, text=text, revision="0")
    return Hit(chunk=chunk, score=score, scores={})


HITS = (hit("Lunch", CANTEEN, 0.9), hit("Boats", FERRY, 0.8))


def read(question: str, budget_tokens: int) -> tuple[Passage, ...]:
    return focus(question, HITS, budget_tokens=budget_tokens, embedder=ScriptedEmbedder("scripted:words"), terms=TERMS)


def test_the_nearest_sentences_of_all_hits_are_read() -> None:
    passages = read("When does the ferry leave, and do bicycles travel free?", 18)
    assert passages[0].hit.chunk.title == "Boats"
    assert passages[0].marker == 1
    assert "Bicycles travel free on the ferry." in passages[0].text
    assert "canteen opens" not in passages[0].text


def test_sentences_stand_in_their_order_and_word_for_word() -> None:
    for passage in read("ferry canteen bicycles soup", 1000):
        lines = passage.text.splitlines()
        places = [passage.hit.chunk.text.index(line) for line in lines]
        assert places == sorted(places)


@pytest.mark.parametrize("budget", [20, 30, 50])
def test_the_budget_holds_and_one_sentence_always_comes(budget: int) -> None:
    count = ScriptedEmbedder("scripted:words").count
    read_now = read("ferry", budget)
    assert sum(count(passage.text) + count(passage.hit.chunk.label) + FRAME_TOKENS for passage in read_now) <= budget
    assert sum(len(passage.text.splitlines()) for passage in read("ferry", 1)) == 1


def test_with_room_for_all_everything_is_read() -> None:
    assert {passage.text.replace("\n", " ") for passage in read("soup", 1000)} == {FERRY, CANTEEN}


def test_hits_without_a_sentence_give_nothing_to_read() -> None:
    empty = (hit("Blank", " \n", 0.9),)
    assert focus("soup", empty, budget_tokens=50, embedder=ScriptedEmbedder("scripted:words"), terms=TERMS) == ()


class LetterEmbedder(ScriptedEmbedder):
    """A token is a word, its vector the place of its first letter; whole texts are all alike."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        return np.ones((len(texts), 1), dtype=np.float32)

    def embed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        letters = np.eye(128, dtype=np.float32)
        return [letters[[ord(word[0]) % 128 for word in text.lower().split()]] for text in texts]


def test_an_embedder_with_token_vectors_is_asked_for_late_interaction() -> None:
    hits = (hit("x", "Alpha beta. Gamma delta epsilon.", 0.5),)
    embedder = LetterEmbedder("scripted:letters")
    for question, first in (("go dive east", "Gamma"), ("ask bob", "Alpha")):
        (passage,) = focus(question, hits, budget_tokens=1, embedder=embedder, terms=lambda text: frozenset())
        assert passage.text.startswith(first)


@pytest.mark.filterwarnings("error")
def test_a_query_without_a_token_is_near_to_nothing() -> None:
    embedder = LetterEmbedder("scripted:letters")
    assert focus("", HITS, budget_tokens=1000, embedder=embedder, terms=TERMS)
