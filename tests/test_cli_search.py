"""plumb search."""

from __future__ import annotations

import re
from pathlib import Path

from command_line import Plumb, contents, fine, parsed


def test_search_prints_hits_with_their_scores(plumb: Plumb, filled: Path) -> None:
    text = fine(plumb("search", "carried over until March"))
    assert text.startswith("1. Annual leave  docs/hr/leave.md")
    assert "dense" in text
    hits = parsed(plumb("search", "carried over until March", "--json", "--limit", "2"))
    assert len(hits) == 2
    assert set(hits[0]) == {
        "uri",
        "title",
        "page",
        "headings",
        "text",
        "fields",
        "score",
        "scores",
        "ranks",
        "chunk_id",
    }
    assert {"dense", "lexical", "fused"} <= set(hits[0]["scores"])


def test_a_search_explains_itself(plumb: Plumb, filled: Path) -> None:
    (filled / "docs" / "copy.md").write_text((filled / "docs" / "travel.md").read_text())
    fine(plumb("ingest", "docs"))
    text = fine(plumb("search", "hotel in Zurich", "--explain"))
    assert "dense 0." in text
    assert "(#1)" in text
    assert "Meaning (dense) counted " in text
    assert re.search(r"left out: docs/(copy|travel).md: says what hit \d says", text)
    told = parsed(plumb("search", "hotel in Zurich", "--explain", "--json"))
    assert set(told) == {"hits", "left_out", "dense_weight", "failure"}
    assert told["left_out"][0]["reason"].startswith("says what hit")
    assert 0 <= told["dense_weight"] <= 1


def test_search_in_an_empty_index_says_how_to_fill_it(plumb: Plumb, project: Path) -> None:
    before = contents(project)
    assert "plumb ingest PATH" in fine(plumb("search", "leave"))
    assert parsed(plumb("search", "leave", "--json")) == []
    assert contents(project) == before


def test_a_search_that_finds_nothing_says_why(plumb: Plumb, project: Path, filled: Path) -> None:
    assert "none of the 4 passages in the index" in fine(plumb("search", "leave", "--where", "team=x"))
    fine(plumb("library", "remove", "docs/hr/leave.md", "docs/travel.md", "docs/limits.csv"))
    assert "the index is empty" in fine(plumb("search", "leave"))
