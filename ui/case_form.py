"""A form that makes an answer an eval case, or changes the one that was made of it: what is saved is confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import streamlit as st

from rag.case import WORDINGS, Case, case_line, wordings
from rag.casebook import case_made_of, put_cases
from rag.engine import Engine
from rag.errors import PlumbError
from rag.retell import case_of, expecting, sources_of
from rag.types import Condition, Feedback, Trace
from ui.markup import literal
from ui.reviewing import may_read
from ui.visitor import scope_of_visitor

AREAS = {
    "question": "The question",
    "expected": "A right answer",
    "facts": "What it must say, a line each",
    "evidence": "Words that must be found, a line each",
}
HELP = {"facts": f"In any of these wordings: 28{WORDINGS}twenty-eight"}
SOURCES_HELP = "Those that were found are offered; any other document can be named too: type its path and press Enter."


def draw_case_form(engine: Engine, trace: Trace, said: Sequence[Feedback]) -> None:
    """The form, for one trace."""
    suggested = case_of(trace, said)
    try:
        known = case_made_of(_path(engine), trace.id, case_id=suggested.id)
    except PlumbError as error:
        st.error(literal(str(error)))
        return
    if known and known.then and not may_read(engine, known.then.trace_id):
        st.info("There is an eval case of it, with words that are not yours to read.", icon=":material/lock:")
        return
    case = known or suggested
    # Named by the case: when it is another, the form shows that one, not what was typed before.
    form = f"{trace.id}-{crc32(case_line(known).encode()) if known else 'new'}"
    with st.form(f"case-{form}"), st.container():
        st.markdown(f"**{literal(_title(known))}**")
        _draw_fields(case, form, sources_of(trace))
        label = "Change the case" if known else "Make the case"
        st.form_submit_button(label, on_click=_save, args=(engine, trace, case, form))
    _draw_outcome(trace)


def _title(known: Case | None) -> str:
    if known is None:
        return "Make an eval case of it"
    state = "confirmed" if known.confirmed else "not confirmed yet"
    return f"The eval case {known.id} was made of it, and is {state}: change it here"


def _draw_fields(case: Case, form: str, found: Sequence[str]) -> None:
    shown = _texts(case)
    for name in ("question", "expected", "facts"):
        _draw_area(name, shown, form)
        if name == "expected" and case.also:
            others = "; ".join(f"“{one}”" for one in case.also)
            st.caption(literal(f"People corrected it differently: {others}. Saving the case decides."))
    st.multiselect(
        "The documents that hold it",
        list(dict.fromkeys([*case.sources, *found])),
        list(case.sources),
        key=f"sources-{form}",
        accept_new_options=True,
        help=SOURCES_HELP,
    )
    _draw_area("evidence", shown, form)
    st.checkbox("The right reaction is to decline", not case.answerable, key=f"decline-{form}")


def _draw_area(name: str, shown: Mapping[str, str], form: str) -> None:
    st.text_area(AREAS[name], shown[name], key=f"{name}-{form}", height=68, help=HELP.get(name))


def _texts(case: Case) -> dict[str, str]:
    """What the areas say of a case."""
    return {
        "question": case.question,
        "expected": case.expected,
        "facts": "\n".join(WORDINGS.join(fact) for fact in case.facts),
        "evidence": "\n".join(case.evidence),
    }


def _save(engine: Engine, trace: Trace, case: Case, form: str) -> None:
    """Keep what the form says of the case that it showed, unless that is another by now."""
    path, is_new = _path(engine), form.endswith("-new")
    try:
        wanted = _told(case, form)
        if case_made_of(path, trace.id, case_id=case.id) != (None if is_new else case):
            _tell(trace, "error", "The case was changed meanwhile, and nothing was saved. This is how it is now.")
            return
        put_cases(path, [wanted], did="page" if is_new else "change")
        engine.spool.decide([trace.id], "case")
        did, name = "Added to" if is_new else "Changed in", engine.settings.ui.cases
        _tell(trace, "success", f"{did} {name}: plumb eval run {name}")
        for source in _nowhere(
            engine, [one for one in wanted.sources if one not in (*case.sources, *sources_of(trace))]
        ):
            _tell(trace, "warning", f"No document that is yours to read has the path '{source}'.")
    except PlumbError as error:
        _tell(trace, "error", str(error))


def _told(case: Case, form: str) -> Case:
    """The case with what the form says; what was left as it was shown stays as it is. Raises InputError."""
    told, shown = {name: str(st.session_state[f"{name}-{form}"]) for name in AREAS}, _texts(case)
    changed = {name for name in AREAS if told[name] != shown[name]}
    asked = replace(case, question=told["question"].strip() if "question" in changed else case.question, confirmed=True)
    if st.session_state[f"decline-{form}"]:
        return replace(expecting(asked, ""), facts=(), sources=(), evidence=(), answerable=False)
    return replace(
        expecting(asked, told["expected"].strip()) if "expected" in changed else asked,
        facts=tuple(map(wordings, _lines(told["facts"]))) if "facts" in changed else case.facts,
        sources=tuple(filter(None, (str(one).strip() for one in st.session_state[f"sources-{form}"]))),
        evidence=_lines(told["evidence"]) if "evidence" in changed else case.evidence,
        answerable=True,
    )


def _nowhere(engine: Engine, named: Sequence[str]) -> list[str]:
    """Those of these paths at which this visitor finds no document."""
    scope = scope_of_visitor(engine.settings)
    at = {one: replace(scope, where=(Condition(field="path", operator="=", values=(one,)),)) for one in named}
    found = {one: engine.searcher.search(one, limit=1, scope=narrow) for one, narrow in at.items()}
    # The path of a folder finds what is in it.
    return [one for one in named if one not in [hit.chunk.uri for hit in found[one]]]


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _path(engine: Engine) -> Path:
    return engine.settings.root / engine.settings.ui.cases


def _tell(trace: Trace, kind: str, text: str) -> None:
    """What came of a click: it is drawn below the form, once."""
    st.session_state[f"case-outcome-{trace.id}"] = [*st.session_state.get(f"case-outcome-{trace.id}", ()), (kind, text)]


def _draw_outcome(trace: Trace) -> None:
    draw = {"success": st.success, "warning": st.warning, "error": st.error}
    for kind, text in st.session_state.pop(f"case-outcome-{trace.id}", ()):
        draw[kind](literal(text))
