"""Answers of the local model to questions of SQuAD 2.0 over all its paragraphs, half of which have no answer there.

150 questions with an answer and 150 without are drawn with a fixed seed and asked through `Engine.stream` with the
settings of a new project, once for each strategy. A model's call is made once (`replayed.py`): a run that was
interrupted goes on, and strategies share their calls, in whose time each is counted. 80 other questions
(`squad2-tuning`) are for looking at what goes wrong; changes are made with a look at these alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from evals.bench import strategies
from evals.bench.figures import Line, Measured, Note
from evals.bench.kept import written
from evals.bench.packs import found_pack, skipped
from evals.bench.project import new_project
from evals.bench.replayed import Clock
from evals.bench.squad import PACK, Asked, parts, read_squad, write_documents
from evals.bench.strategies import made, missing_models, skipped_without
from evals.metrics import mean, percentile
from evals.squad_scores import exact_match, f1, stands_in
from ingest.pipeline import ingest
from rag.engine import Engine
from rag.errors import ModelError
from rag.events import Delta
from rag.llm import Restart
from rag.types import Answer
from rag.verify import MARKER

QUESTIONS, TUNING = 300, 80
STANDS_IN, DECLINED = 0.65, 0.75
PROGRESS = 20
MISSES = ("not found", "not read", "weighed", "right but withheld", "wrong but withheld", "wrong answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a question: `text` is '' where it was declined, `tried` what the model wrote.

    `found` tells that the paragraph was among the hits, `read` that a sentence of it which holds the answer was among
    the passages, and `in_reach` that the passages held the words of an answer, from there or elsewhere. `chance` is the
    weighed chance that there is an answer, `alone` that the sentences it rests on hold it, each None where it was not
    asked. `supported` is the share of the claims.
    """

    id: str
    question: str
    golds: tuple[str, ...]
    text: str
    tried: str
    found: bool
    read: bool
    in_reach: bool
    chance: float | None
    alone: float | None
    supported: float | None
    first_token_ms: float
    passages: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether a gold answer stands in the answer; declined, where there is none."""
        return stands_in(self.text, self.golds) if self.golds else not self.text

    @property
    def miss(self) -> str:
        """What went wrong with a question that has an answer; '' where nothing did."""
        if self.is_right:
            return ""
        if not self.in_reach:
            return "not read" if self.found else "not found"
        if self.text:
            return "wrong answer"
        return (
            ("right" if stands_in(self.tried, self.golds) else "wrong") + " but withheld" if self.tried else "weighed"
        )


def measure(*, limit: int | None = None, tuning: bool = False) -> Iterator[Line]:
    """Every figure of each strategy beside the others'; `limit` bounds the questions."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    squad = read_squad(pack)
    asked = parts(squad.asked, reported=QUESTIONS, tuning=TUNING)[tuning][:limit]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        settings = new_project(root)
        if missing := missing_models(settings):
            yield skipped_without(missing)
            return
        write_documents(squad, root / "documents")
        for _ in ingest([root / "documents"], settings=settings):
            pass
        yield Note(text=f"{len(squad.documents)} paragraphs, {len(asked)} questions")
        outcomes: dict[str, list[Outcome]] = {}
        for strategy, models in strategies.WAYS:
            name = f"{strategy} {' '.join(model.rpartition('-')[2] for model in models)}"
            outcomes[name] = []
            for outcome in _outcomes(*made(settings, strategy, models), asked):
                outcomes[name].append(outcome)
                if len(outcomes[name]) % PROGRESS == 0:
                    yield Note(text=f"{name}: {len(outcomes[name])} of {len(asked)}; {_so_far(outcomes[name])}")
            file = written(f"squad2-tuning-{name}" if tuning else f"squad2-{name}", outcomes[name])
            yield Note(text=f"{name}: every answer is in {file}")
    yield from _table(outcomes)
    for name, found in outcomes.items():
        yield from _bars(name, found)


def measure_tuning(*, limit: int | None = None) -> Iterator[Line]:
    """The same of the questions for tuning."""
    yield from measure(limit=limit, tuning=True)


def _outcomes(engine: Engine, clock: Clock, asked: Sequence[Asked]) -> Iterator[Outcome]:
    """What comes of each question."""
    with closing(engine.searcher.opened.store):
        for one in asked:
            yield _outcome(engine, one, *_asked(engine, clock, one.question))


