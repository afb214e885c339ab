"""The spool through its public methods, over real files, threads and processes."""

from __future__ import annotations

import gc
import json
import math
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from observed import STARTED_AT, TRACE_ID, ask_trace

from rag.errors import InputError, PlumbError, StoreError
from rag.observe.codec import decode, encode, without_content
from rag.observe.filter import Filter
from rag.observe.outbox import Progress
from rag.observe.spool import Spool, open_spool
from rag.settings import Settings
from rag.types import Citation, Feedback, Trace


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "deep" / "traces.db", destinations=["langfuse"])


def add(spool: Spool, number: int, **changes: object) -> Trace:
    trace = ask_trace(f"{number:032x}", started_at=STARTED_AT + number, **changes)
    spool.add_trace(trace)
    return trace


def test_a_trace_comes_back_as_it_was(spool: Spool) -> None:
    spool.add_trace(ask_trace())
    assert spool.trace(TRACE_ID) == ask_trace()
    assert Spool(spool.path).trace(TRACE_ID[:6].upper()) == ask_trace()


def test_reading_makes_no_file(spool: Spool) -> None:
    assert spool.traces() == []
    assert spool.pending("langfuse", limit=5) == []
    assert spool.waiting("langfuse") == 0
    assert spool.progress() == [Progress(destination="langfuse")]
    assert spool.feedback(TRACE_ID) == []
    assert spool.retry_refused() == 0
    with pytest.raises(InputError, match="no trace"):
        spool.trace("abc")
    with pytest.raises(InputError, match="no trace"):
        spool.add_feedback(Feedback(trace_id=TRACE_ID, up=True))
    assert not spool.path.parent.exists()


def test_the_file_stays_open_between_traces_and_closes_with_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    log = tmp_path / "traces.db-wal"
    add(spool, 1)
    assert log.exists()  # whoever closes the file as the last one writes it into the file, and waits for the disk
    spool.path.replace(tmp_path / "old.db")
    for name in ("-wal", "-shm"):
        Path(f"{spool.path}{name}").unlink()
    add(spool, 2)
    add(spool, 3)
    assert [row.id for row in Spool(spool.path).traces()] == [f"{number:032x}" for number in (3, 2)]
    assert log.exists()
    del spool
    gc.collect()
    assert not log.exists()


@pytest.mark.parametrize("asked", ["", "  ", "%", "xyz", "g" * 32, "0" * 33, "'; DROP TABLE traces; --", "é" * 500])
def test_an_id_that_is_none_is_one_line(spool: Spool, asked: str) -> None:
    add(spool, 1)
    with pytest.raises(InputError) as raised:
        spool.trace(asked)
    assert len(str(raised.value)) < 250
    assert "plumb traces" in raised.value.remedy


def test_an_ambiguous_id_is_refused(spool: Spool) -> None:
    add(spool, 0x11)
    add(spool, 0x12)
    with pytest.raises(InputError, match="more than one"):
        spool.trace("0000")


def test_the_list_is_newest_first_and_filtered(spool: Spool) -> None:
    for number in (2, 1, 3):
        add(spool, number, name="search" if number == 1 else "ask")
    spool.add_feedback(Feedback(trace_id=f"{2:032x}", up=False, comment="wrong", created_at=5))
    assert [int(row.id, 16) for row in spool.traces()] == [3, 2, 1]
    assert [int(row.id, 16) for row in spool.traces(limit=1)] == [3]
    assert [row.name for row in spool.traces(Filter(name="search"))] == ["search"]
    assert [int(row.id, 16) for row in spool.traces(Filter(rated="any"))] == [2]
    assert [int(row.id, 16) for row in spool.traces(Filter(rated="none"))] == [3, 1]


def test_a_row_tells_what_a_list_needs(spool: Spool) -> None:
    spool.add_trace(ask_trace(attributes={"abstained": True, "supported_share": 0.5}))
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=False, comment="wrong"))
    (row,) = spool.traces()
    assert (row.id, row.name, row.status, row.started_at) == (TRACE_ID, "ask", "ok", STARTED_AT)
    assert (row.question, row.answer) == ("How many days of leave?", "You have 30 days [1].")
    assert (row.duration_ms, row.abstained, row.supported_share) == (4500.0, True, 0.5)
    assert (row.rating, row.comment, row.delivery) == (False, "wrong", "pending")


def test_a_later_rating_replaces_but_keeps_its_time(spool: Spool) -> None:
    spool.add_trace(ask_trace())
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=True, created_at=100))
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=False, comment="no \ud800", created_at=200))
    assert spool.feedback(TRACE_ID) == [Feedback(trace_id=TRACE_ID, up=False, comment="no ?", created_at=100)]
    assert [item.kind for item in spool.pending("langfuse", limit=9)] == ["trace", "score"]


