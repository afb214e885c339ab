"""The chunker: what fits, what stays together, and that no word is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import Cut, chunk
from ingest.parse import Element, Parsed
from rag.sentences import sentences
from rag.types import Chunk

TEXTS = st.text(alphabet="ab c\nD.!? 1,;:é。北\u00a0-", min_size=1, max_size=200).filter(str.strip)
BODY = st.builds(Element, kind=st.sampled_from(("text", "list", "table", "code")), text=TEXTS, page=st.just(2))
TITLES = st.builds(Element, kind=st.just("title"), text=TEXTS, level=st.integers(1, 4))
DOCUMENTS = st.builds(
    Parsed,
    title=TEXTS.map(lambda text: " ".join(text.split())),
    elements=st.lists(BODY | TITLES, max_size=12).map(tuple),
)


def words(text: str) -> int:
    """Counts words, and two tokens a tokenizer would add to everything."""
    return len(text.split()) + 2


def chunks(parsed: Parsed, *, max_tokens: int = 40, count: Callable[[str], int] = words) -> tuple[Chunk, ...]:
    return tuple(chunk(parsed, uri="file:///a.md", revision="abc", cut=Cut(max_tokens=max_tokens, count=count)))


def text(content: str) -> Element:
    return Element(kind="text", text=content)


def heading(content: str, level: int) -> Element:
    return Element(kind="title", text=content, level=level)


@settings(deadline=None)
@given(parsed=DOCUMENTS, max_tokens=st.integers(12, 60))
def test_no_word_is_lost_and_every_chunk_fits(parsed: Parsed, max_tokens: int) -> None:
    found = chunks(parsed, max_tokens=max_tokens)
    kept = {word for passage in found for word in passage.indexed_text.split()}
    assert {word for element in parsed.elements for word in element.text.split()} <= kept
    assert all(words(passage.indexed_text) <= max_tokens for passage in found)


@settings(deadline=None)
@given(parsed=DOCUMENTS, max_tokens=st.integers(20, 90))
def test_the_text_comes_in_order_even_when_words_are_cut(parsed: Parsed, max_tokens: int) -> None:
    found = chunks(parsed, max_tokens=max_tokens, count=len)
    assert all(len(passage.indexed_text) <= max_tokens for passage in found)
    letters = iter("".join("".join(passage.text.split()) for passage in found))
    body = "".join("".join(element.text.split()) for element in parsed.elements if element.kind != "title")
    assert all(letter in letters for letter in body)


@given(parsed=DOCUMENTS)
def test_ids_are_stable_and_unique(parsed: Parsed) -> None:
    found = chunks(parsed)
    assert found == chunks(parsed)
    assert len({passage.id for passage in found}) == len(found)
    assert [passage.position for passage in found] == list(range(len(found)))


def test_chunks_follow_the_headings() -> None:
    parsed = Parsed(
        title="Leave",
        elements=(
            heading("Leave", 1),
            text("Intro."),
            heading("Days", 2),
            heading("Full time", 3),
            text("You have 28 days."),
            heading("Illness", 2),
            text("Call before nine."),
        ),
    )
    assert [(passage.headings, passage.text) for passage in chunks(parsed)] == [
        ((), "Intro."),
        (("Days", "Full time"), "You have 28 days."),
        (("Illness",), "Call before nine."),
    ]


def test_a_heading_without_text_stands_for_itself() -> None:
    parsed = Parsed(title="Plan", elements=(heading("Done", 2), heading("Open", 2), text("One thing.")))
    assert [(passage.headings, passage.text) for passage in chunks(parsed)] == [
        ((), "Done"),
        (("Open",), "One thing."),
    ]


def test_a_long_paragraph_is_split_at_sentence_ends() -> None:
    paragraph = " ".join(f"Sentence number {number} is about e.g. Dr. Voss and 3.5 days." for number in range(12))
    found = chunks(Parsed(title="T", elements=(text(paragraph),)))
    assert len(found) > 2
    assert all(passage.text.startswith("Sentence") and passage.text.endswith("days.") for passage in found)


def test_a_table_is_split_between_its_rows() -> None:
    rows = [
        f"Zone: {letter}; Countries: rest of the world; Limit: EUR {number}" for number, letter in enumerate("ABCDEFGH")
    ]
    table = Element(kind="table", text="\n".join(rows), page=3)
    found = chunks(Parsed(title="T", elements=(Element(kind="text", text="Table 1: limits", page=3), table)))
    assert [row for passage in found for row in passage.text.split("\n")] == ["Table 1: limits", *rows]
    assert found[0].text.startswith("Table 1: limits\nZone: A")
    assert found[1].page == 3


def test_every_chunk_is_of_one_page() -> None:
    lead = Element(kind="text", text="You need:", page=1)
    items = Element(kind="list", text="- a warm coat\n- a dry suit", page=2)
    more = Element(kind="text", text="Bring both.", page=2)
    found = chunks(Parsed(title="T", elements=(heading("Kit", 1), lead, items, more)))
    assert [(passage.page, passage.text) for passage in found] == [
        (1, "You need:"),
        (2, "- a warm coat\n- a dry suit\nBring both."),
    ]


def test_a_list_stays_with_its_lead_in() -> None:
    filler = text("word " * 25 + "end.")
    items = Element(kind="list", text="- a warm coat\n- a dry suit\n- two gloves")
    found = chunks(Parsed(title="T", elements=(filler, text("You need:"), items)))
    assert [passage.text for passage in found][1:] == ["You need:\n- a warm coat\n- a dry suit\n- two gloves"]


def test_long_titles_and_headings_leave_room_for_the_text() -> None:
    parsed = Parsed(title="very " * 60 + "long", elements=(heading("head " * 60 + "end", 1), text("The fact.")))
    found = chunks(parsed)
    assert all(words(passage.indexed_text) <= 40 for passage in found)
    assert "The fact." in found[-1].text


def test_a_document_without_text_has_no_chunks() -> None:
    assert chunks(Parsed(title="T", elements=())) == ()


def test_a_book_is_chunked_in_well_under_a_second() -> None:
    paragraph = "A sentence with a few words in it. " * 12
    book = Parsed(title="Book", elements=(*(text(paragraph) for _ in range(1200)), text("word " * 100_000)))
    started = time.process_time()
    assert len(chunks(book, max_tokens=160)) > 1200
    assert time.process_time() - started < 2  # about 0.3 s on an idle machine; quadratic would be minutes


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("See Dr. Voss, e.g. on 1. March at 3.5 m. Then go.", ["See Dr. Voss, e.g. on 1. March at 3.5 m.", "Then go."]),
        ("Ask J. Smith. He knows.", ["Ask J. Smith.", "He knows."]),
        ("It is No. 5 of 7. No. That is wrong!", ["It is No. 5 of 7.", "No.", "That is wrong!"]),
        ('He said "Stop!" and went. "Why?" she asked.', ['He said "Stop!" and went.', '"Why?" she asked.']),
        ("The limit is 5 days. [1] It grew. [2][3]", ["The limit is 5 days. [1]", "It grew. [2][3]"]),
        ("The limit is 5 days [1]. It grew [2].", ["The limit is 5 days [1].", "It grew [2]."]),
        ("1. Switch on.\n2. Wait for green.", ["1. Switch on.", "2. Wait for green."]),
        ("Das gilt z.B. am 3. Mai. Danach nicht.", ["Das gilt z.B. am 3. Mai.", "Danach nicht."]),
        ("今天下雨。明天晴！好吗？", ["今天下雨。", "明天晴！", "好吗？"]),
        ("It began in 2026. Nobody came.", ["It began in 2026.", "Nobody came."]),
        ("Open 9 a.m. to 5 p.m. Closed on Mondays...", ["Open 9 a.m. to 5 p.m.", "Closed on Mondays..."]),
        ("  \n ", []),
    ],
)
def test_sentences(source: str, parts: list[str]) -> None:
    assert [source[begin:end] for begin, end in sentences(source)] == parts


@given(st.text(alphabet="ab A.1!?\n[]。\"' ", max_size=80))
def test_sentence_spans_cover_everything_but_white_space(source: str) -> None:
    covered = "".join(source[begin:end] for begin, end in sentences(source))
    assert "".join(covered.split()) == "".join(source.split())


def test_sentences_of_hostile_text_take_linear_time() -> None:
    started = time.process_time()
    for hostile in ("." * 200_000, ". [1" * 50_000, "a" * 200_000 + ".", "\n" * 200_000, '."' * 100_000):
        sentences(hostile)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("long", ["word " * 2_000, "x" * 3_000])
def test_a_long_heading_above_many_sections_is_told_once(long: str) -> None:
    below = [element for n in range(50) for element in (heading(f"Part {n}", 2), text(f"Text {n}."))]
    parsed = Parsed(title="A", elements=(heading(long, 1), *below))
    found = chunks(parsed, max_tokens=60)
    assert sum(words(passage.text) for passage in found) < 2_500
    assert [passage.headings for passage in found[-50:]] == [(f"Part {n}",) for n in range(50)]


def test_no_more_than_the_beginning_of_a_very_long_title_is_counted() -> None:
    asked: list[int] = []

    def count(content: str) -> int:
        asked.append(len(content))
        return words(content)

    parsed = Parsed(title="word " * 100_000, elements=(text("One thing."),))
    (passage,) = chunk(parsed, uri="a.md", revision="r", cut=Cut(max_tokens=40, count=count))
    assert passage.title.startswith("word word")
    assert max(asked) <= 2_000
