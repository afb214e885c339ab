"""plumb tune: a real gain is found and written, a gain by chance is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Plumb, failed, fine, parsed

from evals.remember import RememberingStore
from evals.tune import FOLDS, Choice, _unseen
from evals.tune_cli import _write
from rag.embed.question import question_vector
from rag.index import open_index
from rag.settings import load_settings
from rag.types import Vectors

ANIMALS = (
    "aardvark badger camel dolphin echidna ferret gazelle hamster ibis jackal koala lemur magpie narwhal otter panda"
    " quail raccoon salmon tapir urial vulture walrus yak"
).split()
ASKED = "What is the colour of the"


@pytest.fixture
def questions(project: Path) -> Path:
    """Questions whose words, but for the animal, stand in pages about something else: meaning alone is misled."""
    docs = project / "docs"
    docs.mkdir(exist_ok=True)
    for number, animal in enumerate(ANIMALS):
        other = " ".join(f"{animal[:3]}{letter}{number}" for letter in "bcdfghjklmnpqrstvwz")
        (docs / f"{animal}.md").write_text(f"# Page {number}\n\n{animal} {other}\n")
    for number in range(4):
        (docs / f"misleading{number}.md").write_text(f"# {ASKED}\n\n{ASKED} wall {number}\n")
    cases = [
        {"id": animal, "question": f"{ASKED} {animal}?", "facts": [["x"]], "sources": [f"docs/{animal}.md"]}
        for animal in ANIMALS
    ]
    file = project / "animals.jsonl"
    file.write_text("\n".join(map(json.dumps, cases)))
    return file


def test_a_real_gain_is_told_and_written_and_comments_stay(plumb: Plumb, project: Path, questions: Path) -> None:
    config = project / "plumbline.toml"
    before = config.read_text()
    config.write_text(f"{before}\n# how we search\n[retrieve]\ndense_weight = 1.0 # by meaning\n")
    fine(plumb("ingest", "docs"))
    told = parsed(plumb("tune", str(questions), "--dry-run", "--json"))
    assert (told["is_real"], told["written_to"], told["now"]["dense_weight"]) == (True, None, 1.0)
    assert "dense_weight = 1.0 # by meaning" in config.read_text()
    text = fine(plumb("tune", str(questions)))
    assert "retrieve.dense_weight   1 now, " in text
    assert text.endswith(f"Written to {config}\n")
    assert "# how we search" in config.read_text()
    tuned = load_settings(config).retrieve
    assert {"dense_weight": tuned.dense_weight, "depth": tuned.depth}.items() <= told["best"].items()
    again = parsed(plumb("tune", str(questions), "--json"))
    assert (again["is_real"], again["written_to"]) == (False, None)


def test_too_few_questions_are_refused(plumb: Plumb, questions: Path) -> None:
    questions.write_text("\n".join(questions.read_text().splitlines()[:5]))
    fine(plumb("ingest", "docs"))
    assert "5 questions expect a source; expected at least 20" in failed(plumb("tune", str(questions)), code=2)


def test_no_question_has_a_part_in_choosing_what_it_is_scored_with() -> None:
    # Each choice is right on one question only: none is better than another on those that are not held out.
    table = np.eye(4 * FOLDS)
    assert _unseen(table).sum() == 0
    # A choice that is right everywhere is found without any one question.
    table[3] = 1
    assert _unseen(table).mean() == 1


@pytest.mark.parametrize("depth", [1, 2, 5, 50])
def test_what_is_remembered_is_what_the_store_gives(plumb: Plumb, project: Path, questions: Path, depth: int) -> None:
    fine(plumb("ingest", "docs"))
    index = open_index(load_settings(project / "plumbline.toml"))
    remembering = RememberingStore(index.store, depth=50)
    for question in (f"{ASKED} lemur?", "wall 2", "nothing of this"):
        dense = question_vector(question, index.embedder)
        vectors = Vectors(dense=dense, lexical=index.lexical.question(question))
        ours, theirs = (store.score(vectors, depth=depth) for store in (remembering, index.store))
        # By their scores: of chunks with the same, either will do.
        for leg in ("dense", "lexical"):
            best, other = (
                sorted((getattr(one, leg) for one in found), reverse=True)[:depth] for found in (ours, theirs)
            )
            assert best == pytest.approx(other, abs=1e-5)
    assert remembering.count() == index.store.count()


def test_a_config_is_made_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Choice(dense_weight=0.3, rerank_weight=0.2, depth=20), tmp_path)
    assert load_settings(tmp_path / "plumbline.toml").retrieve.dense_weight == 0.3