def test_a_rating_without_a_time_gets_one(spool: Spool) -> None:
    spool.add_trace(ask_trace())
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=True))
    (rating,) = spool.feedback(TRACE_ID)
    assert rating.created_at > 1_700_000_000


def test_the_outbox_goes_oldest_first_and_counts(spool: Spool) -> None:
    for number in (1, 2, 3):
        add(spool, number)
    spool.add_feedback(Feedback(trace_id=f"{1:032x}", up=True))
    first, second, third, score = spool.pending("langfuse", limit=9)
    assert [first.trace_id[-1], second.trace_id[-1], third.trace_id[-1], score.kind] == ["1", "2", "3", "score"]
    spool.delivered(first)
    spool.refused(second, "too large")
    spool.failed("langfuse", "server is down", wait_s=60)
    assert spool.pending("langfuse", limit=9) == [third, score]
    (progress,) = spool.progress()
    assert (progress.waiting, progress.refused, progress.delivered) == (2, 1, 1)
    assert progress.reasons == {"too large": 1}
    assert (progress.breaker.failures, progress.breaker.reason) == (1, "server is down")
    assert progress.breaker.is_open
    assert [row.delivery for row in spool.traces()] == ["pending", "failed", "delivered"]
    assert spool.retry_refused() == 1
    assert second in spool.pending("langfuse", limit=9)


def test_what_changes_while_it_is_sent_is_sent_again(spool: Spool) -> None:
    spool.add_trace(ask_trace())
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=True))
    trace, score = spool.pending("langfuse", limit=9)
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=False))
    spool.delivered(trace)
    spool.delivered(score)
    assert [item.kind for item in spool.pending("langfuse", limit=9)] == ["score"]


def test_a_rating_shares_the_fate_of_its_trace(spool: Spool) -> None:
    spool.add_trace(ask_trace())
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=True))
    spool.refused(spool.pending("langfuse", limit=1)[0], "too large")
    assert spool.pending("langfuse", limit=9) == []
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=False))
    assert spool.pending("langfuse", limit=9) == []
    spool.retry_refused()
    assert [item.kind for item in spool.pending("langfuse", limit=9)] == ["trace", "score"]


def test_without_an_account_traces_stay_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGFUSE_PUBLIC_KEY", raising=False)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    spool = open_spool(Settings(root=tmp_path))
    spool.add_trace(ask_trace())
    spool.add_feedback(Feedback(trace_id=TRACE_ID, up=True))
    assert [row.delivery for row in spool.traces()] == ["local"]
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    later = open_spool(Settings(root=tmp_path))
    later.add_feedback(Feedback(trace_id=TRACE_ID, up=False))
    assert later.pending("langfuse", limit=9) == []
    add(later, 1)
    assert [item.trace_id for item in later.pending("langfuse", limit=9)] == [f"{1:032x}"]


@pytest.mark.parametrize("value", [None, True, 0, -1.5, 1e300, "", "täxt \u2028 \x00 \ud800", [], {}, [{"a": [None]}]])
def test_json_values_survive_exactly(spool: Spool, value: object) -> None:
    trace = ask_trace(input=value, output={"text": value}, attributes={"x": value})
    spool.add_trace(trace)
    assert spool.trace(TRACE_ID) == trace
    assert spool.traces()[0].id == TRACE_ID


def test_values_that_json_lacks_become_near_ones(tmp_path: Path) -> None:
    import numpy as np

    citation = Citation(marker=1, uri="a", page=None, headings=(), quote="q", supported=True)
    attributes = {"c": citation, "s": {2, 1}, "n": np.float32(0.5), "i": np.int64(7), "p": tmp_path, "nan": math.nan}
    back = decode(encode(ask_trace(attributes=attributes))).attributes
    assert back["c"]["uri"] == "a"
    assert (back["s"], back["n"], back["i"], back["p"]) == ([1, 2], 0.5, 7, str(tmp_path))
    assert math.isnan(back["nan"])


def test_facts_that_no_json_can_hold_are_a_store_error(spool: Spool) -> None:
    loop: list[object] = []
    loop.append(loop)
    for facts in ({"loop": loop}, {"keys": {(1, 2): 3}}):
        with pytest.raises(StoreError, match="is not JSON"):
            spool.add_trace(ask_trace(attributes=facts))
    assert spool.traces() == []


