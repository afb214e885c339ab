"""Benchmarks: their arithmetic, their lines, and that each works on something small."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import tarfile
from pathlib import Path

import pytest

from evals.bench.__main__ import main
from evals.bench.figures import Measured
from evals.bench.scifact import PACK, ndcg

CORPUS = """doc_id,title,abstract,structured
11,Whales,"['Whales are mammals.'
 ""A whale's heart is large.""]",False
12,Moon,"['The moon circles the earth.']",False
"""
CLAIMS = "1\tWhales are mammals.\n2\tThe moon circles the sun.\n3\tNot judged.\n"
JUDGED = "1 0 11 1\n2 0 12 1\n"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLUMB_ROLES__ANSWER", "scripted:quote")
    monkeypatch.setenv("PLUMB_ROLES__EMBED", "scripted:words")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path / "data"))


def pack(folder: Path) -> None:
    members = {
        "corpus_train.csv": CORPUS.encode(),
        "topics.beir-v1.0.0-scifact.test.tsv.gz": gzip.compress(CLAIMS.encode()),
        "qrels.beir-v1.0.0-scifact.test.txt": JUDGED.encode(),
    }
    folder.mkdir()
    with tarfile.open(folder / PACK, "w:xz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"scifact/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_ndcg_by_hand() -> None:
    assert ndcg(["a", "b"], {"a": 1}) == 1.0
    assert ndcg(["b", "a"], {"a": 1}) == pytest.approx(1 / math.log2(3))
    assert ndcg(["b"], {"a": 1}) == 0.0
    # Linear gains: a grade of 2 counts twice a grade of 1.
    ideal = 2 + 1 / math.log2(3)
    assert ndcg(["b", "a"], {"a": 2, "b": 1}) == pytest.approx((1 + 2 / math.log2(3)) / ideal)
    assert ndcg([str(i) for i in range(20)], {"15": 1}) == 0.0


def test_lines() -> None:
    met = Measured(name="nDCG@10", value=0.735, reference=0.72, against="the bar", note="300 questions")
    assert met.line() == "nDCG@10: 0.735 = 1.02 x the bar, at least 0.72 - met; 300 questions"
    slow = Measured(name="help", value=0.8, reference=0.4, against="the bar", unit="s", highest=True)
    assert slow.line() == "help: 0.8 s = 2.00 x the bar, at most 0.4 s - MISSED"
    peer = Measured(name="nDCG@10", value=0.7, reference=0.8, against="dense leg alone", is_bar=False)
    assert peer.line() == "nDCG@10: 0.7 = 0.87 x dense leg alone 0.8"
    assert not peer.missed
    absent = Measured(name="right", value=None, reference=0.7, against="the bar")
    assert (absent.missed, absent.line()) == (True, "right: not measured (the bar 0.7)")


def test_scifact_is_skipped_without_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scifact"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("machine: ")
    assert f"skipped: no {PACK}" in printed


def test_scifact_goes_through_ingest_and_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(tmp_path / "data")
    assert main(["scifact"]) == 0
    printed = capsys.readouterr().out
    assert "2 chunks; 2 embedded now" in printed
    assert "nDCG@10: 1 = 1.39 x the bar, at least 0.72 - met; 2 questions" in printed
    assert "x dense leg alone" in printed
    assert "x lexical leg alone" in printed
    main(["scifact"])
    assert "2 chunks; 0 embedded now" in capsys.readouterr().out


def test_the_handbook_s_questions_are_asked_in_a_fresh_project(capsys: pytest.CaptureFixture[str]) -> None:
    main(["handbook", "--limit", "3"])
    printed = capsys.readouterr().out
    assert "36 documents" in printed
    assert "examples: recall@5:" in printed
    assert "held out: answerable, right:" in printed
    assert "held out: time to first token, p95:" in printed


def test_memory_is_that_of_all_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "--limit", "1"]) == 0
    printed = capsys.readouterr().out
    peaks = [float(mb) for mb in re.findall(r": ([\d.e+]+) MB = ", printed)]
    assert len(peaks) == 3
    # Python with the modules of the run, and the parser's.
    assert all(60 < mb < 1500 for mb in peaks)


def test_an_unknown_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["nonsense"])
    assert caught.value.code == 2
    assert "expected cold, formats, scifact" in capsys.readouterr().err


def test_a_run_that_an_error_cut_short_is_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = [
        {"match": "Question: (When|What does)", "reply": "At 16:30."},
        {"match": "", "error": "the server is down"},
    ]
    (tmp_path / "script.json").write_text(json.dumps(replies))
    monkeypatch.setenv("PLUMB_ROLES__ANSWER", f"scripted:{tmp_path / 'script.json'}")
    assert main(["handbook", "--limit", "6"]) == 1
    printed = capsys.readouterr().out
    assert "failed: " in printed
    assert "the server is down" in printed
    assert "examples: recall@5" not in printed
