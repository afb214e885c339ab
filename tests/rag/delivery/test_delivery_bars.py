"""What delivery promises, with everything going wrong: nothing that was kept is lost, doubled, or in the way.

At least once on the wire, so that a server which takes what it does not confirm gets it again; exactly once by id.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langfuse_server import OTLP_PATH, OTLP_TOKEN, PUBLIC_KEY, SECRET_KEY, FakeLangfuse, running
from small_disk import small_disk

from rag.observe.ship import ship
from rag.observe.spool import Spool, open_spool
from rag.settings import Settings

HERE = Path(__file__).parent
KEYS = {
    "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY,
    "LANGFUSE_SECRET_KEY": SECRET_KEY,
    "OTLP_AUTHORIZATION": f"Bearer {OTLP_TOKEN}",
}
ENVIRONMENT = {**KEYS, "PYTHONPATH": f"{HERE.parent}:{HERE.parents[2]}", "PATH": os.environ.get("PATH", "")}
MOODS: tuple[Any, ...] = ("ok", "ok", "cut", "half", "hang", "slow", "page", 401, 408, 429, 500, 503)
ANSWERS = 5_000
# All that one process takes at most, with 65 MB of traces waiting in its file.
LARGEST_MB = 130
ENDS_WITHIN_S = 0.5
# For a machine that is busy with other things.
PATIENCE_S = 300


@pytest.fixture
def servers() -> Iterator[dict[str, FakeLangfuse]]:
    with running() as langfuse, running() as otlp:
        langfuse.is_terse = otlp.is_terse = True
        yield {"langfuse": langfuse, "otlp": otlp}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def given(servers: dict[str, FakeLangfuse], root: Path, *, timeout_s: float = 0.25) -> dict[str, Any]:
    endpoint = f"{servers['otlp'].url}{OTLP_PATH}"
    return {
        "root": str(root),
        "langfuse": {"host": servers["langfuse"].url, "timeout_s": timeout_s},
        "otlp": {
            "endpoint": endpoint,
            "headers_env": {"Authorization": "OTLP_AUTHORIZATION"},
            "timeout_s": timeout_s,
        },
    }


class Application:
    """A running application; `kept` is what it said was kept, a set of 'trace ID' and 'score ID'."""

    def __init__(self, told: dict[str, Any], *, first: int, count: int, rated: int, size: str = "small") -> None:
        """Start it."""
        command = [sys.executable, str(HERE / "traced_application.py"), json.dumps(told)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*command, str(first), str(count), str(rated), size], env=ENVIRONMENT, stdin=pipe, stdout=pipe, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def wait_for(self, word: str, *, within_s: float = PATIENCE_S) -> None:
        eventually(lambda: any(line.startswith(word) for line in self.lines), within_s=within_s)

    def told(self, line: str) -> str:
        """Say a line to it, wait for its end, and return its last line."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.close()
        assert self.process.wait(PATIENCE_S) == 0
        return self.last()

    def last(self) -> str:
        self._reader.join(10)
        assert self.process.stdout
        self.process.stdout.close()
        return self.lines[-1].strip() if self.lines else ""

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdin
        self.process.stdin.close()
        self.last()

    @property
    def kept(self) -> set[str]:
        # A line that was cut by the kill is no word.
        return {line.strip() for line in self.lines if line.startswith(("trace ", "score ")) and line.endswith("\n")}


def eventually(true: Any, *, within_s: float) -> None:
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.01)


def drained(told: dict[str, Any]) -> Spool:
    """What a later process delivers, once all is well."""
    settings = Settings(**{**told, "root": Path(told["root"])})
    spool = open_spool(settings)
    while any(one.waiting for one in spool.progress()):
        found = ship(spool, settings)
        assert all(one.reason in ("", "the time was up") for one in found), found
    return spool


def assert_all_there(servers: dict[str, FakeLangfuse], spool: Spool, kept: set[str]) -> None:
    """Everything kept is on the servers once by its id, nothing else is, and no rating came before its trace."""
    traces = {row.id for row in spool.traces(limit=100_000)}
    promised = {line.partition(" ")[2] for line in kept if line.startswith("trace ")}
    assert promised <= traces
    for fake in servers.values():
        assert set(fake.traces()) == traces
        roots = {span.id for span in fake.spans if not span.parent_id}
        assert len(roots) == len(traces)
    langfuse = servers["langfuse"]
    rated = {line.partition(" ")[2] for line in kept if line.startswith("score ")}
    said = {score["traceId"]: score["value"] for score in langfuse.kept_scores.values()}
    assert rated <= set(said)
    assert len(said) == len(langfuse.kept_scores)
    assert {said[trace_id] for trace_id in rated} <= {1.0}
    first = {arrival: at for at, arrival in reversed(list(enumerate(langfuse.arrivals)))}
    assert all(first["trace", trace_id] < first["score", trace_id] for trace_id in said)
    assert not [fake for name, fake in servers.items() if name != "langfuse" and fake.scores]


