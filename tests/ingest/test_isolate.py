"""A parsing process that a foreign document took over, that can't start, or whose run is gone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from ingest.isolate.messages import Job, Part, Refused, Setup
from ingest.isolate.process import ParsingProcess
from rag.errors import PlumbError
from rag.sections import Ingest
from rag.settings import Settings
from rag.types import chunk_id

CHILD = """
import os, pathlib, sys, time
from multiprocessing.connection import Connection
with Connection(int(sys.argv[-1])) as connection:
    connection.recv()
    connection.send_bytes(b"ready")
    connection.recv()
    {answer}
    connection.recv()
"""
Told = Callable[[str], list[Part | Refused]]


def chunk(position: int, **changed: Any) -> dict[str, Any]:
    plain = {"uri": "a.md", "title": "", "headings": [], "page": None, "position": position, "text": "x"}
    own = {"id": chunk_id("a.md", "hash", position), "revision": "hash", "parent": None, "boxes": []}
    return {**plain, **own, **changed}


def part(*chunks: Any, is_last: bool = True, **changed: Any) -> dict[str, Any]:
    told = {"hash": "hash", "revision": "hash", "bytes": 1, "chunks": chunks, "is_last": is_last, "warnings": []}
    return {**told, **changed}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the run makes of a child that does `answer`, a line of Python."""
    limits = Ingest(parse_timeout_s=1.0, max_chunks=100)
    setup = Setup(settings=Settings(root=tmp_path, ingest=limits), max_tokens=100)

    def messages(answer: str) -> list[Part | Refused]:
        script, python = tmp_path / "child.py", tmp_path / "python"
        script.write_text(CHILD.format(answer=answer))
        python.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        python.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(python))
        job = Job(path=script, uri="a.md", source="", known_revision="known")
        with closing(ParsingProcess(setup)) as process:
            return list(process.messages(job))

    return messages


def sent(*messages: Any) -> str:
    data = [json.dumps(message).encode() for message in messages]
    return f"[connection.send_bytes(data) for data in {data}]"


def test_the_chunks_of_a_document_are_taken(told: Told) -> None:
    messages = told(sent(part(chunk(0), is_last=False), part(chunk(1, parent=[1, 2]), chunk(2, boxes=[[0, 0, 1, 1]]))))
    assert [isinstance(message, Part) for message in messages] == [True, True]


@pytest.mark.parametrize(
    "answer",
    [
        sent([]),
        sent("reason"),
        sent(part()),
        sent(part([])),
        sent(part({})),
        sent(part(chunk(0), bytes=2**70)),
        sent(part(chunk(0, uri="b.md"))),
        sent(part(chunk(0, id=chunk_id("b.md", "hash", 0)))),
        sent(part(chunk(0, revision="other"))),
        sent(part(chunk(0, revision="known"), hash="known", revision="known")),
        sent(part(chunk(1))),
        sent(part(chunk(0), is_last=False), part(chunk(0))),
        sent(part(chunk(0, headings=3))),
        sent(part(chunk(0, page=2**70))),
        sent(part(chunk(0, parent=[0, 10**9]))),
        sent(part(chunk(0, boxes=[[0, 0, 1, float("nan")]]))),
        sent(*[part(chunk(n), is_last=False) for n in range(101)]),
        "connection.send_bytes(b'[' * 100_000)",
        "os.write(connection.fileno(), b'abc') and time.sleep(60)",  # of a message, and no more
    ],
)
def test_other_answers_are_laid_to_the_document_alone(told: Told, answer: str) -> None:
    *before, last = told(answer)
    assert isinstance(last, Refused)
    assert "broke its parser" in last.reason
    assert len(before) <= 100


def test_a_process_that_cannot_start_is_laid_to_no_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(path=tmp_path / "a.md", uri="a.md", source="")
    with closing(ParsingProcess(Setup(settings=Settings(root=tmp_path), max_tokens=100))) as process:
        for python in ("/bin/false", "/nosuch"):
            monkeypatch.setattr(sys, "executable", python)
            with pytest.raises(PlumbError, match="the parsing process did not start"):
                list(process.messages(job))


def test_a_child_sees_no_keys_but_those_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "QDRANT_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORDS"):
        monkeypatch.setenv(name, "secret")
    seen = {}
    for chunking in ("title", "semantic"):
        settings = Settings(root=tmp_path, ingest=Ingest(chunking=chunking, password_env="MY_PASSWORDS"))
        with closing(ParsingProcess(Setup(settings=settings, max_tokens=100))) as process:
            others = psutil.Process().children()
            process.start()
            (child,) = (child for child in psutil.Process().children() if child not in others)
            seen[chunking] = {name for name, value in child.environ().items() if value == "secret"}
    assert seen["title"] == {"MY_PASSWORDS"}
    assert "OPENAI_API_KEY" in seen["semantic"]


def test_a_document_that_hangs_ends_its_process_without_a_run_that_watches() -> None:
    # The pattern is matched without letting any other thread run.
    hanging = "import re; from ingest.isolate import child; child._GRACE_S = 0.1; list(child._in_time(hang(), 0.1))"
    code = f"def hang():\n    yield re.match('(a|aa)+$', 'a' * 60 + 'b')\n{hanging}"
    ended = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert ended.returncode == -signal.SIGALRM
