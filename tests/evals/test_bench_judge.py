"""The benchmark of the judge: people's labels are read, and the judge's are held against them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from evals.bench import ragchecker
from evals.bench.__main__ import main
from rag.errors import InputError


def row(number: int, label: int, first: str, second: str) -> dict[str, Any]:
    return {
        "dataset": "made",
        "query_id": number,
        "query": f"How much leave, in case {number}?",
        "gt_answer": "28 days",
        "model1": {"model_name": "a", "response": first},
        "model2": {"model_name": "b", "response": second},
        "correctness_label": label,
    }


ROWS = [
    row(1, -1, "28 days", "10 days, wrongly"),
    row(1, -2, "28 days", "10 days, wrongly"),
    row(2, 2, "never wrongly", "it is 28 days"),
    row(2, 0, "never wrongly", "it is 28 days"),
    row(3, 0, "28 days", "28 days"),
    row(3, 0, "28 days", "28 days"),
]


def pack(folder: Path, data: object) -> Path:
    file, text = folder / ragchecker.PACK, json.dumps(data).encode()
    with tarfile.open(file, "w:xz") as archive:
        member = tarfile.TarInfo(ragchecker.MEMBER)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return file


def test_the_judge_is_held_against_two_persons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack(tmp_path, ROWS)
    script = tmp_path / "judge.json"
    script.write_text(json.dumps([{"match": "wrongly", "reply": "No"}, {"match": "", "reply": "Yes"}]))
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path))
    monkeypatch.setenv("PLUMB_ROLES__JUDGE", f"scripted:{script}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["judge"]) == 0
    told = capsys.readouterr().out
    assert "3 pairs; graded by " in told
    assert "people with each other: kappa 0.50" in told
    assert "67% the same of 3" in told
    # Of six labels one is "same" where the judge finds the second better; so do the words.
    assert "the judge with people: kappa 0.75" in told
    assert "words in common with people: kappa 0.75" in told
    assert "= 1.50 x that of people with each other 0.5" in told


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="as RAGChecker has it"):
        ragchecker.read_pairs(pack(tmp_path, {"rows": []}))
    with pytest.raises(InputError, match="can't be used"):
        ragchecker.read_pairs(tmp_path / "none.tar.xz")


def test_without_its_model_file_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack(tmp_path, ROWS)
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path))
    monkeypatch.setenv("PLUMB_LOCAL__DIR", str(tmp_path))
    assert main(["judge"]) == 0
    assert "plumb models pull qwen2.5-coder-1.5b" in capsys.readouterr().out
