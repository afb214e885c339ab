"""Runs as they are after asking, made without a model: what they score is computed from their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evals.metrics import score, summarize
from evals.records import Given, Index, Machine, Record, Run, Source, UsedPrompt
from rag.case import Case
from rag.types import Usage, Verdict

RIGHT, WRONG = "It is yes.", "It is no."


def case(name: str, **given: Any) -> Case:
    """A question that is answered with a yes."""
    return Case(id=name, question=f"Is {name} so?", **{"facts": (("yes",),), **given})


def cases(number: int, **given: Any) -> tuple[Case, ...]:
    """So many of them."""
    return tuple(case(f"q{place}", **given) for place in range(number))


def made(
    name: str,
    asked: Sequence[Case],
    answers: Mapping[str, str | Sequence[str] | None] | None = None,
    *,
    sha256: str = "a" * 64,
    judge: str | None = None,
) -> Run:
    """A run in which every case is answered rightly, but for `answers`: one a repetition, '' declines, None fails."""
    given = {one.id: (answers or {}).get(one.id, RIGHT) for one in asked}
    records = [
        record(case_id, text, repetition, judge)
        for case_id, texts in given.items()
        for repetition, text in enumerate([texts] if texts is None or isinstance(texts, str) else texts)
    ]
    return score(
        Run(
            id=name,
            started="2026-01-01T00:00:00+00:00",
            ended="2026-01-01T00:01:00+00:00",
            dataset=Source(name="made", path="made.jsonl", sha256=sha256, selection={}),
            summary=summarize((), ()),
            models={"answer": ("scripted:quote",), **({"judge": (judge,)} if judge else {})},
            prompts=(UsedPrompt(id="answer", version="1", sha="0" * 12),),
            index=Index(name="plumbline v1", chunks=1),
            config_hash="c" * 12,
            code_version="0.1.0",
            machine=Machine(cpu="none", cores=1, platform="none", python="3.11"),
            config={},
            cases=tuple(asked),
            records=tuple(records),
        )
    )


def record(case_id: str, text: str | None, repetition: int = 0, judge: str | None = None) -> Record:
    """What came of a question."""
    if text is None:
        return Record(case_id=case_id, answer=None, repetition=repetition, error="the server is down")
    return Record(
        case_id=case_id,
        repetition=repetition,
        judged=(1.0 if text == RIGHT else 0.0) if judge else None,
        answer=Given(
            text=text or "The documents don't hold the answer.",
            abstained=not text,
            citations=(),
            verdict=Verdict(claims=()),
            usage=Usage(),
            models={"answer": "scripted:quote"},
            trace_id=f"trace-{case_id}",
            timings_ms={},
        ),
    )
