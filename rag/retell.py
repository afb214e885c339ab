"""An answer and what people said of it, as an eval case: who looks at it has only to say what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rag.case import Case, Passage, Then
from rag.observe.rows import models_of, prompts_of
from rag.types import Feedback, Trace, Turn

# The tag of a case for which one of its sources is enough.
ANY = "any"
# What the ids of cases that are made of answers begin with; then comes the trace.
ID_PREFIX = "trace-"


def case_of(trace: Trace, said: Sequence[Feedback]) -> Case:
    """The case of an answer, not confirmed: nobody looked at it yet.

    The last correction is what is expected, others that differ stand beside it (`also`), the citations that more people
    found good than bad are the sources, with their quotes as evidence, and the reasons are tags. Of several documents,
    each is taken to be enough (tag 'any').
    The question is '' where the trace keeps no texts.
    """
    good = _good_citations(trace, said)
    sources = tuple(dict.fromkeys(str(one["uri"]) for one in good))
    quotes = dict.fromkeys(quote for one in good if (quote := _text(one.get("quote"))))
    right = each_answer(one.correction for one in reversed(said))
    reasons = tuple(dict.fromkeys(reason for one in said for reason in one.reasons))
    return Case(
        id=f"{ID_PREFIX}{trace.id[:16]}",
        question=_text(trace.input),
        history=_history(trace),
        expected=right[0] if right else "",
        also=right[1:],
        sources=sources,
        evidence=tuple(quotes) if len(sources) == 1 else (),
        tags=("feedback", *reasons, *((ANY,) if len(sources) > 1 else ())),
        split="dev",
        conversation=str(trace.attributes.get("session_id") or ""),
        origin="feedback",
        confirmed=False,
        then=_then(trace, reasons),
    )


def each_answer(texts: Iterable[str]) -> tuple[str, ...]:
    """These answers, those once that are the same but for case, white space and the marks at their ends."""
    found: dict[str, str] = {}
    for text in filter(None, map(str.strip, texts)):
        found.setdefault(" ".join(text.casefold().split()).rstrip(" .!"), text)
    return tuple(found.values())


def expecting(case: Case, text: str) -> Case:
    """The case with this expected answer; where people gave several, the others stay beside it."""
    told = each_answer((text, case.expected, *case.also)) if case.also else ()
    return replace(case, expected=text, also=tuple(one for one in told if one != text))


def sources_of(trace: Trace) -> list[str]:
    """The documents that were found for an answer, best first, each once."""
    return list(dict.fromkeys(str(hit["uri"]) for hit in _hits(trace) if hit.get("uri")))


def _then(trace: Trace, reasons: tuple[str, ...]) -> Then:
    answered = str((trace.attributes.get("models") or {}).get("answer") or "")
    return Then(
        trace_id=trace.id,
        asked_at=trace.started_at,
        answer=_text(trace.output),
        passages=tuple(_passages(trace)),
        reasons=reasons,
        index_version=str(trace.attributes.get("index") or ""),
        prompts=tuple(dict.fromkeys(prompts_of(trace))),
        # An answer that was given before took no model this time.
        models=tuple(dict.fromkeys(models_of(trace))) or ((answered,) if answered else ()),
    )


def _passages(trace: Trace) -> Iterator[Passage]:
    """What the model read, in its order; what was found, where the trace does not tell."""
    found = {hit.get("chunk_id"): hit for hit in _hits(trace)}
    read = [told["chunk_id"] for step in trace.steps for told in step.attributes.get("passages", ())]
    for hit in [found[one] for one in dict.fromkeys(read) if one in found] or found.values():
        if (text := _text(hit.get("text"))) and hit.get("uri"):
            yield Passage(uri=str(hit["uri"]), text=text)


def _good_citations(trace: Trace, said: Sequence[Feedback]) -> list[Mapping[str, Any]]:
    votes = Counter[int]()
    for one in said:
        votes.update({marker: 1 if up else -1 for marker, up in one.citations.items()})
    return [one for one in trace.attributes.get("citations", ()) if votes[one["marker"]] > 0]


def _history(trace: Trace) -> tuple[Turn, ...]:
    told = trace.attributes.get("history", ())
    return tuple(
        Turn(question=asked, answer=_text(one.get("answer"))) for one in told if (asked := _text(one.get("question")))
    )


def _hits(trace: Trace) -> Iterator[Mapping[str, Any]]:
    return (hit for step in trace.steps for hit in step.attributes.get("hits", ()))


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
