"""plumb library, and what an ingest tells before and after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import Plumb


def ok(done: Any) -> str:
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_documents_are_shown_down_to_their_chunks(plumb: Plumb, filled: Path) -> None:
    records = json.loads(ok(plumb("library", "list", "--json")))
    assert [record["uri"] for record in records] == ["docs/hr/leave.md", "docs/limits.csv", "docs/travel.md"]
    assert "1 documents, 2 chunks" in ok(plumb("library", "list", "docs/hr"))
    shown = json.loads(ok(plumb("library", "show", "docs/hr/leave.md", "--json")))
    assert (shown["version"], shown["model"], shown["failure"]) == ("v1", "scripted:words", None)
    assert shown["document"]["source"] == "docs"
    assert "2 chunks by scripted:words" in ok(plumb("library", "show", "docs/hr/leave.md"))
    chunks = json.loads(ok(plumb("library", "chunks", "docs/hr/leave.md", "--json")))
    assert [(chunk["position"], chunk["headings"], chunk["model"]) for chunk in chunks] == [
        (0, [], "scripted:words"),
        (1, ["Carrying over"], "scripted:words"),
    ]
    assert "Up to 5 days may be carried over" in ok(plumb("library", "chunks", "docs/hr/leave.md"))
    for command in ("show", "chunks", "remove", "reparse"):
        refused = plumb("library", command, "docs/nosuch.md")
        assert refused.returncode == 2
        assert "the index holds no document 'docs/nosuch.md'" in refused.stderr


def test_a_removed_document_comes_back_with_its_folder(plumb: Plumb, filled: Path) -> None:
    assert "1 removed" in ok(plumb("library", "remove", "docs/travel.md"))
    assert "2 documents" in ok(plumb("library", "list"))
    assert json.loads(ok(plumb("search", "train tickets", "--json")))[0]["uri"] != "docs/travel.md"
    assert "1 added, 2 unchanged" in ok(plumb("ingest", "docs"))


def test_a_document_is_read_again_though_it_did_not_change(plumb: Plumb, filled: Path) -> None:
    before = json.loads(ok(plumb("library", "chunks", "docs/travel.md", "--json")))
    for _ in range(2):
        assert "1 replaced" in ok(plumb("library", "reparse", "docs/travel.md"))
        after = json.loads(ok(plumb("library", "chunks", "docs/travel.md", "--json")))
        assert [chunk["text"] for chunk in after] == [chunk["text"] for chunk in before]
    assert after[0]["id"] == before[0]["id"]  # made twice: the name of the first revision is free again


def test_failures_are_kept_with_their_reason_and_tried_again(plumb: Plumb, filled: Path) -> None:
    (filled / "docs" / "broken.pdf").write_bytes(b"no pdf")
    assert plumb("ingest", "docs").returncode == 1
    again = plumb("ingest", "docs")
    assert "3 unchanged, 1 failed" in again.stdout
    assert "broken.pdf: damaged, or no PDF" in ok(plumb("library", "failed"))
    assert plumb("library", "retry").returncode == 1
    failure = json.loads(ok(plumb("library", "failed", "--json")))[0]
    assert (failure["uri"], failure["retryable"]) == ("docs/broken.pdf", False)
    assert "failed" in ok(plumb("library", "show", "docs/broken.pdf"))
    (filled / "docs" / "broken.pdf").unlink()
    ok(plumb("ingest", "docs"))
    assert "0 failed" in ok(plumb("library", "failed"))
    assert "nothing failed" in ok(plumb("library", "retry"))


def test_a_dry_run_tells_and_does_nothing(plumb: Plumb, project: Path, corpus: Path) -> None:
    env = {"PLUMB_INGEST__PRICE_PER_MILLION_TOKENS": "100"}
    planned = json.loads(ok(plumb("ingest", "--dry-run", "docs", "--json", env=env)))
    assert (planned["added"], planned["chunks"], planned["chunks_to_embed"]) == (3, 4, 4)
    assert planned["price"] == planned["tokens_to_embed"] * 100 / 1e6 > 0
    assert planned["seconds"] >= 0
    assert not (project / ".plumb").exists()
    ok(plumb("ingest", "docs"))
    (corpus / "travel.md").write_text("# Travel\n\nBy boat.\n")
    (corpus / "limits.csv").unlink()
    told = ok(plumb("ingest", "--dry-run", "docs"))
    assert "would be: 1 replaced, 1 unchanged, 1 removed" in told
    assert "1 chunks to write, 1 of them to embed" in told
    assert "1 replaced, 1 unchanged, 1 removed" in ok(plumb("ingest", "docs"))


def test_a_watched_folder_is_followed(project: Path, corpus: Path) -> None:
    command = [sys.executable, "-m", "rag.cli", "ingest", "--watch", "docs"]
    env = {**os.environ, "PLUMB_INGEST__WATCH_QUIET_S": "0.2"}
    watching = subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    )
    assert watching.stdout is not None
    try:
        assert "3 added" in watching.stdout.readline()
        (corpus / "new.md").write_text("# New\n\nA new text.\n")
        assert "1 added, 3 unchanged" in watching.stdout.readline()
        (corpus / "new.md").unlink()
        assert "3 unchanged, 1 removed" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=30) == 0
    finally:
        watching.kill()
        watching.communicate()
