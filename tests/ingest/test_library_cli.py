"""plumb library, and what an ingest tells before and after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command_line import Plumb, fine, parsed

from ingest.manifest import Manifest
from ingest.pipeline import ingest
from ingest.progress import Document
from rag.settings import load_settings


def test_documents_are_shown_down_to_their_chunks(plumb: Plumb, filled: Path) -> None:
    records = parsed(plumb("library", "list", "--json"))
    assert [record["uri"] for record in records] == ["docs/hr/leave.md", "docs/limits.csv", "docs/travel.md"]
    assert "1 document, 2 chunks" in fine(plumb("library", "list", "docs/hr"))
    shown = parsed(plumb("library", "show", "docs/hr/leave.md", "--json"))
    assert (shown["version"], shown["model"], shown["failure"]) == ("v1", "scripted:words", None)
    assert shown["document"]["source"] == "docs"
    assert "2 chunks by scripted:words" in fine(plumb("library", "show", "docs/hr/leave.md"))
    chunks = parsed(plumb("library", "chunks", "docs/hr/leave.md", "--json"))
    assert [(chunk["position"], chunk["headings"], chunk["model"]) for chunk in chunks] == [
        (0, [], "scripted:words"),
        (1, ["Carrying over"], "scripted:words"),
    ]
    assert "Up to 5 days may be carried over" in fine(plumb("library", "chunks", "docs/hr/leave.md"))
    for command in ("show", "chunks", "remove", "reparse"):
        refused = plumb("library", command, "docs/nosuch.md")
        assert refused.returncode == 2
        assert "the index holds no document 'docs/nosuch.md'" in refused.stderr


def test_a_run_leaves_a_trace_of_what_became_of_it(plumb: Plumb, project: Path, corpus: Path) -> None:
    fine(plumb("ingest", "docs"))
    (corpus / "broken.pdf").write_bytes(b"no pdf")
    assert plumb("ingest", "docs").returncode == 1
    second, first = parsed(plumb("traces", "--json"))
    assert [trace["status"] for trace in (first, second)] == ["ok", "ok"]
    told = parsed(plumb("traces", second["id"], "--json"))
    assert (told["output"]["unchanged"], told["output"]["failed"]) == (3, 1)
    assert "damaged" in told["output"]["failures"][0]["reason"]
    assert told["attributes"]["index"] == "plumbline v1"


def test_a_removed_document_comes_back_with_its_folder(plumb: Plumb, filled: Path) -> None:
    assert "1 removed" in fine(plumb("library", "remove", "docs/travel.md"))
    assert "2 documents" in fine(plumb("library", "list"))
    assert parsed(plumb("search", "train tickets", "--json"))[0]["uri"] != "docs/travel.md"
    assert "1 added, 2 unchanged" in fine(plumb("ingest", "docs"))


def test_what_a_crashed_run_left_of_a_document_is_removed_with_it(
    plumb: Plumb, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    (filled / "docs" / "travel.md").write_text("# Travel\n\nAll is new.\n")
    monkeypatch.setattr(Manifest, "finish", killed)  # the switch was made and is not noted yet
    with pytest.raises(KeyboardInterrupt):
        list(ingest([filled / "docs"], settings=load_settings(filled / "plumbline.toml")))
    assert "1 removed" in fine(plumb("library", "remove", "docs/travel.md"))
    found = parsed(plumb("search", "All is new", "--json"))
    assert {hit["uri"] for hit in found} == {"docs/hr/leave.md", "docs/limits.csv"}


def test_a_removal_waits_for_a_run_and_removes_what_it_made(plumb: Plumb, filled: Path) -> None:
    settings = load_settings(filled / "plumbline.toml")
    (filled / "docs" / "travel.md").write_text("# Travel\n\nAll is new.\n")
    run = ingest([filled / "docs"], settings=settings)
    while not isinstance(next(run), Document):
        pass
    with ThreadPoolExecutor(1) as thread:
        removed = thread.submit(plumb, "library", "remove", "docs/travel.md")
        while not removed.running():
            time.sleep(0.01)
        list(run)
        assert removed.result().stdout == "1 removed\n"
    assert all(hit["uri"] != "docs/travel.md" for hit in parsed(plumb("search", "All is new", "--json")))


def test_a_document_is_read_again_though_it_did_not_change(plumb: Plumb, filled: Path) -> None:
    before = parsed(plumb("library", "chunks", "docs/travel.md", "--json"))
    for _ in range(2):
        assert "1 replaced" in fine(plumb("library", "reparse", "docs/travel.md"))
        after = parsed(plumb("library", "chunks", "docs/travel.md", "--json"))
        assert [chunk["text"] for chunk in after] == [chunk["text"] for chunk in before]
    assert after[0]["id"] == before[0]["id"]  # made twice: the name of the first revision is free again


def test_failures_are_kept_with_their_reason_and_tried_again(plumb: Plumb, filled: Path) -> None:
    (filled / "docs" / "broken.pdf").write_bytes(b"no pdf")
    assert plumb("ingest", "docs").returncode == 1
    again = plumb("ingest", "docs")
    assert "3 unchanged, 1 failed" in again.stdout
    assert "broken.pdf: damaged, or no PDF" in fine(plumb("library", "failed"))
    assert plumb("library", "retry").returncode == 1
    failure = parsed(plumb("library", "failed", "--json"))[0]
    assert (failure["uri"], failure["retryable"]) == ("docs/broken.pdf", False)
    assert "failed" in fine(plumb("library", "show", "docs/broken.pdf"))
    (filled / "docs" / "broken.pdf").unlink()
    fine(plumb("ingest", "docs"))
    assert "0 failed" in fine(plumb("library", "failed"))
    assert "nothing failed" in fine(plumb("library", "retry"))


def test_a_document_that_failed_is_read_anew_and_forgotten_by_its_name(plumb: Plumb, filled: Path) -> None:
    (filled / "docs" / "broken\nname.pdf").write_bytes(b"%PDF-1.7 and no more")
    plumb("ingest", "docs")
    assert fine(plumb("library", "failed")).startswith("docs/broken name.pdf: ")
    assert plumb("library", "reparse", "docs/broken\nname.pdf").returncode == 1
    assert fine(plumb("library", "remove", "docs/broken\nname.pdf", "docs/travel.md")) == "2 removed\n"
    assert fine(plumb("library", "failed")) == "0 failed\n"
    assert "docs/travel.md" not in fine(plumb("library", "list"))


def test_a_dry_run_tells_and_does_nothing(plumb: Plumb, project: Path, corpus: Path) -> None:
    env = {"PLUMB_INGEST__PRICE_PER_MILLION_TOKENS": "100"}
    planned = parsed(plumb("ingest", "--dry-run", "docs", "--json", env=env))
    assert (planned["added"], planned["chunks"], planned["chunks_to_embed"]) == (3, 4, 4)
    assert planned["price"] == planned["tokens_to_embed"] * 100 / 1e6 > 0
    assert planned["seconds"] >= 0
    assert not (project / ".plumb").exists()
    fine(plumb("ingest", "docs"))
    (corpus / "travel.md").write_text("# Travel\n\nBy boat.\n")
    (corpus / "limits.csv").unlink()
    (corpus / "logo.svg").write_text("<svg/>")
    (corpus / "again.md").write_text("# Travel\n\nBy boat.\n")
    told = fine(plumb("ingest", "--dry-run", "docs"))
    assert "would be: 1 added, 1 replaced, 1 unchanged, 1 removed" in told
    assert "2 chunks to write, 1 of them to embed" in told
    assert told.splitlines()[-1] == "not read, of other kinds: 1 .svg"
    assert "1 added, 1 replaced, 1 unchanged, 1 removed; 2 chunks written, 1 vector known already" in fine(
        plumb("ingest", "docs")
    )


def test_a_dry_run_cuts_by_title_where_the_embedder_would_be_asked(plumb: Plumb, corpus: Path) -> None:
    talk = [f"Cats purr {n}. " for n in range(9)] + [f"The tax is due in May of year {n}. " for n in range(9)]
    (corpus / "talk.md").write_text("".join(talk))
    env = {"PLUMB_INGEST__CHUNK_TOKENS": "32"}
    by_title = parsed(plumb("ingest", "--dry-run", "docs", "--json", env=env))
    env["PLUMB_INGEST__CHUNKING"] = "semantic"
    assert parsed(plumb("ingest", "--dry-run", "docs", "--json", env=env))["chunks"] == by_title["chunks"]
    assert parsed(plumb("ingest", "docs", "--json", env=env))["chunks"] != by_title["chunks"]


def listen_to_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_watched_folder_is_followed(plumb: Plumb, project: Path, corpus: Path) -> None:
    (corpus / "first.md").write_text("# First\n\nMade of longer chunks.\n")
    fine(plumb("ingest", "docs/first.md"))
    command = [sys.executable, "-m", "rag.cli", "ingest", "--watch", "docs"]
    env = {**os.environ, "PLUMB_INGEST__WATCH_QUIET_S": "0.2", "PLUMB_INGEST__CHUNK_TOKENS": "64"}
    watching = subprocess.Popen(
        command,
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        # What runs behind a shell is told to ignore it.
        preexec_fn=listen_to_interrupts,  # noqa: PLW1509 - it only sets a signal
    )
    assert watching.stdout is not None
    try:
        assert "following docs; Ctrl-C ends it" in watching.stdout.readline()
        assert "version v1 of the index was made otherwise" in watching.stdout.readline()
        assert "3 added, 1 unchanged" in watching.stdout.readline()
        (corpus / "new.md").write_text("# New\n\nA new text.\n")
        assert "1 added, 4 unchanged" in watching.stdout.readline()
        (corpus / "new.md").unlink()
        assert "4 unchanged, 1 removed" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=120) == 0
    finally:
        watching.kill()
        watching.communicate()
