"""plumb index: versions beside each other, switched in one step."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command_line import Plumb, fine, parsed
from qdrant_client import QdrantClient

from ingest.pipeline import ingest
from ingest.progress import Document, Report
from rag.errors import InputError
from rag.search import Searcher
from rag.settings import Settings, StoreSettings, load_settings
from rag.versions import Recipe, Versions

SMALLER = "\n[ingest]\nchunk_tokens = 32\n"
RECIPE = Recipe(embed="scripted:words", chunk_tokens=160, language="english", parser=1, made_at=0)


def test_a_version_is_built_beside_the_live_one_and_switched(plumb: Plumb, filled: Path) -> None:
    refused = plumb("index", "build")
    assert refused.returncode == 2
    assert "would make the same as version v1" in refused.stderr
    config = filled / "plumbline.toml"
    config.write_text(config.read_text() + SMALLER)
    kept = plumb("ingest", "docs")
    assert "3 unchanged" in kept.stdout
    assert "ingest.chunk_tokens 160, now 32" in kept.stderr
    assert "plumb index switch v2" in fine(plumb("index", "build"))
    rows = parsed(plumb("index", "list", "--json"))
    assert [(row["name"], row["live"], row["chunk_tokens"]) for row in rows] == [("v1", True, 160), ("v2", False, 32)]
    fine(plumb("index", "switch", "v2"))
    assert plumb("index", "delete", "v2").returncode == 2
    fine(plumb("index", "rollback"))
    assert "v1       live" in fine(plumb("index", "list"))
    fine(plumb("index", "delete", "v2"))
    assert [row["name"] for row in parsed(plumb("index", "list", "--json"))] == ["v1"]
    assert plumb("index", "rollback").returncode == 2


def test_a_switch_warns_of_documents_that_are_behind(plumb: Plumb, filled: Path) -> None:
    fine(plumb("index", "build", "next"))
    fine(plumb("index", "build", "with-a-long-name"))
    assert len({line.index("3 documents") for line in fine(plumb("index", "list")).splitlines()}) == 1
    (filled / "docs" / "travel.md").write_text("# Travel\n\nAll is new.\n")
    fine(plumb("ingest", "docs"))
    switched = plumb("index", "switch", "next")
    assert "1 document not as in v1; 'plumb index build next'" in switched.stderr
    assert "no version 'v9'" in plumb("index", "switch", "v9").stderr
    assert "can't name a version" in plumb("index", "build", "../out").stderr


def test_a_deletion_waits_for_the_run_that_fills_the_version(plumb: Plumb, filled: Path) -> None:
    settings = load_settings(filled / "plumbline.toml")
    run = ingest([filled / "docs"], settings=settings, version="v2")
    while not isinstance(next(run), Document):
        pass
    with ThreadPoolExecutor(1) as thread:
        deleted = thread.submit(plumb, "index", "delete", "v2")
        time.sleep(1)
        assert not deleted.done()
        *_, report = run
        assert isinstance(report, Report)
        assert (report.added, report.total_chunks) == (3, 4)
        assert (deleted.result().returncode, deleted.result().stdout) == (0, "v2 is gone\n")
    assert Versions(settings).names() == ["v1"]


def test_a_deletion_that_broke_off_leaves_no_half_version(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(folder: Path, **_: object) -> None:
        if folder.exists():
            raise KeyboardInterrupt

    settings = load_settings(filled / "plumbline.toml")
    list(ingest([filled / "docs"], settings=settings, version="v2"))
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            Versions(settings).delete("v2")
    assert Versions(settings).names() == ["v1"]
    list(ingest([filled / "docs"], settings=settings, version="v2"))
    Versions(settings).delete("v2")
    assert [path.name for path in Versions(settings).folder.iterdir() if path.is_dir()] == ["v1"]


def test_compare_tells_the_paired_difference(plumb: Plumb, filled: Path) -> None:
    questions = filled / "q.jsonl"
    case = {"id": "a", "question": "annual leave days", "facts": [["30"]], "sources": ["leave.md"]}
    questions.write_text(json.dumps(case) + "\n")
    fine(plumb("index", "build", "v2"))
    found = parsed(plumb("index", "compare", "q.jsonl", "v1", "v2", "--json"))
    assert {(row["score"], row["difference"], row["cases"]) for row in found} == {
        ("recall@1", 0.0, 1),
        ("recall@5", 0.0, 1),
        ("nDCG@10", 0.0, 1),
        ("reciprocal rank", 0.0, 1),
    }
    assert "better on 0, worse on 0 of 1" in fine(plumb("index", "compare", "q.jsonl", "v1", "v2"))


def test_a_running_searcher_follows_the_switch(filled: Path) -> None:
    settings = load_settings(filled / "plumbline.toml")
    searcher = Searcher.from_settings(settings)
    assert searcher.index.version == "v1"
    list(ingest([filled / "docs"], settings=settings, version="v2"))
    assert searcher.index.version == "v1"
    Versions(settings).switch("v2")
    assert searcher.search("annual leave")
    assert searcher.index.version == "v2"


def test_on_a_server_the_alias_says_what_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = QdrantClient(":memory:")
    monkeypatch.setattr("rag.store.server.connect", lambda *_, **__: client)
    versions = Versions(Settings(root=tmp_path, store=StoreSettings(kind="server", collection="kb")))
    assert versions.live() == ""
    for name in ("kb-v1", "kb-v2"):
        client.create_collection(name, vectors_config={})
    versions.create("v1", RECIPE)
    versions.create("v2", RECIPE)
    assert versions.live() == "v1"
    versions.switch("v2")
    assert (versions.live(), versions.before()) == ("v2", "v1")
    with pytest.raises(InputError, match="is live"):
        versions.delete("v2")
    versions.delete("v1")
    assert not client.collection_exists("kb-v1")
    assert versions.before() == ""
    client.close()


def test_a_recipe_fixes_all_of_its_settings_at_once() -> None:
    recipe = Recipe(
        embed="scripted:words",
        chunking="parent",
        chunk_tokens=40,
        parent_tokens=99,
        language="german",
        parser=1,
        made_at=0,
    )
    made = recipe.applied(Settings(root=Path()))
    assert Recipe.of(made, parser=1).differences(recipe) == ()
    assert (made.ingest.chunking, made.ingest.chunk_tokens, made.ingest.parent_tokens) == ("parent", 40, 99)
