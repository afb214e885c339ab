"""What passages hold of a claim: for each the sentence, or two neighbouring ones, with most of its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from rag.quotations import quotable
from rag.sentences import sentences
from rag.spelling import NUMBER, figures, respelled, unaccented
from rag.types import Passage
from rag.wording import Terms, capitalises

# The yes or no that a sentence begins with answers the question; what it says comes after.
_REPLY = re.compile(r"\W*(?:yes|no|ja|nein|oui|non|sí)\b\s*[,.:;–—-]\s*(?=\S)", re.IGNORECASE)
_DOCUMENT = (
    r"(?:text|document|documentation|passage|source|handbook|policy|manual|report|article|guide|section|page|rules?"
    r"|Text|Dokument|Handbuch|Richtlinie|Abschnitt|Quelle|texte|manuel|règlement|texto|documento|reglamento)"
)
# "According to the handbook," tells where it stands, not what stands there. English, German, French, Spanish.
_LEAD_IN = re.compile(
    rf"\W*(?:(?:according to|as per|laut|gemäß|selon|d['’]après|según)\s(?:\w+\s)?{_DOCUMENT},?\s"
    rf"|(?:(?:the|this|der|die|das|le|ce|el|este)\s{_DOCUMENT}|it|es)\s(?:says|states|notes|reads|sagt|besagt|dit|indique"
    r"|dice|indica)\b(?:,?\s(?:that|dass|que)\b)?[\s,:]*)(?=\S)",
    re.IGNORECASE,
)
# A term that the question already holds is repeated, not claimed: it counts half.
ASKED_WEIGHT = 0.5
# What a claim's numbers add to its words when its evidence is looked for.
NUMBERS_WEIGHT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked: its text, its terms, and how terms are made.

    `known` is all text in which names may stand; in a `capitalised` one every noun looks like a name.
    """

    text: str
    asked: frozenset[int]
    terms: Terms
    known: str
    capitalised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A sentence of a passage, or two neighbouring ones: `parts` are the terms of each, `spans` their places.

    `nearness` ranks equals by the question.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    parts: tuple[frozenset[int], ...]
    terms: frozenset[int]
    nearness: float

    def is_needed(self, bare: frozenset[int]) -> bool:
        """Whether each part adds words of a claim that the other lacks; a number alone would not do."""
        return len(self.parts) == 1 or all((bare & part) - other for part, other in permutations(self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage made ready for many claims; `held` are the terms of its title and headings."""

    passage: Passage
    windows: tuple[Window, ...]
    held: frozenset[int]
    context: str
    quotable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The window of a passage that holds most of a claim.

    `score` is the share of the claim's terms that it holds; `bare` are these terms without numbers.
    """

    source: Source
    window: Window
    bare: frozenset[int]
    score: float

    @property
    def main(self) -> str:
        """Of two sentences the one that holds more of the claim."""
        held = [len(part & self.bare) for part in self.window.parts]
        if len(held) < 2:
            return self.window.text
        start, end = self.window.spans[held.index(max(held))]
        return self.source.passage.hit.chunk.text[start:end]

    @property
    def before(self) -> str:
        """The passage up to the end of the window, with its title and headings."""
        end = self.window.spans[-1][1] if self.window.spans else 0
        return f"{self.source.context} {self.source.passage.hit.chunk.text[:end]}"

    @property
    def held(self) -> frozenset[int]:
        """The terms of the window, and of the passage's title and headings."""
        return self.window.terms | self.source.held


def asked(question: str, passages: Sequence[Passage], terms: Terms) -> Question:
    """Make a question ready."""
    known = "\n".join((question, *(passage.hit.chunk.text for passage in passages)))
    return Question(
        text=question,
        asked=terms(unaccented(question)),
        terms=lambda text: terms(unaccented(text)),
        known=known,
        capitalised=capitalises(known),
    )


def read(passage: Passage, question: Question) -> Source:
    """Make a passage ready to be held against claims: the whole of it, of which the model may have read a part."""
    chunk = passage.hit.chunk
    context = " ".join((chunk.title, *chunk.headings))
    return Source(
        passage=passage,
        windows=tuple(_windows(chunk.text, question)),
        held=question.terms(context),
        context=context,
        quotable=quotable(f"{chunk.text} {context}"),
    )


def statement(claim: str) -> str:
    """What a claim says, without a yes or no and without "the handbook says that" before it."""
    for opening in (_REPLY, _LEAD_IN):
        claim = claim[found.end() :] if (found := opening.match(claim)) else claim
    return claim


def weigh(claim: str, sources: Sequence[Source], question: Question) -> list[Evidence]:
    """Hold a claim against each of the passages."""
    wanted = question.terms(respelled(claim))
    bare = question.terms(NUMBER.sub(" ", claim))
    return [_evidence(wanted, bare, source, question.asked) for source in sources]


def lent(evidence: Evidence, question: Question) -> frozenset[str]:
    """The numbers that a passage has for the words of a claim.

    A sentence or row lends its numbers unless another holds all that it holds of the claim, and more: the row below has
    the same column names, and a number of something else.
    """
    words = evidence.bare or question.asked
    single = [window for window in evidence.source.windows if len(window.parts) == 1]
    held = [(window.text, window.terms & words) for window in single]
    lending = (text for text, has in held if has and not any(has < other for _, other in held))
    return figures("\n".join((evidence.source.context, *lending)))


def _windows(text: str, question: Question) -> Iterator[Window]:
    spans = sentences(text)
    units = [((span,), (question.terms(respelled(text[slice(*span)])),)) for span in spans]
    pairs = [(a[0] + b[0], a[1] + b[1]) for a, b in pairwise(units)]
    return (_window(text, spans, parts, question.asked) for spans, parts in (*units, *pairs))


def _window(
    text: str, spans: tuple[tuple[int, int], ...], parts: tuple[frozenset[int], ...], asked: frozenset[int]
) -> Window:
    terms, inner = frozenset[int]().union(*parts), text[spans[0][0] : spans[-1][1]]
    near = len(asked & terms) / (len(asked) or 1)
    # Among equal windows the one nearest to the question, then the shortest, is the quote.
    return Window(text=inner, spans=spans, parts=parts, terms=terms, nearness=0.2 * near - 0.0001 * len(inner))


def _evidence(wanted: frozenset[int], bare: frozenset[int], source: Source, asked: frozenset[int]) -> Evidence:
    def fit(window: Window) -> float:
        held = window.terms | source.held
        # Words before numbers: the row of another town may have the number, but not the town.
        return _share(bare or wanted, held, asked) + NUMBERS_WEIGHT * _share(wanted, held, asked) + window.nearness

    needed = (window for window in source.windows if window.is_needed(bare))
    nothing = Window(text="", spans=(), parts=(), terms=frozenset(), nearness=0)
    best = max(needed, key=fit, default=nothing)
    return Evidence(source=source, window=best, bare=bare, score=_share(wanted, best.terms | source.held, asked))


def _share(wanted: frozenset[int], held: frozenset[int], asked: frozenset[int]) -> float:
    def weight(found: frozenset[int]) -> float:
        repeated = len(found & asked)
        return len(found) - repeated + ASKED_WEIGHT * repeated

    return weight(wanted & held) / weight(wanted) if wanted else 0.0
