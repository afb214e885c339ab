"""Ask one case through the engine, have it graded, and keep what happened."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.judge import Judge
from evals.records import Given, Record, Retrieved
from rag.case import Case
from rag.embed import Embedder
from rag.engine import Engine
from rag.errors import ConfigError, ModelError, PlumbError, WeightsError
from rag.llm.price import total
from rag.types import Answer, Hit, Passage

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What asks a case: the engine, the judge of its answer if there is one, and the session its traces share."""

    engine: Engine
    judge: Judge | None
    session_id: str

    def ask(self, case: Case, repetition: int = 0) -> tuple[Record, PlumbError | None]:
        """The record, and the error where there was one: of the question, or of grading its answer.

        Where grading failed the cost is that of the answer: what the grade cost nobody knows. Raises ConfigError and
        WeightsError: no other question would fare better.
        """
        record, error = self._asked(case, repetition)
        try:
            alike = likened(self.engine.searcher.index.embedder, case, record)
            return graded(self.judge, case, alike) if self.judge else alike, error
        except ModelError as failure:
            log.warning("%s is kept without a grade: %s", case.id, failure)
            return record, failure

    def _asked(self, case: Case, repetition: int) -> tuple[Record, PlumbError | None]:
        # What was answered to another run, or to the repetition before, tells nothing about this one.
        events = self.engine.stream_anew(case.question, history=case.history, session_id=self.session_id)
        try:
            answer = next((event for event in events if isinstance(event, Answer)), None)
            if answer is None:
                raise ModelError("the engine ended without an answer")
            return _record(case, answer, repetition), None
        except (ConfigError, WeightsError):
            raise
        except PlumbError as error:
            failed = Record(
                case_id=case.id,
                answer=None,
                repetition=repetition,
                error=str(error),
                error_kind=type(error).__name__,
            )
            return failed, error


def likened(embedder: Embedder, case: Case, record: Record) -> Record:
    """The record with the likeness of answer and expected answer, if there are both; a refusal is like none.

    Raises what the embedder does.
    """
    if not case.expected or record.answer is None:
        return record
    if record.answer.abstained:
        return replace(record, similarity=0.0)
    return replace(record, similarity=_likeness(embedder, record.answer, case.expected))


def graded(judge: Judge, case: Case, record: Record) -> Record:
    """The record with the judge's grade, if something is expected; no answer is none that could be right.

    A grade whose cost nobody knows adds nothing to that of the answer. Raises ModelError.
    """
    answer = record.answer
    if not (case.facts or case.expected):
        return record
    if answer is None or answer.abstained:
        return replace(record, judged=0.0)
    grade = judge.grade(case, answer.text)
    told = replace(answer, models={**answer.models, "judge": grade.model})
    return replace(record, judged=grade.chance, answer=told, cost=total((record.cost, grade.cost or 0.0)))


def _likeness(embedder: Embedder, answer: Given, expected: str) -> float:
    """The cosine of the angle between the two texts' vectors, -1 to 1."""
    first, second = np.asarray(embedder.embed([answer.text, expected]), dtype=np.float64)
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if lengths else 0.0


def _record(case: Case, answer: Answer, repetition: int) -> Record:
    return Record(
        case_id=case.id,
        answer=Given(
            text=answer.text,
            abstained=answer.abstained,
            citations=answer.citations,
            verdict=answer.verdict,
            usage=answer.usage,
            models=dict(answer.models),
            trace_id=answer.trace_id,
            timings_ms={name: value for name, value in answer.timings_ms.items() if value is not None},
        ),
        repetition=repetition,
        hits=tuple(_retrieved(hit, answer.passages) for hit in answer.hits),
        cost=answer.cost,
    )


def _retrieved(hit: Hit, passages: Sequence[Passage]) -> Retrieved:
    chunk = hit.chunk
    passage = next((passage for passage in passages if passage.hit.chunk.id == chunk.id), None)
    return Retrieved(
        marker=passage.marker if passage else None,
        shown=passage.text if passage else None,
        uri=chunk.uri,
        title=chunk.title,
        page=chunk.page,
        headings=chunk.headings,
        text=chunk.text,
        score=hit.score,
        scores=dict(hit.scores),
        chunk_id=chunk.id,
        revision=chunk.revision,
    )
