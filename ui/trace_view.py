"""One trace, drawn from what was recorded: what it came to, its steps, passages, prompts, verdict and feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from rag.feedback import told
from rag.llm.price import cost_text
from rag.settings import Settings, redact_url
from rag.terminal import json_text
from rag.types import Feedback, Trace
from rag.views import trace_view
from ui.evidence import DOUBTS
from ui.markup import claim_html, literal, text_html
from ui.waterfall import seconds, steps_html

WITHHELD = "This answer rests on passages that are not yours to read: times and counts are shown, no texts."


def draw_trace(trace: Trace, feedback: Sequence[Feedback], signals: Sequence[str], settings: Settings) -> None:
    """All that is known of a trace."""
    if trace.attributes.get("withheld"):
        st.info(WITHHELD, icon=":material/lock:")
    st.html(f'<h4 class="plumb-title">{text_html(str(trace.input or trace.name))}</h4>{_facts_html(trace, signals)}')
    if trace.output:
        st.html(f'<div class="plumb-passage">{text_html(str(trace.output))}</div>')
    for said in feedback:
        st.html(f'<p class="plumb-doubt">{text_html(told(said))}</p>')
    st.html(_claims_html(trace) + steps_html(trace.steps) + _passages_html(trace))
    _draw_prompts(trace)
    _draw_links(trace, settings)
    _draw_download(trace, feedback, signals)


def _facts_html(trace: Trace, signals: Sequence[str]) -> str:
    facts = trace.attributes
    usage = facts.get("usage") or {}
    shown = {
        "Status": "abstained" if facts.get("abstained") else trace.status,
        "Took": seconds(max(trace.ended_at - trace.started_at, 0.0)),
        "Tokens": f"{usage.get('prompt', 0):,} read, {usage.get('completion', 0):,} written" if usage else "",
        "Cost": cost_text(facts["cost"]) if "cost" in facts else "",
        **{f"Model: {role}": str(model) for role, model in (facts.get("models") or {}).items()},
        "Index": str(facts.get("index", "")),
        "User": str(facts.get("user_id", "")),
        "Tags": ", ".join(map(str, facts.get("tags") or ())),
        "Given before": str(facts.get("given_before", "")),
        "Then": ", ".join(signals),
        "Settings": str(facts.get("config_hash", "")),
        "Version": str(facts.get("code_version", "")),
    }
    return _terms_html(shown)


def _terms_html(shown: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{text_html(term)}</dt><dd>{text_html(fact)}</dd>" for term, fact in shown.items() if fact)
    return f'<dl class="plumb-facts">{rows}</dl>'


def _claims_html(trace: Trace) -> str:
    """The verdict, sentence by sentence."""
    claims = (trace.attributes.get("verdict") or {}).get("claims", ())
    return "".join(_claim_html(claim) for claim in claims)


def _claim_html(claim: Mapping[str, Any]) -> str:
    support = str(claim.get("support", ""))
    sign, words = DOUBTS.get(support, ("✓", "Supported"))
    kind = "good" if support == "supported" else support
    reason = f' <span class="plumb-quiet">({text_html(str(claim["reason"]))})</span>' if claim.get("reason") else ""
    head = f'<strong class="plumb-{text_html(kind)}">{sign} {words}:</strong>'
    return f'<p class="plumb-doubt">{head} {claim_html(str(claim.get("text", "")))}{reason}</p>'


def _passages_html(trace: Trace) -> str:
    """Each hit with the score of every stage, folded."""
    hits = [hit for step in trace.steps for hit in step.attributes.get("hits", ())]
    shown = "".join(_passage_html(hit) for hit in hits)
    return f'<h4 class="plumb-title">Passages</h4>{shown}' if shown else ""


def _passage_html(hit: Mapping[str, Any]) -> str:
    scores = " · ".join(f"{name} {score:.3f}" for name, score in (hit.get("scores") or {}).items())
    place = " › ".join(str(heading) for heading in hit.get("headings", ()))
    return (
        f'<details class="plumb-close"><summary><span class="plumb-name">{text_html(str(hit.get("uri", "")))}</span>'
        f'<span class="plumb-quiet">{text_html(" · ".join(part for part in (place, scores) if part))}</span></summary>'
        f'<div class="plumb-passage">{text_html(str(hit.get("text", "")))}</div></details>'
    )


def _draw_prompts(trace: Trace) -> None:
    """The prompts as they were sent, and what came back."""
    for step in trace.steps:
        messages = [message for message in step.attributes.get("messages", ()) if "content" in message]
        if not messages:
            continue
        version = f"{step.attributes.get('prompt_id', step.name)}@{step.attributes.get('prompt_version', '')}"
        with st.expander(literal(f"Prompt {version}"), type="compact"):
            sent = "\n\n".join(f"# {message['role']}\n{message['content']}" for message in messages)
            st.code(f"{sent}\n\n# reply\n{step.attributes.get('output', '')}", language=None, wrap_lines=True)


def _draw_links(trace: Trace, settings: Settings) -> None:
    from rag.observe.account import account

    st.code(trace.id, language=None, wrap_lines=True)
    if target := account(settings):
        st.link_button("Open in Langfuse", f"{redact_url(target.host)}/trace/{trace.id}", icon=":material/open_in_new:")


def _draw_download(trace: Trace, feedback: Sequence[Feedback], signals: Sequence[str]) -> None:
    """What `plumb traces ID --json` prints of what this visitor sees."""
    st.download_button(
        "Download as JSON",
        lambda: json_text(trace_view(trace, feedback, signals)),
        file_name=f"{trace.id}.json",
        key=f"download-{trace.id}",
        type="tertiary",
    )
