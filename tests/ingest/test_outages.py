"""What an index needs fails while it is filled: the run says so, and the next one ends up where one would have."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from command_line import Plumb, failed, fine
from loopback import Server, served
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException
from small_disk import mount, small_disk

from ingest.library import Library
from ingest.pipeline import ingest
from ingest.progress import Report
from rag.errors import ModelError, StoreError
from rag.index import open_index
from rag.settings import Settings, load_settings
from rag.types import Chunk

SCRIPTED = '[roles]\nanswer = "scripted:quote"\nembed = "scripted:words"\n'


def configured(project: Path, text: str) -> Settings:
    (project / "plumbline.toml").write_text(text)
    return load_settings(project / "plumbline.toml")


def filled(corpus: Path, settings: Settings) -> Report:
    *_, report = ingest([corpus], settings=settings)
    assert isinstance(report, Report)
    return report


def chunks(settings: Settings) -> list[Chunk]:
    """All that is in the index; the manifest must tell of the same."""
    store = open_index(settings).store
    found = sorted(store.chunks(), key=lambda chunk: chunk.id)
    store.close()
    records = Library(settings).manifest.records().values()
    assert sorted(chunk for record in records for chunk in record.made.chunk_ids) == [chunk.id for chunk in found]
    assert Library(settings).manifest.begun() == []
    return found


def write_many(folder: Path) -> None:
    """Documents that take a run a while."""
    for number in range(60):
        paragraphs = [f"Paragraph {n} of document {number}. " + "word " * 60 for n in range(100)]
        (folder / f"{number}.md").write_text("\n\n".join(paragraphs))


@pytest.fixture
def uninterrupted(project: Path, corpus: Path) -> list[Chunk]:
    """What an undisturbed run makes of many documents."""
    write_many(corpus)
    settings = configured(project, f'data_dir = "undisturbed"\n{SCRIPTED}')
    filled(corpus, settings)
    return chunks(settings)


# The disk.


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 28 MB."""
    with small_disk(tmp_path / "disk", megabytes=28) as place:
        yield place


def test_a_disk_that_fills_up(plumb: Plumb, project: Path, uninterrupted: list[Chunk], disk: Path) -> None:
    settings = configured(project, f'data_dir = "{disk}/data"\n{SCRIPTED}[store]\nmin_free_mb = 20\n')
    line = failed(plumb("ingest", "docs"), code=1)
    assert "expected at least store.min_free_mb = 20; free space there" in line
    done = len(Library(settings).manifest.records())
    assert 0 < done < 60
    assert not mount(disk, "remount,size=200m")
    assert f"{63 - done} added, {done} unchanged" in fine(plumb("ingest", "docs"))
    assert chunks(settings) == uninterrupted


# The run itself.