@contextmanager
def moody(servers: dict[str, FakeLangfuse], chance: random.Random) -> Iterator[None]:
    """Servers that misbehave another way every few moments, each for itself; in the end they are well."""
    ended = threading.Event()

    def change() -> None:
        while not ended.wait(0.1):
            for fake in servers.values():
                fake.behaviour = chance.choice(MOODS)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for fake in servers.values():
            fake.behaviour = "ok"


def test_two_processes_killed_at_random_moments_lose_nothing(servers: dict[str, FakeLangfuse], tmp_path: Path) -> None:
    chance, kept = random.Random(7), set[str]()  # noqa: S311 - the same moments each time
    told = given(servers, tmp_path)
    with moody(servers, chance):
        for turn in range(4):
            firsts = [turn * 100_000, turn * 100_000 + 50_000]
            both = [Application(told, first=first, count=1_000, rated=3) for first in firsts]
            for one in both:
                one.wait_for("score")
            for one in both:
                time.sleep(chance.uniform(0.05, 1.0))
                one.kill()
                kept |= one.kept
    assert len(kept) > 100
    assert_all_there(servers, drained(told), kept)


def test_a_full_disk_loses_nothing_that_was_kept(servers: dict[str, FakeLangfuse], tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=10) as disk:
        told = {**given(servers, tmp_path), "data_dir": str(disk / "data")}
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 7_500_000)
        one = Application(told, first=0, count=150, rated=2, size="large")
        one.wait_for("full")
        kept_by_then = len(one.kept)
        ballast.unlink()
        one.wait_for("done")
        one.told("drain langfuse otlp")
        assert len(one.kept) == 225 > kept_by_then > 0
        assert_all_there(servers, drained(told), one.kept)


def test_after_an_outage_everything_arrives_in_bounded_memory(servers: dict[str, FakeLangfuse], tmp_path: Path) -> None:
    servers["langfuse"].behaviour, servers["otlp"].behaviour = 503, "cut"
    told = given(servers, tmp_path, timeout_s=5)
    one = Application(told, first=0, count=ANSWERS, rated=10, size="large")
    one.wait_for("done")
    assert len(one.kept) == ANSWERS * 1.1
    assert servers["langfuse"].spans == []
    # In an outage it is tried now and then, not with every answer.
    assert 1 <= len(servers["langfuse"].requests) < 1_000
    servers["langfuse"].behaviour = "ok"
    memory_mb = int(one.told("drain langfuse"))
    assert memory_mb < LARGEST_MB
    spool = Spool(tmp_path / ".plumb" / "traces.db")
    assert spool.waiting("langfuse") == 0
    # The other one is still down, and held nobody up.
    assert spool.waiting("otlp") == ANSWERS
    assert_all_there({"langfuse": servers["langfuse"]}, spool, one.kept)


def test_a_hanging_server_holds_up_no_exit(servers: dict[str, FakeLangfuse], tmp_path: Path) -> None:
    for fake in servers.values():
        fake.behaviour = "hang"
    told = given(servers, tmp_path / "hanging", timeout_s=60)
    alone = {"root": str(tmp_path / "alone"), "langfuse": {"public_key_env": ""}}
    # Beyond what the same application takes that delivers nowhere: a busy machine takes its time to end any process.
    bar_s = ENDS_WITHIN_S + ended_after_s(alone, [])
    assert any(ended_after_s(told, [*servers.values()]) < bar_s for _ in range(3))
    assert Spool(tmp_path / "hanging" / ".plumb" / "traces.db").waiting("langfuse") == 20


def ended_after_s(told: dict[str, Any], hanging: list[FakeLangfuse]) -> float:
    """How long after its last answer an application ends that waits for these servers."""
    for fake in hanging:
        fake.requests.clear()
    one = Application(told, first=0, count=20, rated=0)
    one.wait_for("done")
    eventually(lambda: all(fake.requests for fake in hanging), within_s=PATIENCE_S)
    began = time.monotonic()
    one.told("go")
    return time.monotonic() - began