def _asked(engine: Engine, clock: Clock, question: str) -> tuple[Answer, float]:
    """The answer, and when its first token came, in milliseconds: the time of calls that were made before counts."""
    clock.reset()
    began, first_ms = time.perf_counter(), 0.0
    for event in engine.stream(question):
        spent_ms = (time.perf_counter() - began) * 1000
        if isinstance(event, Delta):
            first_ms = first_ms or spent_ms + clock.at_first_token_ms
        elif isinstance(event, Restart):
            first_ms = 0.0
        elif isinstance(event, Answer):
            return event, first_ms or spent_ms + clock.at_end_ms
    raise ModelError("the engine ended without an answer")


def _outcome(engine: Engine, one: Asked, answer: Answer, first_token_ms: float) -> Outcome:
    read = [passage.text for passage in answer.passages if passage.hit.chunk.uri.endswith(one.document)]
    return Outcome(
        id=one.id,
        question=one.question,
        golds=one.answers,
        text="" if answer.abstained else MARKER.sub("", answer.text),
        tried=" ".join(claim.text for claim in answer.verdict.claims),
        found=any(hit.chunk.uri.endswith(one.document) for hit in answer.hits),
        read=any(stands_in(text, [sentence]) for text in read for sentence in one.sentences),
        in_reach=bool(one.answers) and any(stands_in(passage.text, one.answers) for passage in answer.passages),
        chance=_chance(engine, answer, "weigh"),
        alone=_chance(engine, answer, "look"),
        supported=None if answer.abstained else answer.verdict.supported_share,
        first_token_ms=first_token_ms,
        passages=tuple(passage.text for passage in answer.passages),
    )


def _chance(engine: Engine, answer: Answer, name: str) -> float | None:
    """What the one step of this name in the answer's trace tells; None where several models have one, or none has."""
    steps = engine.spool.trace(answer.trace_id).steps if engine.settings.trace.enabled else ()
    chances = [float(step.attributes["chance"]) for step in steps if step.name == name]
    return chances[0] if len(chances) == 1 else None


def _so_far(outcomes: Sequence[Outcome]) -> str:
    answerable = [outcome.is_right for outcome in outcomes if outcome.golds]
    other = [outcome.is_right for outcome in outcomes if not outcome.golds]
    return f"right {sum(answerable)} of {len(answerable)}, declined {sum(other)} of {len(other)}"


def _table(outcomes: Mapping[str, Sequence[Outcome]]) -> Iterator[Line]:
    """The figures, a row each, the strategies side by side."""
    yield Note(text=f"{'':44}{''.join(f'{name:>18}' for name in outcomes)}")
    columns = [_figures(found) for found in outcomes.values()]
    for row in columns[0]:
        yield Note(text=f"{row:44}{''.join(f'{_shown(column[row]):>18}' for column in columns)}")


def _figures(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    answerable = [outcome for outcome in outcomes if outcome.golds]
    impossible = [outcome for outcome in outcomes if not outcome.golds]
    given = [outcome.supported for outcome in outcomes if outcome.supported is not None]
    times = [outcome.first_token_ms / 1000 for outcome in outcomes]
    misses = [outcome.miss for outcome in answerable]
    return {
        "F1, all": _mean([f1(o.text, o.golds) for o in outcomes]),
        "F1, answerable": _mean([f1(o.text, o.golds) for o in answerable]),
        "exact match, all": _mean([exact_match(o.text, o.golds) for o in outcomes]),
        "exact match, answerable": _mean([exact_match(o.text, o.golds) for o in answerable]),
        "gold answer stands in the answer": _mean([float(o.is_right) for o in answerable]),
        "unanswerable, declined": _mean([float(o.is_right) for o in impossible]),
        "answers' claims supported": _mean(given),
        "gold paragraph found": _mean([float(o.found) for o in answerable]),
        "gold sentence read": _mean([float(o.read) for o in answerable]),
        "gold answer somewhere in what was read": _mean([float(o.in_reach) for o in answerable]),
        **{f"missed: {kind}": _mean([float(miss == kind) for miss in misses]) for kind in MISSES},
        "first token, p50, s": percentile(times, 0.5) if times else None,
        "first token, p95, s": percentile(times, 0.95) if times else None,
    }


def _bars(name: str, outcomes: Sequence[Outcome]) -> Iterator[Line]:
    figures, half = _figures(outcomes), len(outcomes) // 2
    for row, bar in (("gold answer stands in the answer", STANDS_IN), ("unanswerable, declined", DECLINED)):
        value = figures[row]
        yield Measured(name=f"{name}: {row}", value=value, reference=bar, against="the bar", note=f"n = about {half}")


def _mean(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