def test_without_content_no_word_stays_and_all_numbers_do() -> None:
    bare = without_content(ask_trace())
    text = encode(bare)
    for word in ("How many", "30 days", "secret passage", "Leave", "Answer."):
        assert word not in text
    assert (bare.input, bare.output) == (None, None)
    retrieve, generate = bare.steps[1], bare.steps[2]
    first = retrieve.attributes["hits"][0]
    assert first["uri"] == "handbook/leave-0.md"
    assert first["scores"] == {"dense": 0.8, "lexical": 11.5}
    assert generate.attributes["usage"] == {"prompt": 400, "completion": 20, "cached": 150}
    assert generate.attributes["resolved_model"] == "qwen2.5-coder-1.5b-q4"
    assert bare.attributes["models"]["answer"] == "qwen2.5-coder-1.5b-q4"
    assert bare.attributes["citations"][0]["uri"] == "leave.md"
    assert ask_trace().steps[0].id == bare.steps[0].id


def test_without_content_keeps_only_the_class_of_an_error() -> None:
    from dataclasses import replace

    step = replace(ask_trace().steps[0], error="InputError: the question 'my salary' is empty")
    assert without_content(ask_trace(steps=(step,))).steps[0].error == "InputError"


def test_threads_share_one_spool(spool: Spool) -> None:
    def write(worker: int) -> None:
        for number in range(10):
            add(spool, worker * 100 + number)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spool.traces(limit=100)) == 60


def test_processes_share_one_file_even_at_its_birth(spool: Spool) -> None:
    script = (
        "import sys; from pathlib import Path; from observed import ask_trace; from rag.observe.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]))\n"
        "for number in range(10): spool.add_trace(ask_trace(f'{int(sys.argv[2]):04x}{number:028x}'))"
    )
    paths = f"{Path(__file__).parent}:{Path(__file__).parents[2]}"
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(spool.path), str(worker)], env={"PYTHONPATH": paths})
        for worker in range(5)
    ]
    assert [process.wait(60) for process in started] == [0] * 5
    assert len(spool.traces(limit=100)) == 50


def message_of(error: PlumbError) -> str:
    assert error.remedy
    assert "\n" not in str(error)
    return str(error)


def test_a_file_that_is_no_database_is_a_store_error(spool: Spool) -> None:
    spool.path.parent.mkdir()
    spool.path.write_bytes(b"this is not a database" * 100)
    for use in (lambda: spool.add_trace(ask_trace()), spool.traces, spool.progress):
        with pytest.raises(StoreError) as raised:
            use()
        assert "move the file away" in message_of(raised.value)


def test_a_damaged_file_is_a_store_error(spool: Spool) -> None:
    before = Spool(spool.path)
    for number in range(20):
        add(before, number)
    del before  # writes its log into the file
    content = bytearray(spool.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    spool.path.write_bytes(content)
    with pytest.raises(StoreError) as raised:
        spool.traces()
    assert "move the file away" in message_of(raised.value)


def test_a_file_of_a_newer_version_is_left_alone(spool: Spool) -> None:
    add(spool, 1)
    db = sqlite3.connect(spool.path)
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(StoreError, match="has version 9") as raised:
        add(spool, 2)
    assert "update Plumbline" in message_of(raised.value)


def test_a_trace_of_a_newer_version_is_told(spool: Spool) -> None:
    spool.add_trace(ask_trace())
    db = sqlite3.connect(spool.path)
    for body in ('{"future": 1}', "[]", "not json", json.dumps({"steps": [{"future": 1}]})):
        with db:
            db.execute("UPDATE traces SET body = ?", (body,))
        with pytest.raises(InputError, match="can't be read back"):
            spool.trace(TRACE_ID)
    db.close()


def test_a_trace_is_kept_whole_or_not_at_all(spool: Spool) -> None:
    add(spool, 1)
    db = sqlite3.connect(spool.path)
    db.execute("CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError):
        add(spool, 2)
    assert db.execute("SELECT count(*) FROM traces").fetchone() == (1,)
    db.close()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as raised:
        Spool(tmp_path / "file" / "traces.db").add_trace(ask_trace())
    assert "writable" in message_of(raised.value)
    with pytest.raises(StoreError) as raised:
        Spool(tmp_path).add_trace(ask_trace())
    assert "writable" in message_of(raised.value)


def test_a_full_disk_is_a_store_error_and_leaves_whole_traces(spool: Spool) -> None:
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from observed import ask_trace; from rag.observe.spool import Spool; from rag.errors import StoreError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "spool = Spool(Path(sys.argv[1]))\n"
        "try:\n"
        "    for number in range(50): spool.add_trace(ask_trace(f'{number:032x}'))\n"
        "except StoreError as error: print(error.remedy); sys.exit(7)"
    )
    paths = f"{Path(__file__).parent}:{Path(__file__).parents[2]}"
    command = [sys.executable, "-c", script, str(spool.path)]
    done = subprocess.run(command, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")
    assert "disk" in done.stdout
    kept = spool.traces(limit=100)
    assert 0 < len(kept) < 50
    assert all(spool.trace(row.id).id == row.id for row in kept)
    add(spool, 99)
