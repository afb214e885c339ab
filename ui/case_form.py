"""A form that makes an answer an eval case: what people said of it is filled in, and what is saved is confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from rag.case import Case
from rag.casebook import put_cases
from rag.engine import Engine
from rag.errors import PlumbError
from rag.retell import case_of, sources_of
from rag.types import Feedback, Trace
from ui.markup import literal


def draw_case_form(engine: Engine, trace: Trace, said: Sequence[Feedback]) -> None:
    """The form, for one trace."""
    case, found = case_of(trace, said), sources_of(trace)
    cited = [citation["uri"] for citation in trace.attributes.get("citations", ())]
    with st.form(f"case-{trace.id}"), st.container():
        st.markdown("**Make an eval case of it**")
        question = st.text_area("The question", case.question, key=f"asked-{trace.id}", height=68)
        expected = st.text_area("A right answer", case.expected, key=f"expected-{trace.id}", height=68)
        facts = st.text_area("What it must say, a line each", key=f"facts-{trace.id}", height=68)
        sources = st.multiselect(
            "The documents that hold it",
            found,
            [uri for uri in found if uri in (case.sources or cited)],
            key=f"sources-{trace.id}",
        )
        evidence = st.text_area(
            "Words that must be found, a line each", "\n".join(case.evidence), key=f"evidence-{trace.id}", height=68
        )
        declined = st.checkbox("The right reaction is to decline", key=f"decline-{trace.id}")
        if st.form_submit_button("Make the case"):
            wanted = replace(case, question=question.strip(), confirmed=True)
            right = replace(
                wanted,
                expected=expected.strip(),
                facts=tuple((line,) for line in _lines(facts)),
                sources=tuple(sources),
                evidence=_lines(evidence),
            )
            _make(engine, trace.id, _declined(wanted) if declined else right)


def _declined(case: Case) -> Case:
    return replace(case, expected="", facts=(), sources=(), evidence=(), answerable=False)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _make(engine: Engine, trace_id: str, case: Case) -> None:
    path = engine.settings.root / engine.settings.ui.cases
    try:
        put_cases(path, [case], did="page")
        engine.spool.decide([trace_id], "case")
    except PlumbError as error:
        st.error(literal(str(error)))
    else:
        st.success(literal(f"Added to {engine.settings.ui.cases}: plumb eval run {engine.settings.ui.cases}"))
