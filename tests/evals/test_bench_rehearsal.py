"""The rehearsal of the loop, on a small set in the form of FeedbackQA."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from evals.bench import feedbackqa
from evals.bench.__main__ import main

THINGS = "anchor badge camera desk engine ferry gate hall island jetty".split()


def site(name: str) -> dict[str, Any]:
    """Ten passages and questions; the ratings find fault with every other answer, and disagree on it."""
    passages = [
        {
            "passage_id": number,
            "reference": {
                "page_title": f"{name} {thing}",
                "section_headers": [],
                "section_content": f"The {name} office has the {thing} {thing[::-1]} painted green.",
            },
        }
        for number, thing in enumerate(THINGS)
    ]
    asked = [
        {"question": f"Which {thing} {thing[::-1]} has {name} painted?", "passage_id": number}
        for number, thing in enumerate(THINGS)
    ]
    said = [
        {
            "question": one["question"],
            "passage": {"passage_id": one["passage_id"]},
            "rating": ["Excellent", "Bad" if one["passage_id"] % 2 else "Acceptable", "Could be Improved"][
                : 2 + one["passage_id"] % 2
            ],
            "feedback": ["Good.", "It is blue.", "More of it."][: 2 + one["passage_id"] % 2],
        }
        for one in asked
    ]
    return {"test": {"passages": passages, "examples": asked}, "feedback_test": said}


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLUMB_ROLES__EMBED", "scripted:words")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path))
    with tarfile.open(tmp_path / feedbackqa.PACK, "w:xz") as archive:
        for name in ("CDC", "UK"):
            for part, content in site(name).items():
                text = json.dumps(content).encode()
                info = tarfile.TarInfo(f"feedbackqa/{name}/{part}.json")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text))


def test_complaints_become_cases_and_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearsal"]) == 0
    printed = capsys.readouterr().out
    assert "20 questions over 20 chunks of CDC and UK" in printed
    for line in (
        "20 asked, 20 answered, 100 % (20 of 20; 95 % 84 to 100) from the question's own passage",
        "20 answers with 50 ratings, people disagree on 50 % (10 of 20; 95 % 30 to 70)",
        "rated down by anybody: 10, 0 % (0 of 10; 95 % 0 to 28) from another passage",
        "rated down by most: 10",
        "rated up by all: 10",
        "0 cases with a source by thumbs, 0 of 0 the question's own passage",
        "collected again: 0 cases",
    ):
        assert f"  as shipped: {line}" in printed
        assert f"  by meaning alone: {line.partition(';')[0]}" in printed
    # By the words that this embedder counts, some of these questions are the same.
    cases, several = re.findall(r"as shipped: (\d+) cases of 10 answers; (\d+) of several", printed)[0]
    assert 5 < int(cases) <= 10 - int(several)
    assert f"{cases} cases are too few to tune on half of them" in printed
    # Run again it begins anew, over the same index.
    assert main(["rehearsal", "--limit", "4"]) == 0
    assert "  as shipped: 4 asked, 4 answered" in capsys.readouterr().out


def test_it_is_skipped_without_its_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / feedbackqa.PACK).unlink()
    assert main(["rehearsal"]) == 0
    assert f"skipped: no {feedbackqa.PACK}" in capsys.readouterr().out
