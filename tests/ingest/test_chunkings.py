"""All chunkings keep the same promises: nothing lost, nothing too long, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_chunk import DOCUMENTS, heading, text, words

from ingest.chunk import Cut, chunk, make_cut
from ingest.parse import Element, Parsed
from rag.settings import Settings
from rag.types import Chunk

KINDS = ("title", "sentence", "semantic", "parent")


def cut(kind: str, max_tokens: int) -> Cut:
    told = Settings.model_validate(
        {
            "root": Path(),
            "roles": {"embed": "scripted:words"},
            "ingest": {"chunking": kind, "chunk_tokens": 60, "parent_tokens": 90},
        }
    )
    return make_cut(told, max_tokens=max_tokens, count=words)


def chunks(parsed: Parsed, kind: str, max_tokens: int = 30) -> list[Chunk]:
    return list(chunk(parsed, uri="a.md", revision="abc", cut=cut(kind, max_tokens)))


@settings(deadline=None)
@given(parsed=DOCUMENTS, kind=st.sampled_from(KINDS), max_tokens=st.integers(12, 60))
def test_every_chunking_keeps_every_word_and_fits(parsed: Parsed, kind: str, max_tokens: int) -> None:
    found = chunks(parsed, kind, max_tokens)
    assert found == chunks(parsed, kind, max_tokens)
    assert [passage.position for passage in found] == list(range(len(found)))
    assert all(words(passage.indexed_text) <= max_tokens for passage in found)
    kept = {word for passage in found for word in passage.indexed_text.split()}
    assert {word for element in parsed.elements for word in element.text.split()} <= kept


@settings(deadline=None)
@given(parsed=DOCUMENTS)
def test_a_parent_is_the_passages_from_first_to_last(parsed: Parsed) -> None:
    found = chunks(parsed, "parent", 20)
    for passage in found:
        if passage.parent is None:
            continue
        first, last = passage.parent
        family = found[first : last + 1]
        assert first <= passage.position <= last
        assert {one.parent for one in family} == {passage.parent}
        assert len({(one.headings, one.page) for one in family}) == 1
        assert sum(words(one.text) - 2 for one in family) <= 90


ORDERS = "The pump has a spare. It stands in the hall. Ask for the key. Sign the book. Return it by noon."
TABLE = Element(kind="table", text="\n".join(f"part {n} | {n} pieces in stock" for n in range(8)))


def test_sentences_are_gathered_across_paragraphs_and_not_cut() -> None:
    found = chunks(Parsed(title="T", elements=(text(ORDERS), text("Doors close at five."))), "sentence", 18)
    assert all(passage.text.endswith(".") for passage in found)
    assert found[-1].text.endswith("Doors close at five.")
    assert len(found[-1].text) > len("Doors close at five.")


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_cut_between_rows_only(kind: str) -> None:
    found = chunks(Parsed(title="T", elements=(text(ORDERS), TABLE)), kind, 24)
    rows = {line for passage in found for line in passage.text.splitlines() if "|" in line}
    assert rows == set(TABLE.text.splitlines())


def test_meaning_parts_the_text_where_it_turns() -> None:
    about_cats = "Cats purr. Cats purr when cats sleep. Cats sleep and purr. "
    about_tax = "Tax is due in May. Tax forms are due. Pay tax when due."
    found = chunks(Parsed(title="", elements=(text(about_cats + about_tax),)), "semantic", 18)
    assert len(found) > 1
    assert any("purr" in passage.text and "Tax" not in passage.text for passage in found)


def test_text_that_fits_is_not_parted() -> None:
    found = chunks(Parsed(title="", elements=(text("Cats purr. Tax is due."), text("Doors close."))), "semantic", 60)
    assert [passage.text for passage in found] == ["Cats purr. Tax is due.\nDoors close."]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hostile", ["a" * 300_000, "no end " * 10_000, "One. " * 20_000])
def test_text_that_no_splitter_takes_at_once_is_cut_all_the_same(kind: str, hostile: str) -> None:
    found = chunks(Parsed(title="", elements=(text("Before."), text(hostile), text("After."))), kind, 60)
    assert all(words(passage.indexed_text) <= 60 for passage in found)
    told = "".join(passage.text for passage in found)
    assert "".join(told.split()) == f"Before.{''.join(hostile.split())}After."


def test_a_short_section_needs_no_parent() -> None:
    found = chunks(Parsed(title="", elements=(heading("One", 1), text("Just this."))), "parent")
    assert [passage.parent for passage in found] == [None]
