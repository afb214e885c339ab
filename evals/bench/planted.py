"""The check of claims on a planted set: what it catches, what it flags without need, and how long it takes.

Rules were written while looking at the claims of one half of the articles; the other half is what is reported.
"""

from __future__ import annotations

import json
import tarfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from evals.bench.figures import Line, Measured, Note
from evals.bench.packs import found_pack, skipped
from evals.bench.planting import KINDS, TRUE, UNTRUE, Article, Case, Planted, plant
from evals.metrics import percentile
from rag.embed.lexical import Lexical
from rag.errors import InputError
from rag.settings import Verify
from rag.types import Claim, Support
from rag.verify import Thresholds, verify

PACK = "3_qa_squad2.tar.xz"
MEMBER = "squad2/dev-v2.0.json"
WANTED = 200
SEED = 4
CAUGHT, QUOTES_CAUGHT, FLAGGED, MS = 0.9, 1.0, 0.05, 15.0
COLUMNS: tuple[Support, ...] = ("supported", "partly", "contradicted", "unsupported")
Outcome = tuple[Case, Claim]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds that passed while an answer was checked, and those of them that a processor worked for it."""

    passed: float
    worked: float


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Every kind of claim against every verdict, then the bars; `limit` bounds the claims of a kind."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    tuned_on, reported = halves(read_articles(pack))
    yield Note(text=f"rules written on: {_titles(tuned_on)}")
    yield Note(text=f"reported here, its mistakes never looked at: {_titles(reported)}")
    planted = plant(reported, wanted=limit or WANTED, seed=SEED)
    outcomes, timings = check(planted)
    yield Note(text=f"{len(outcomes)} claims in {len(planted)} answers of 3 to 5, each against 5 passages")
    yield from _table(outcomes)
    yield from _bars(outcomes)
    yield from _times(timings)


def read_articles(pack: Path) -> list[Article]:
    """The articles of SQuAD 2.0 by title; raises InputError for a pack that holds something else."""
    try:
        with tarfile.open(pack) as archive, cast(IO[bytes], archive.extractfile(MEMBER)) as file:
            articles = json.load(file)["data"]
        return sorted((_article(article) for article in articles), key=lambda article: article.title)
    except (OSError, ValueError, KeyError, TypeError, tarfile.TarError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected=f"{MEMBER} as SQuAD 2.0 has it") from None


def halves(articles: Sequence[Article]) -> tuple[Sequence[Article], Sequence[Article]]:
    """Every other article by title: those the rules were written on, and those that are reported."""
    return articles[0::2], articles[1::2]


def _article(fields: Mapping[str, Any]) -> Article:
    return Article(
        title=fields["title"],
        paragraphs=tuple(paragraph["context"] for paragraph in fields["paragraphs"]),
        questions=tuple(tuple(asked["question"] for asked in paragraph["qas"]) for paragraph in fields["paragraphs"]),
    )


def check(planted: Sequence[Planted]) -> tuple[list[Outcome], list[Timing]]:
    """Each planted claim with what the check says of it, and how long each answer took.

    Raises ValueError when an answer is not read as the claims that were planted: nothing could be told of it then.
    """
    terms, options = Lexical("english").terms, Verify()
    thresholds = Thresholds(supported_at=options.supported_at, partly_at=options.partly_at)
    outcomes: list[Outcome] = []
    timings: list[Timing] = []
    for answer in planted:
        started, worked = time.perf_counter(), time.thread_time()
        checked = verify(answer.answer, answer.passages, question=answer.question, terms=terms, thresholds=thresholds)
        timings.append(Timing(passed=time.perf_counter() - started, worked=time.thread_time() - worked))
        outcomes.extend(zip(answer.cases, checked.verdict.claims, strict=True))
    return outcomes, timings


def is_right(case: Case, claim: Claim) -> bool:
    """Whether a claim got what it deserves: a true one its passages as citations, an untrue one no full support."""
    held = claim.support == "supported"
    return held and case.carried_by <= set(claim.markers) if case.carried_by else not held


def _table(outcomes: Sequence[Outcome]) -> Iterator[Line]:
    yield Note(text=f"{'kind':15}{''.join(f'{column:>14}' for column in COLUMNS)}{'repaired':>14}")
    for kind in KINDS:
        found = [claim for case, claim in outcomes if case.kind == kind]
        counts = Counter(claim.support for claim in found)
        repaired = sum(claim.support == "supported" and claim.repaired for claim in found)
        yield Note(text=f"{kind:15}{''.join(f'{counts[column]:14}' for column in COLUMNS)}{repaired:14}")


def _bars(outcomes: Sequence[Outcome]) -> Iterator[Line]:
    yield _share("altered and made-up claims caught", outcomes, UNTRUE, bar=CAUGHT)
    for kind in UNTRUE:
        yield _share(f"caught: {kind}", outcomes, [kind], bar=QUOTES_CAUGHT if kind == "quote" else CAUGHT)
    yield _share("wrong citations repaired or flagged", outcomes, ["misattributed"], bar=CAUGHT)
    yield _flagged("untouched claims flagged", outcomes, TRUE)
    for kind in TRUE:
        yield _flagged(f"flagged: {kind}", outcomes, [kind])


def _share(name: str, outcomes: Sequence[Outcome], kinds: Collection[str], *, bar: float) -> Measured:
    right = [
        is_right(case, claim) or _is_flagged_citation(case, claim) for case, claim in outcomes if case.kind in kinds
    ]
    value = sum(right) / len(right) if right else None
    return Measured(name=name, value=value, reference=bar, against="the bar", note=f"n = {len(right)}")


def _is_flagged_citation(case: Case, claim: Claim) -> bool:
    return case.kind == "misattributed" and claim.support != "supported"


def _flagged(name: str, outcomes: Sequence[Outcome], kinds: Collection[str]) -> Measured:
    wrong = [not is_right(case, claim) for case, claim in outcomes if case.kind in kinds]
    value = sum(wrong) / len(wrong) if wrong else None
    note = f"n = {len(wrong)}"
    return Measured(name=name, value=value, reference=FLAGGED, against="the bar", highest=True, note=note)


def _times(timings: Sequence[Timing]) -> Iterator[Line]:
    """Processor time against the bar: the check is one thread, and what else the machine does is not its doing."""
    if not timings:
        yield Note(text="no answers to time")
        return
    for name, share in (("median", 0.5), ("p95", 0.95)):
        worked = percentile([timing.worked * 1000 for timing in timings], share)
        passed = percentile([timing.passed * 1000 for timing in timings], share)
        yield Measured(
            name=f"check of an answer, processor time, {name}",
            value=worked,
            reference=MS,
            against="the bar",
            unit="ms",
            highest=True,
            note=f"{passed:.3g} ms passed",
        )


def _titles(articles: Sequence[Article]) -> str:
    return ", ".join(article.title.replace("_", " ") for article in articles)
