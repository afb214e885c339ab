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

from evals.bench import feedbackqa, scifact
from evals.bench.__main__ import main
from evals.bench.collection import ndcg, recall
from evals.bench.figures import Measured

CORPUS = """doc_id,title,abstract,structured
11,Whales,"['Whales are mammals.'
 ""A whale's heart is large.""]",False
12,Moon,"['The moon circles the earth.']",False
"""
CLAIMS = "1\tWhales are mammals.\n2\tThe moon circles the sun.\n3\tNot judged.\n"
JUDGED = "1 0 11 1\n2 0 12 1\n"
PARAGRAPH = {"context": "The moon circles the earth.", "qas": [{"id": "q1", "question": "What circles the earth?"}]}
XQUAD = json.dumps({"data": [{"paragraphs": [PARAGRAPH]}]}).encode()
CODE = "def moon(): return 'earth'"
SITE = {
    "passages": [
        {"passage_id": 0, "reference": {"page_title": "Moon", "section_headers": ["Path"], "section_content": "Round."}}
    ],
    "examples": [{"question": "What is the path of the moon?", "passage_id": 0}],
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLUMB_ROLES__ANSWER", "scripted:quote")
    monkeypatch.setenv("PLUMB_ROLES__EMBED", "scripted:words")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path / "data"))


COLLECTIONS = {
    "scifact/corpus_train.csv": CORPUS.encode(),
    "scifact/topics.beir-v1.0.0-scifact.test.tsv.gz": gzip.compress(CLAIMS.encode()),
    "scifact/qrels.beir-v1.0.0-scifact.test.txt": JUDGED.encode(),
    "xquad/xquad.en.json": XQUAD,
    "xquad/xquad.de.json": XQUAD,
    "xquad/xquad.zh.json": XQUAD,
    "cosqa/code_idx_map.txt": json.dumps({CODE: 0}).encode(),
    "cosqa/cosqa-retrieval-dev-500.json": json.dumps([{"idx": "a", "doc": "moon", "code": CODE}]).encode(),
}
SITES = {f"feedbackqa/{site}/test.json": json.dumps(SITE).encode() for site in ("CDC", "UK")}


def pack(file: Path, members: dict[str, bytes]) -> None:
    file.parent.mkdir(exist_ok=True)
    with tarfile.open(file, "w:xz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_recall_by_hand() -> None:
    assert recall(["a", "b", "c"], {"a": 1, "c": 1, "d": 1, "b": 0}, depth=2) == pytest.approx(1 / 3)
    assert recall([], {"a": 1}, depth=5) == 0.0


def test_ndcg_by_hand() -> None:
    assert ndcg(["a", "b"], {"a": 1}, depth=10) == 1.0
    assert ndcg(["b", "a"], {"a": 1}, depth=10) == pytest.approx(1 / math.log2(3))
    assert ndcg(["b"], {"a": 1}, depth=10) == 0.0
    # Linear gains: a grade of 2 counts twice a grade of 1.
    ideal = 2 + 1 / math.log2(3)
    assert ndcg(["b", "a"], {"a": 2, "b": 1}, depth=10) == pytest.approx((1 + 2 / math.log2(3)) / ideal)
    assert ndcg([str(i) for i in range(20)], {"15": 1}, depth=10) == 0.0


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


def test_retrieval_is_skipped_without_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retrieval"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("machine: ")
    assert f"skipped: no {scifact.PACK}" in printed
    assert f"skipped: no {feedbackqa.PACK}" in printed


def test_retrieval_goes_through_ingest_and_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(tmp_path / "data" / scifact.PACK, COLLECTIONS)
    pack(tmp_path / "data" / feedbackqa.PACK, SITES)
    assert main(["retrieval"]) == 0
    printed = capsys.readouterr().out
    assert "scifact: 2 chunks (2 made now), 2 questions" in printed
    assert "scifact: nDCG@10 as fused: 1 = 1.36 x the bar, at least 0.735 - met" in printed
    assert "scifact: nDCG@10: 1 = 1.00 x the dense leg alone, at least 1 - met" in printed
    for name in ("xquad-en", "xquad-de", "xquad-zh", "cosqa", "feedbackqa-cdc", "feedbackqa-uk"):
        assert f"{name}: 1 chunks (1 made now), 1 questions" in printed
        assert f"{name}: nDCG@10: 1 = 1.00 x the lexical leg alone, at least 1 - met" in printed
        assert f"{name}: nDCG@10: 1 = 1.00 x as fused, 1 questions 1" in printed
    main(["retrieval"])
    assert "scifact: 2 chunks (0 made now)" in capsys.readouterr().out


def test_the_handbook_s_questions_are_asked_in_a_fresh_project(capsys: pytest.CaptureFixture[str]) -> None:
    main(["handbook", "--limit", "3"])
    printed = capsys.readouterr().out
    assert "36 documents" in printed
    assert "examples: recall@5:" in printed
    assert "held out: answerable, right:" in printed
    assert "held out: time to first token, p95:" in printed


def test_questions_of_many_threads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["concurrent", "--limit", "4"]) == 0
    printed = capsys.readouterr().out
    assert "one thread, each question for the first time: 4 questions" in printed
    assert re.search(r"questions a second, 32 threads: \S+ = \S+ x one thread \S+ - \S+ x 160", printed)


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
    assert "expected cold, formats, retrieval" in capsys.readouterr().err


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
