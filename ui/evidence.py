"""What an answer rests on, as HTML: its sources, their passages, and the claims that stand on nothing."""

from __future__ import annotations

from rag.abstention import searched
from rag.language import Phrases
from rag.types import Answer, Chunk, Citation, Claim, Hit
from ui.markup import claim_html, highlighted_html, text_html

CLOSEST = 3
DOUBTS = {
    "partly": ("◐", "Only partly supported"),
    "contradicted": ("✗", "Contradicted by the documents"),
    "unsupported": ("✗", "Not supported by the documents"),
}


def anchor(answer: Answer) -> str:
    """What the names of this answer's sources begin with, so that its markers lead to them."""
    return f"source-{answer.trace_id}"


def verdict_html(answer: Answer) -> str:
    """One line for all claims together, then every claim that is not supported, or only by a judge, in words."""
    claims = answer.verdict.claims
    doubts = "".join(_doubt(claim) for claim in claims if claim.support != "supported")
    judged = "".join(_judged(claim) for claim in claims if claim.judge)
    if answer.abstained or not claims:
        return ""
    if answer.verdict.supported:
        return '<p class="plumb-verdict plumb-good">✓ Every claim is supported by the documents.</p>' + judged
    held = sum(claim.support == "supported" for claim in claims)
    return (
        f'<p class="plumb-verdict">{held} of {len(claims)} claims are supported by the documents.</p>{doubts}{judged}'
    )


def source_html(citation: Citation, chunk: Chunk | None, *, name: str) -> str:
    """A citation with its document, its place and the quoted words; `name` is what its marker leads to."""
    title = chunk.title if chunk else citation.uri
    mark = "✓ supported" if citation.supported else "◐ some claims not supported"
    kind = "plumb-good" if citation.supported else "plumb-partly"
    return (
        f'<div class="plumb-source" id="{text_html(name)}">'
        f'<div class="plumb-head"><span class="plumb-number">{citation.marker}</span>'
        f'<span class="plumb-name">{text_html(title)}</span><span class="plumb-badge {kind}">{mark}</span></div>'
        f'<div class="plumb-quiet">{text_html(_place(citation, title))}</div>'
        f"<blockquote>{text_html(citation.quote)}</blockquote></div>"
    )


def passage_html(chunk: Chunk, quote: str) -> str:
    """A whole passage with the quoted words marked."""
    return f'<div class="plumb-passage">{highlighted_html(chunk.text, quote)}</div>'


def closest_html(answer: Answer, said: Phrases) -> str:
    """What was looked for in vain, and the passages that came closest, folded."""
    shown = "".join(_closest(hit) for hit in answer.hits[:CLOSEST])
    closest = f'<h4 class="plumb-title">Closest passages</h4>{shown}' if shown else ""
    return f'<p class="plumb-quiet">{text_html(searched(answer.query, said))}</p>{closest}'


def _judged(claim: Claim) -> str:
    head = f"<strong>Supported only in the view of {text_html(claim.judge)}:</strong>"
    return f'<p class="plumb-doubt">{head} {claim_html(claim.text)}</p>'


def _doubt(claim: Claim) -> str:
    sign, words = DOUBTS[claim.support]
    reason = f' <span class="plumb-quiet">({text_html(claim.reason)})</span>' if claim.reason else ""
    head = f'<strong class="plumb-{claim.support}">{sign} {words}:</strong>'
    return f'<p class="plumb-doubt">{head} {claim_html(claim.text)}{reason}</p>'


def _place(citation: Citation, title: str) -> str:
    page = f"page {citation.page}" if citation.page else ""
    headings = " › ".join(heading for heading in citation.headings if heading != title)
    return " · ".join(part for part in (citation.uri, page, headings) if part)


def _closest(hit: Hit) -> str:
    chunk = hit.chunk
    place = " · ".join(part for part in (chunk.uri, chunk.place) if part)
    return (
        f'<details class="plumb-close"><summary><span class="plumb-name">{text_html(chunk.title)}</span>'
        f'<span class="plumb-quiet">{text_html(place)}</span></summary>'
        f'<div class="plumb-passage">{text_html(chunk.text)}</div></details>'
    )
