"""The benchmark of more queries, on scripted models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.bench.expanding import MULTI_HOP, WAYS, measure
from evals.bench.figures import Measured, Note
from evals.bench.project import HANDBOOK
from evals.dataset import load_dataset


def test_every_question_of_two_documents_names_two_that_are_there() -> None:
    cases = load_dataset(MULTI_HOP).cases
    assert len(cases) == 24
    for case in cases:
        assert len(set(case.sources)) == 2
        assert all((HANDBOOK / source).is_file() for source in case.sources)
        assert case.facts


def test_every_way_is_measured_beside_the_plain_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "added.json").write_text(json.dumps([{"match": "", "reply": "When does the ferry go?"}]))
    monkeypatch.setenv("PLUMB_ROLES__REWRITE", f"scripted:{tmp_path / 'added.json'}")
    monkeypatch.setenv("PLUMB_ROLES__ANSWER", "scripted:quote")
    monkeypatch.setenv("PLUMB_ROLES__EMBED", "scripted:words")
    lines = list(measure(limit=2))
    figures = [line for line in lines if isinstance(line, Measured)]
    assert [line.name for line in figures] == [
        f"{part}, {way}: recall@5" for way in WAYS for part in ("multi-hop", "single-hop")
    ]
    assert all("n = 2" in line.note and not line.missed for line in figures)
    assert next(line.text for line in lines if isinstance(line, Note)) == "multi-hop, parts: 1.0 queries added"
