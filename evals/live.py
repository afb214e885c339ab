"""Answers that users got, as a run: scored with the metrics that need no expectation, and what feedback expects."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from evals.ask import likened
from evals.machine import this_machine
from evals.metrics import score, summarize
from evals.records import Given, Index, Record, Retrieved, Run, Source, UsedPrompt
from evals.run import models_of, stamp
from rag.case import Case
from rag.embed import make_embedder
from rag.errors import InputError, ModelError
from rag.observe.filter import Filter
from rag.observe.spool import Spool
from rag.settings import Settings, shown
from rag.types import Citation, Feedback, Trace, Usage, Verdict

log = logging.getLogger("plumbline")
# More of the latest answers are not drawn from.
MOST = 100_000
_CITATIONS, _VERDICT, _USAGE = TypeAdapter(tuple[Citation, ...]), TypeAdapter(Verdict), TypeAdapter(Usage)


def live_run(spool: Spool, settings: Settings, *, since: float | None, sample: int, seed: int = 0) -> Run:
    """So many of the answers given since a Unix time, drawn at random, as a scored run; nothing is asked.

    An answer that somebody corrected has the correction as expected answer, and its likeness to that. Raises InputError
    when there is none, and ConfigError or WeightsError where there are corrections and no embedder.
    """
    rows = spool.traces(Filter(name="ask", is_live=True, since=since), limit=MOST)
    drawn = random.Random(seed).sample(rows, min(sample, len(rows)))  # noqa: S311 - a sample, not a secret
    traces = [spool.trace(row.id) for row in sorted(drawn, key=lambda row: row.started_at)]
    told = [trace for trace in traces if isinstance(trace.input, str) and trace.input and trace.status != "abandoned"]
    if not told:
        raise InputError("no answers were given", expected="traces with texts", remedy="see 'plumb traces', or --since")
    cases = tuple(_case(trace, spool.feedback(trace.id)) for trace in told)
    records = _likened(cases, [_record(trace) for trace in told], settings)
    return score(
        Run(
            id=f"{stamp(datetime.now(UTC))}-live",
            started=_iso(told[0].started_at),
            ended=_iso(told[-1].ended_at),
            dataset=Source(
                name="live",
                path=str(spool.path),
                sha256="",
                selection={"sample": len(told), "of": len(rows), "since": _iso(since) if since else None},
            ),
            summary=summarize((), ()),
            models=models_of(records),
            prompts=_prompts(told),
            index=Index(name=_all(told, "index"), chunks=0),
            config_hash=_all(told, "config_hash"),
            code_version=_all(told, "code_version"),
            machine=this_machine(),
            config=shown(settings),
            cases=cases,
            records=records,
        )
    )


def _case(trace: Trace, said: Sequence[Feedback]) -> Case:
    corrections = [one.correction for one in said if one.correction]
    reasons = {reason for one in said for reason in one.reasons}
    thumbs = {"rated up" if one.up else "rated down" for one in said if one.up is not None}
    return Case(
        id=trace.id,
        question=trace.input,
        expected=corrections[-1] if corrections else "",
        tags=(*sorted(thumbs), *sorted(reasons)),
        conversation=str(trace.attributes.get("session_id", "")),
        origin="feedback",
        confirmed=False,
    )


def _record(trace: Trace) -> Record:
    facts = trace.attributes
    if trace.status != "ok":
        kind, _, error = str(trace.output).partition(": ")
        return Record(case_id=trace.id, answer=None, error=error or kind, error_kind=kind)
    markers = {read["chunk_id"]: read["marker"] for step in trace.steps for read in step.attributes.get("passages", ())}
    return Record(
        case_id=trace.id,
        answer=Given(
            text=str(trace.output or ""),
            abstained=bool(facts.get("abstained")),
            citations=_CITATIONS.validate_python(facts.get("citations", ())),
            verdict=_VERDICT.validate_python(facts.get("verdict", {"claims": ()})),
            usage=_USAGE.validate_python(facts.get("usage", {})),
            models=dict(facts.get("models", {})),
            trace_id=trace.id,
            timings_ms={name: ms for name, ms in dict(facts.get("timings_ms", {})).items() if ms is not None},
        ),
        hits=tuple(_retrieved(hit, markers) for hit in _hits(trace)),
        cost=facts.get("cost"),
    )


def _likened(cases: Sequence[Case], records: Sequence[Record], settings: Settings) -> tuple[Record, ...]:
    """The records, those of corrected answers with their likeness to the correction."""
    if not any(case.expected for case in cases):
        return tuple(records)
    embedder = make_embedder(settings)
    try:
        return tuple(likened(embedder, case, record) for case, record in zip(cases, records, strict=True))
    except ModelError as error:
        log.warning("no answer is held against its correction: %s", error)
        return tuple(records)


def _hits(trace: Trace) -> Iterable[Mapping[str, Any]]:
    """Those of the last step that has any: what was found in the end."""
    return next((step.attributes["hits"] for step in reversed(trace.steps) if step.attributes.get("hits")), ())


def _retrieved(hit: Mapping[str, Any], markers: Mapping[str, int]) -> Retrieved:
    return Retrieved(
        marker=markers.get(str(hit["chunk_id"])),
        shown=None,
        uri=str(hit["uri"]),
        title="",
        page=hit.get("page"),
        headings=tuple(hit.get("headings", ())),
        text=str(hit.get("text") or ""),
        score=float(hit["score"]),
        scores=dict(hit.get("scores", {})),
        chunk_id=str(hit["chunk_id"]),
        revision=str(hit.get("revision", "")),
    )


def _prompts(traces: Sequence[Trace]) -> tuple[UsedPrompt, ...]:
    steps = (step.attributes for trace in traces for step in trace.steps if step.attributes.get("prompt_id"))
    found = {(str(s["prompt_id"]), str(s.get("prompt_version", "")), str(s.get("prompt_sha", ""))) for s in steps}
    return tuple(UsedPrompt(id=name, version=version, sha=sha[:12]) for name, version, sha in sorted(found))


def _all(traces: Sequence[Trace], name: str) -> str:
    """What the traces say of this fact, each once: there may be more than one system among them."""
    return ", ".join(dict.fromkeys(str(trace.attributes.get(name, "")) for trace in traces))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
