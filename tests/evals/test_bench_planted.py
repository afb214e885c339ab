"""The planted set: what each alteration does to a sentence, and that the benchmark tells right from wrong."""

from __future__ import annotations

import io
import json
import random
import re
import tarfile
from pathlib import Path

import pytest

from evals.bench import altering
from evals.bench.__main__ import main
from evals.bench.altering import Said
from evals.bench.planted import PACK, check, halves, is_right
from evals.bench.planting import TRUE, UNTRUE, Article, Case, plant
from rag.types import Claim

TOWNS = ("Kellmouth", "Sundmark", "Brennhaven", "Port Calder", "Hollin", "Marrow", "Tarn", "Ostby")


def paragraph(town: str, number: int) -> str:
    return (
        f"In {1900 + number}, the harbour of {town} was opened by the mayor of Oldham. "
        f"The harbour master of {town} is paid by the council and lives near the pier. "
        f"The northern quay (built of granite) can hold {number + 20} ships, which are moored in two long rows. "
        f"Ships from {town} were never allowed to enter the river without a pilot on board."
    )


def article(title: str, first: int) -> Article:
    paragraphs = tuple(paragraph(town, first + at) for at, town in enumerate(TOWNS))
    return Article(title=title, paragraphs=paragraphs, questions=tuple(("Who paid?",) for _ in paragraphs))


ARTICLES = [article("Harbours", 11), article("Quays", 41)]
SAID = Said(text=paragraph("Tarn", 13).split(". ")[0] + ".", marker=1, paragraph=paragraph("Tarn", 13))
HERE = [Said(text="There were 47 boats near Ostby in March 1984.", marker=2, paragraph="")]


def test_untouched_claims_keep_their_words() -> None:
    long = "The quay (of granite) holds 9 ships in winter, which are moored there."
    assert altering.shortened(long) == "The quay holds 9 ships in winter."
    assert altering.moved(SAID.text) == "The harbour of Tarn was opened by the mayor of Oldham in 1913."
    assert altering.joined("It is open.", "The quay is long.") == "It is open, and the quay is long."
    quoted = altering.quoted(SAID.text)
    assert quoted is not None
    assert quoted.split('"')[1] in SAID.text


@pytest.mark.parametrize("change", [altering.date, altering.name, altering.negation, altering.quote])
def test_altered_claims_differ_in_one_place(change: altering.Change) -> None:
    for seed in range(20):
        text = change(SAID, HERE, random.Random(seed))  # noqa: S311 - to be repeatable
        assert text is not None
        assert text not in SAID.paragraph
        inner = text.split('"')[1] if change is altering.quote else text
        ours, theirs = set(re.findall(r"\w+", inner)), set(re.findall(r"\w+", SAID.text))
        assert len(ours - theirs) <= 2


def test_a_number_is_another_one() -> None:
    said = Said(text="The quay can hold 33 ships.", marker=1, paragraph="")
    texts = {altering.number(said, HERE, random.Random(seed)) for seed in range(30)}  # noqa: S311
    assert "The quay can hold 47 ships." in texts
    assert said.text not in texts


def test_what_is_stitched_has_the_subject_of_one_and_the_predicate_of_the_other() -> None:
    one = Said(text="The pier is long.", marker=1, paragraph="")
    assert altering.stitched(one, Said(text="It is a quiet old town by the sea.", marker=2, paragraph="")) is None
    longer = Said(text="Tarn is a quiet old town by the northern sea.", marker=2, paragraph="")
    assert altering.stitched(one, longer) == "The pier is a quiet old town by the northern sea."


def test_the_same_seed_plants_the_same_claims_and_every_kind() -> None:
    planted = plant(ARTICLES, wanted=4, seed=1)
    assert planted == plant(ARTICLES, wanted=4, seed=1)
    assert planted != plant(ARTICLES, wanted=4, seed=2)
    assert all(3 <= len(answer.cases) <= 5 and len(answer.passages) == 5 for answer in planted)
    assert {case.kind for answer in planted for case in answer.cases} >= {*TRUE, "number", "date", "name", "quote"}


def test_every_planted_claim_is_judged() -> None:
    planted = plant(ARTICLES, wanted=4, seed=1)
    outcomes, timings = check(planted)
    assert [case for case, _ in outcomes] == [case for answer in planted for case in answer.cases]
    assert all(claim.text.rstrip(".") == case.text.rstrip(".") for case, claim in outcomes)
    assert len(timings) == len(planted)
    verbatim = [is_right(case, claim) for case, claim in outcomes if case.kind == "verbatim"]
    assert verbatim
    assert all(verbatim)


@pytest.mark.parametrize(
    ("carried_by", "support", "markers", "right"),
    [
        ({2}, "supported", (2,), True),
        ({2}, "supported", (1,), False),
        ({2}, "partly", (2,), False),
        (set(), "supported", (1,), False),
        (set(), "contradicted", (1,), True),
    ],
)
def test_a_true_claim_needs_its_passage_and_an_untrue_one_no_support(
    carried_by: set[int], support: str, markers: tuple[int, ...], right: bool
) -> None:
    case = Case(kind="any", text="A.", cites=(1,), carried_by=frozenset(carried_by))
    claim = Claim(text="A.", markers=markers, support=support, score=1.0, reason="")  # type: ignore[arg-type]
    assert is_right(case, claim) == right


def test_no_article_is_in_both_halves() -> None:
    tuned_on, reported = halves([*ARTICLES, *ARTICLES])
    assert len(tuned_on) == len(reported) == 2


def test_the_benchmark_prints_the_table_and_the_halves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path))
    assert main(["planted"]) == 0
    assert f"skipped: no {PACK}" in capsys.readouterr().out
    _pack(tmp_path / PACK)
    main(["planted", "--limit", "3"])
    printed = capsys.readouterr().out
    assert "rules written on: A, C" in printed
    assert "reported here, its mistakes never looked at: B, D" in printed
    for kind in (*TRUE, *UNTRUE, "misattributed"):
        assert re.search(rf"^  {kind} +\d+ +\d+ +\d+ +\d+ +\d+$", printed, re.MULTILINE), kind
    assert "caught: quote: 1 = 1.00 x the bar, at least 1 - met; n = " in printed


def _pack(file: Path) -> None:
    made = [
        {
            "title": title,
            "paragraphs": [
                {"context": text, "qas": [{"question": "Who paid?"}]} for text in article(title, 10 + 9 * at).paragraphs
            ],
        }
        for at, title in enumerate("ABCD")
    ]
    data = json.dumps({"data": made}).encode()
    with tarfile.open(file, "w:xz") as archive:
        info = tarfile.TarInfo("squad2/dev-v2.0.json")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))


def test_another_pack_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLUMB_TEST_DATA", str(tmp_path))
    (tmp_path / PACK).write_bytes(b"no archive")
    assert main(["planted"]) == 1
    assert "can't be used" in capsys.readouterr().out