def test_sigterm(plumb: Plumb, project: Path, uninterrupted: list[Chunk]) -> None:
    settings = configured(project, SCRIPTED)
    command = [sys.executable, "-m", "rag.cli", "ingest", "docs"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        while run.poll() is None and not Library(settings).manifest.records():
            time.sleep(0.02)
        run.send_signal(signal.SIGTERM)
        printed, complained = run.communicate(timeout=60)
    assert (run.returncode, printed) == (128 + signal.SIGTERM, "")
    assert complained == "plumb: ended by SIGTERM; what is finished stays, run it again to go on from there\n"
    (trace,) = json.loads(fine(plumb("traces", "--json")))
    assert trace["status"] == "abandoned"
    assert filled(project / "docs", settings).unchanged > 0
    assert chunks(settings) == uninterrupted


def test_a_clock_that_jumps(project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, jumps = time.time, iter(range(1_000_000))
    settings = configured(project, SCRIPTED)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: real() + (-1) ** next(jumps) * 10_000)
        first = filled(corpus, settings)
        (corpus / "travel.md").write_text("# Travel\n\nWalk.\n")
        (corpus / "limits.csv").unlink()
        second = filled(corpus, settings)
    assert (first.added, second.replaced, second.unchanged, second.removed) == (3, 1, 1, 1)
    assert max(first.seconds, second.seconds) < 1_000
    assert filled(corpus, settings).unchanged == 2
    again = configured(project, f'data_dir = "again"\n{SCRIPTED}')
    filled(corpus, again)
    assert chunks(settings) == chunks(again)


# The store.


class Failing(QdrantClient):
    """A server that goes down at its `left`-th write from now, having done it or not."""

    left = 1_000_000
    does_it = False

    def upsert(self, collection_name: str, points: Any, **options: Any) -> Any:
        return self._asked(lambda: QdrantClient.upsert(self, collection_name, points, **options))

    def batch_update_points(self, collection_name: str, update_operations: Any, **options: Any) -> Any:
        return self._asked(
            lambda: QdrantClient.batch_update_points(self, collection_name, update_operations, **options)
        )

    def _asked(self, write: Any) -> Any:
        self.left -= 1
        if self.left == 0 and self.does_it:
            write()
        if self.left <= 0:
            raise ResponseHandlingException(OSError("Connection refused"))
        return write()


def test_a_store_that_is_down(plumb: Plumb, project: Path, corpus: Path) -> None:
    configured(project, f'{SCRIPTED}[store]\nkind = "server"\nurl = "http://127.0.0.1:9"\n')
    line = failed(plumb("ingest", "docs"), code=1)
    assert "the Qdrant server refused or can't be reached" in line
    assert "store.url" in line


@pytest.mark.parametrize("does_it", [False, True])
def test_a_store_that_goes_down_and_comes_back(
    project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, *, does_it: bool
) -> None:
    monkeypatch.setattr("ingest.pipeline.GROUP_CHUNKS", 1)
    settings = configured(project, f'{SCRIPTED}[store]\nkind = "server"\n')
    client = Failing(":memory:")
    monkeypatch.setattr("rag.store.server.connect", lambda *_where, **_options: client)
    for number, write in enumerate((4, 1, 2)):
        (corpus / "travel.md").write_text(f"# Travel\n\nGo {number} times.\n")
        client.left, client.does_it = write, does_it
        with pytest.raises(StoreError, match="Connection refused"):
            filled(corpus, settings)
        client.left = 1_000_000
        filled(corpus, settings)
        assert {chunk.text for chunk in chunks(settings) if chunk.uri == "docs/travel.md"} == {f"Go {number} times."}
    again = configured(project, f'data_dir = "again"\n{SCRIPTED}')
    filled(corpus, again)
    assert chunks(settings) == chunks(again)


# The embedder.


class _Embeddings(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
        fake = self.server.fake
        fake.calls += 1
        is_well = fake.calls % fake.fails_every if fake.fails_every else False
        rows = [{"index": n, "embedding": [1.0, float(len(text))]} for n, text in enumerate(texts)]
        body = json.dumps({"data": rows, "model": "m"} if is_well else {"error": {"message": "busy"}}).encode()
        self.send_response(200 if is_well else 503)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_server_of_embeddings_that_fails(project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.pipeline.GROUP_CHUNKS", 1)
    monkeypatch.setattr("ingest.pipeline.RETRY_AFTER_S", (0.0, 0.0))
    fake = SimpleNamespace(released=Event(), calls=0, fails_every=3)
    with served(_Embeddings, fake) as url:
        model = f'[roles]\nembed = "here:m"\n[providers.here]\nbase_url = "{url}/v1"\nmax_retries = 1\n'
        settings = configured(project, model)
        assert filled(corpus, settings).added == 3
        before = chunks(settings)
        fake.fails_every = 0
        (corpus / "new.md").write_text("# New\n\nA new text.\n")
        with pytest.raises(ModelError, match="here:m"):
            filled(corpus, settings)
        fake.fails_every = 3
        assert chunks(settings) == before
        assert (filled(corpus, settings).added, len(chunks(settings))) == (1, len(before) + 1)
