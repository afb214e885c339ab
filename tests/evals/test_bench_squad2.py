"""SQuAD 2.0: its measures against the official script's, what is drawn, and that a run goes on where it ended."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from evals.bench import strategies
from evals.bench.__main__ import main
from evals.bench.kept import Kept
from evals.bench.squad import PACK, parts, read_squad
from evals.bench.squad2 import Outcome
from evals.squad_scores import exact_match, f1, normalised, stands_in

TOWNS = ("Kellmouth", "Sundmark", "Brennhaven", "Calder", "Hollin", "Marrow", "Tarn", "Ostby")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(strategies, "WAYS", (("first", ("scripted:quote",)),))
    monkeypatch.setenv("PLUMB_ROLES__EMBED", "scripted:words")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path / "data"))


def paragraph(at: int, town: str) -> dict[str, object]:
    context = f"The harbour of {town} lies in the north. It was opened by mayor Number{at} in {1900 + at}."
    answer = {"text": f"Number{at}", "answer_start": context.index("Number")}
    right = {"id": f"a{at}", "question": f"Which mayor opened the harbour of {town}?", "answers": [answer] * 2}
    wrong = {"id": f"i{at}", "question": "Who sank Zeppelins?", "answers": [], "is_impossible": True}
    return {"context": context, "qas": [{**right, "is_impossible": False}, wrong]}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    article = {"title": "Old_harbours", "paragraphs": [paragraph(at, town) for at, town in enumerate(TOWNS)]}
    data = json.dumps({"data": [article]}).encode()
    file = tmp_path / "data" / PACK
    file.parent.mkdir()
    with tarfile.open(file, "w:xz") as archive:
        info = tarfile.TarInfo("squad2/dev-v2.0.json")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return file


def test_the_measures_by_hand() -> None:
    assert normalised("The  U.S. Navy, a fleet!") == "us navy fleet"
    assert exact_match("The Navy.", ["navy", "fleet"]) == 1.0
    assert f1("It was the old navy", ["navy"]) == pytest.approx(2 * (1 / 4) / (1 / 4 + 1))
    assert f1("navy navy", ["navy ships"]) == 0.5
    assert f1("fleet", ["navy", "a fleet"]) == 1.0
    # A declined question is right where there is no answer, and nothing else is.
    assert (exact_match("", []), f1("", []), exact_match("navy", []), f1("navy", [])) == (1.0, 1.0, 0.0, 0.0)
    assert (exact_match("", ["navy"]), f1("", ["navy"])) == (0.0, 0.0)
    # The script drops gold answers of which nothing is left; where none is, the answer is the empty one.
    assert exact_match("", ["the"]) == 1.0


def test_a_gold_answer_stands_in_an_answer_as_whole_words() -> None:
    assert stands_in("It was built in 1913 by the Navy.", ["1914", "the navy"])
    assert stands_in("the Pauli principle.[citation needed] Since", ["Pauli principle"])
    assert not stands_in("In 1913.", ["191", "13"])
    assert not stands_in("", ["navy"])
    assert not stands_in("a navy", [])


def test_reported_and_tuning_questions_never_overlap(pack: Path) -> None:
    squad = read_squad(pack)
    assert squad.documents["Old_harbours/000.md"].startswith("# Old harbours\n\nThe harbour of Kellmouth")
    reported, tuning = parts(squad.asked, reported=8, tuning=6)
    assert (len(reported), len(tuning)) == (8, 6)
    assert sum(bool(one.answers) for one in reported) == 4
    assert not {one.id for one in reported} & {one.id for one in tuning}
    assert parts(tuple(reversed(squad.asked)), reported=8, tuning=6) == (reported, tuning)
    answerable = next(one for one in reported if one.answers)
    assert answerable.answers[0] in answerable.sentences[0]
    assert len(answerable.sentences) == len(answerable.answers) == 1


def test_why_a_question_was_missed() -> None:
    def outcome(*, text: str = "", tried: str = "", found: bool = True, in_reach: bool = True) -> Outcome:
        return Outcome(
            id="1",
            question="Who?",
            golds=("navy",),
            text=text,
            tried=tried,
            found=found,
            read=in_reach,
            in_reach=in_reach,
            chance=None,
            alone=None,
            supported=None,
            first_token_ms=1.0,
            passages=(),
        )

    assert outcome(text="The navy did.").miss == ""
    assert outcome(in_reach=False, found=False).miss == "not found"
    assert outcome(in_reach=False).miss == "not read"
    assert outcome().miss == "weighed"
    assert outcome(tried="The navy.").miss == "right but withheld"
    assert outcome(tried="The army.").miss == "wrong but withheld"
    assert outcome(text="The army.", tried="The army.").miss == "wrong answer"


def test_a_run_that_was_interrupted_goes_on(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack.is_file()
    main(["squad2", "--limit", "5"])
    printed = capsys.readouterr().out
    assert "8 paragraphs, 5 questions" in printed
    assert "first scripted:quote: unanswerable, declined: 1 = " in printed
    assert '"id"' in (tmp_path / "cache" / "plumbline" / "bench" / "squad2-first-scripted-quote.jsonl").read_text()
    (file,) = (tmp_path / "cache" / "plumbline" / "bench" / "calls").glob("scripted-quote-*.jsonl")
    before = file.read_text()
    file.write_text(before[:-20])
    assert len(Kept(file)) == len(before.splitlines()) - 2 > 0
    main(["squad2", "--limit", "6"])
    assert file.read_text().startswith(before[:-20])
    assert "first scripted:quote: unanswerable, declined: 1 = " in capsys.readouterr().out


def test_the_tuning_part_is_asked_by_its_name(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack.is_file()
    main(["squad2-tuning"])
    assert "8 paragraphs, 0 questions" in capsys.readouterr().out


def test_it_is_skipped_without_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["squad2", "injection"]) == 0
    assert f"skipped: no {PACK}" in capsys.readouterr().out
