"""The loop rehearsed on FeedbackQA: its questions asked, its ratings given, complaints made cases, and tuned on.

All through the product's own doors. Played are three parts: the answer model, which quotes the sentence that shares
most words with the question ('scripted:quote': a real one would take hours); the people, who rated a passage as the
answer to a question, and are heard where the answer cites that passage; and whoever confirms a case, who names the
passage for which the question was written.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench import feedbackqa
from evals.bench.feedbackqa import Opinion
from evals.bench.figures import Line, Note
from evals.bench.packs import found_pack, skipped
from evals.bench.project import new_project
from evals.bench.retrieval import cached_project
from evals.cases import Told, held
from evals.collect import Complaints, collect
from evals.metrics import wilson
from evals.paired import Difference, compare
from evals.ranking import is_source
from evals.tune import LEAST_CASES, Tuning, tune
from ingest.pipeline import ingest
from ingest.progress import Report
from rag.case import Case
from rag.casebook import put_cases
from rag.engine import Engine
from rag.observe.spool import Spool
from rag.search import Searcher
from rag.settings import Settings
from rag.triage import queue
from rag.types import Answer, Feedback, Reason, Scope

SITES = ("CDC", "UK")
SCORES = ("reciprocal rank", "recall@5")
UP = ("Excellent", "Acceptable")
# The nearest that can be said in the product; the set knows no reasons.
REASONS: Mapping[str, tuple[Reason, ...]] = {"Bad": ("off-topic",), "Could be Improved": ("incomplete",)}
# Found in these two ways the loop is rehearsed: as shipped, and badly on purpose, so that there is something to gain.
WAYS: Mapping[str, Mapping[str, Any]] = {
    "as shipped": {},
    "by meaning alone": {"dense_weight": 1.0, "rerank_weight": 0.0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where it is played: the project, the question's own passage by question, and what people said of passages."""

    settings: Settings
    gold: Mapping[str, str]
    said: Mapping[tuple[str, str], Sequence[Opinion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A question with its answer and what people said of that."""

    question: str
    answer: Answer
    opinions: Sequence[Opinion]
    is_gold: bool

    @property
    def thumbs(self) -> list[bool]:
        """Up or down, of each person."""
        return [one.rating in UP for one in self.opinions]


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """From questions to cases to a tuned search, in two ways to search; `limit` bounds the questions."""
    pack = found_pack(feedbackqa.PACK)
    if pack is None:
        yield skipped(feedbackqa.PACK)
        return
    with tempfile.TemporaryDirectory() as folder:
        stage = _stage(pack, Path(folder))
    documents = [stage.settings.root / "documents"]
    report = next(one for one in ingest(documents, settings=stage.settings) if isinstance(one, Report))
    yield Note(text=f"{len(stage.gold)} questions over {report.total_chunks:,} chunks of {' and '.join(SITES)}")
    for way, options in WAYS.items():
        retrieve = stage.settings.retrieve.model_copy(update=options)
        settings = stage.settings.model_copy(update={"retrieve": retrieve})
        for line in _rehearsed(Stage(settings=settings, gold=stage.gold, said=stage.said), way, limit):
            yield Note(text=f"{way}: {line}")


def _stage(pack: Path, folder: Path) -> Stage:
    project = new_project(cached_project("rehearsal", pack))
    roles = project.roles.model_copy(update={"answer": "scripted:quote"})
    gold: dict[str, str] = {}
    said: dict[tuple[str, str], Sequence[Opinion]] = {}
    (project.root / "documents").mkdir(exist_ok=True)
    for site in SITES:
        collection = feedbackqa.unpack(pack, folder, documents=project.root / "documents" / site, site=site)
        heard = feedbackqa.opinions(folder, site=site)
        said |= {(question, f"{site}/{name}"): opinions for (question, name), opinions in heard.items()}
        asked = {question for question, _ in heard}
        gold |= {one: f"{site}/{next(iter(names))}" for one, names in collection.relevant.items() if one in asked}
    return Stage(settings=project.model_copy(update={"roles": roles}), gold=gold, said=said)


def _rehearsed(stage: Stage, way: str, limit: int | None) -> Iterator[str]:
    """The lines of one way to search. It has traces and cases of its own, and shares the index."""
    name = way.replace(" ", "-")
    file, traces = (stage.settings.root / f"{name}.{kind}" for kind in ("jsonl", "db"))
    for old in stage.settings.root.glob(f"{name}.*"):
        old.unlink()
    engine = Engine.from_settings(stage.settings)
    engine.spool = Spool(traces)
    # Fewer questions are spread over both sites.
    some = list(stage.gold)[:: max(1, len(stage.gold) // limit) if limit else 1][:limit]
    played = [_play(engine, stage, question) for question in some]
    yield from _told(played)
    embed, terms = engine.searcher.index.embedder.embed, engine.searcher.index.lexical.terms
    complaints = queue(engine.spool, embed=embed)
    kinds = Counter(one.kind for one in complaints)
    yield f"{len(complaints)} complaints: {', '.join(f'{number} {kind}' for kind, number in kinds.most_common())}"
    done = collect(engine.spool, held(file), embed=embed, terms=terms)
    put_cases(file, [one.case for one in done.collected], did="collect")
    engine.spool.decide(done.traces, "case")
    again = collect(engine.spool, held(file), embed=embed, terms=terms)
    yield from _collected(done, stage)
    yield f"collected again: {len(again.collected)} cases"
    gold = {one.case.id: _gold(one.case.question, stage) for one in done.collected}
    put_cases(file, [Told(sources=[gold[case.id]]).applied(case) for case in held(file)], did="confirm")
    praised = [one.question for one in played if one.thumbs and all(one.thumbs)]
    yield from _tuned(engine.searcher, held(file), [_asked(question, stage) for question in praised])


def _play(engine: Engine, stage: Stage, question: str) -> Played:
    """Ask, and let those who rated the passage that the answer cites say what they said."""
    answer = engine.ask(question)
    cited = next(iter(answer.citations), None)
    source = next((name for name in _passages(question, stage) if cited and is_source(cited.uri, name)), "")
    opinions = stage.said.get((question, source), ()) if not answer.abstained else ()
    for number, one in enumerate(opinions):
        up = one.rating in UP
        feedback = Feedback(
            trace_id=answer.trace_id,
            up=up,
            reasons=REASONS.get(one.rating, ()),
            comment=one.comment[: stage.settings.limits.feedback_chars],
            citations={cited.marker: up} if cited else {},
        )
        engine.rate(feedback, scope=Scope(user=f"rater-{number}"))
    is_gold = bool(cited) and is_source(cited.uri, stage.gold[question]) if cited else False
    return Played(question=question, answer=answer, opinions=opinions, is_gold=is_gold)


def _passages(question: str, stage: Stage) -> list[str]:
    return [name for asked, name in stage.said if asked == question]


def _told(played: Sequence[Played]) -> Iterator[str]:
    """What was answered, and whether the ratings tell a right passage from a wrong one."""
    answered = [one for one in played if not one.answer.abstained]
    rated = [one for one in answered if one.opinions]
    gold = sum(one.is_gold for one in answered)
    share = _share(gold, len(answered))
    yield f"{len(played)} asked, {len(answered)} answered, {share} from the question's own passage"
    apart = sum(len(set(one.thumbs)) > 1 for one in rated)
    thumbs = sum(len(one.thumbs) for one in rated)
    yield f"{len(rated)} answers with {thumbs} ratings, people disagree on {_share(apart, len(rated))}"
    down = [one for one in rated if False in one.thumbs]
    most = [one for one in rated if one.thumbs.count(False) > one.thumbs.count(True)]
    fine = [one for one in rated if one not in down]
    for what, some in (("down by anybody", down), ("down by most", most), ("up by all", fine)):
        share = _share(sum(not one.is_gold for one in some), len(some))
        yield f"rated {what}: {len(some)}, {share} from another passage"


def _collected(done: Complaints, stage: Stage) -> Iterator[str]:
    cases = [one.case for one in done.collected]
    merged = [one for one in done.collected if len(one.traces) > 1]
    apart = [one for one in merged if len({_gold(q, stage) for q in (one.case.question, *one.questions)}) > 1]
    sourced = [case for case in cases if case.sources]
    right = sum(any(is_source(s, _gold(case.question, stage)) for s in case.sources) for case in sourced)
    answers = sum(len(one.traces) for one in done.collected)
    told = f"{len(merged)} of several answers, {len(apart)} of these to questions with different passages"
    yield f"{len(cases)} cases of {answers} answers; {told}"
    yield f"{len(sourced)} cases with a source by thumbs, {_share(right, len(sourced))} the question's own passage"


def _gold(question: str, stage: Stage) -> str:
    return stage.gold[question]


def _asked(question: str, stage: Stage) -> Case:
    return Case(id=question, question=question, sources=(stage.gold[question],))


def _tuned(searcher: Searcher, cases: Sequence[Case], praised: Sequence[Case]) -> Iterator[str]:
    """Choose on each half of the cases, and look at the other half; on all, and look at answers that all praised."""
    if len(cases) < 2 * LEAST_CASES:
        yield f"{len(cases)} cases are too few to tune on half of them"
        return
    order = np.random.default_rng(0).permutation(len(cases))
    halves = [[cases[place] for place in order[start::2]] for start in (0, 1)]
    for number, (here, there) in enumerate((halves, halves[::-1]), 1):
        tuning = _tuning(searcher, here)
        yield f"tuned on half {number}, {len(here)} cases: {_choice(tuning)}"
        yield from _compared(searcher, tuning, there, "the other half")
    tuning = _tuning(searcher, cases)
    yield f"tuned on all {len(cases)} cases: {_choice(tuning)}; on folds not seen {_difference(tuning.gain)}"
    yield from _compared(searcher, tuning, praised, "questions whose answers all praised")


def _tuning(searcher: Searcher, cases: Sequence[Case]) -> Tuning:
    return next(one for one in tune(searcher, cases) if isinstance(one, Tuning))


def _choice(tuning: Tuning) -> str:
    best = tuning.best
    told = f"dense {best.dense_weight:g}, reread {best.rerank_weight:g}, depth {best.depth}"
    return f"{told} (as it is)" if best == tuning.now else told


def _compared(searcher: Searcher, tuning: Tuning, cases: Sequence[Case], what: str) -> Iterator[str]:
    tuned = Searcher(tuning.best.applied(searcher.settings), searcher.index)
    yield from (f"  on {what}: {_difference(one)}" for one in compare(searcher, tuned, cases) if one.score in SCORES)


def _difference(one: Difference) -> str:
    return (
        f"{one.score} {one.first:.3f} to {one.second:.3f}, {one.difference:+.3f}"
        f" (95 % {one.low:+.3f} to {one.high:+.3f}), {one.cases} questions"
    )


def _share(part: int, whole: int) -> str:
    if not whole:
        return "0 of 0"
    low, high = wilson(part / whole, whole)
    return f"{100 * part / whole:.0f} % ({part} of {whole}; 95 % {100 * low:.0f} to {100 * high:.0f})"
