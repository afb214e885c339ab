"""What passages hold of a claim: which of its words, and which of its numbers, names and negations not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from rag.claims import MARKER
from rag.sentences import sentences
from rag.spelling import NUMBER, figures, missing, plain, respelled
from rag.types import Passage, Support

Terms = Callable[[str], frozenset[int]]
# The best support that is left, and why no more.
Flaw = tuple[Support, str]
SOUND: Flaw = ("supported", "")

QUOTED = re.compile(r'(?<!\w)(?:"[^"]*"|“[^”“]*[”“]|„[^“”"]*[“”"]|”[^”]*”|«[^»]*»|»[^«]*«)')
NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w’'-]+")
NEGATION = re.compile(
    r"\b(not|no|never|none|cannot|without|nicht|kein\w*|nie|ohne|pas|jamais|sans|nunca|sin)\b|n['’]t\b", re.IGNORECASE
)
# The yes or no that a sentence begins with answers the question; what it says comes after.
REPLY = re.compile(r"\W*(?:yes|no|ja|nein|oui|non|sí)\b\s*[,.:;–—-]\s*(?=\S)", re.IGNORECASE)
# A term that the question already holds is repeated, not claimed: it counts half.
ASKED_WEIGHT = 0.5
# What a claim's numbers add to its words when its evidence is looked for.
NUMBERS_WEIGHT = 0.5
# Shorter words in quotation marks are a term, not a quotation.
QUOTATION_CHARS = 12
# A claim of fewer words is an answer to the question, not a statement of its own.
SENTENCE_WORDS = 4
# A passage that shares fewer terms with a claim carries no part of it: single words stand everywhere.
PART_TERMS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked: its text, its terms, and how terms are made."""

    text: str
    asked: frozenset[int]
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A sentence of a passage, or two neighbouring ones: `parts` are the terms of each.

    `nearness` ranks equals by the question.
    """

    text: str
    parts: tuple[frozenset[int], ...]
    nearness: float

    @property
    def terms(self) -> frozenset[int]:
        """The terms of the whole window."""
        return frozenset[int]().union(*self.parts)

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
    plain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The window of a passage that holds most of a claim, and which of its terms.

    `figures` are the numbers that the passage has for this claim.
    """

    passage: Passage
    text: str
    shared: frozenset[int]
    figures: frozenset[str]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How much of a claim one passage holds, or several together.

    `score` is the share of its terms; `ceiling` the best support that is left, for the `reason` given.
    """

    sources: tuple[Source, ...]
    quotes: tuple[Quote, ...]
    score: float
    ceiling: Support
    reason: str


def read(passage: Passage, question: Question) -> Source:
    """Make a passage ready to be held against claims: the whole of it, of which the model may have read a part."""
    chunk = passage.hit.chunk
    context = " ".join((chunk.title, *chunk.headings))
    return Source(
        passage=passage,
        windows=tuple(_windows(chunk.text, question)),
        held=question.terms(context),
        context=context,
        plain=plain(respelled(f"{chunk.text} {context}")),
    )


def weigh(claim: str, sources: Sequence[Source], question: Question) -> Evidence:
    """Hold a claim against passages, taken together."""
    claim = claim[found.end() :] if (found := REPLY.match(claim)) else claim
    wanted = question.terms(respelled(claim))
    bare = question.terms(NUMBER.sub(" ", claim))
    quotes = tuple(_quote(wanted, bare, source, question.asked) for source in sources)
    held = frozenset[int]().union(*(quote.shared for quote in quotes), *(source.held for source in sources))
    said = " ".join(_about(line, wanted, question.terms) for quote in quotes for line in quote.text.splitlines())
    held_figures = frozenset[str]().union(*(quote.figures for quote in quotes))
    ceiling, reason = next(_flaws(claim, sources, said, held_figures, question.text), SOUND)
    score = _share(wanted, held, question.asked)
    return Evidence(sources=tuple(sources), quotes=quotes, score=score, ceiling=ceiling, reason=reason)


def together(found: Sequence[Evidence]) -> list[Source]:
    """The passages that carry a claim between them: best first, each with terms that none before it has."""
    chosen: list[Source] = []
    held: frozenset[int] = frozenset()
    for evidence in sorted(found, key=lambda evidence: evidence.score, reverse=True):
        shared = frozenset[int]().union(*(quote.shared for quote in evidence.quotes))
        if len(shared) >= PART_TERMS and shared - held:
            chosen.extend(evidence.sources)
            held |= shared
    return chosen


def _windows(text: str, question: Question) -> Iterator[Window]:
    units = [(start, end, (question.terms(respelled(text[start:end])),)) for start, end in sentences(text)]
    pairs = [(a[0], b[1], a[2] + b[2]) for a, b in pairwise(units)]
    return (_window(text[start:end].strip(), parts, question.asked) for start, end, parts in (*units, *pairs))


def _window(text: str, parts: tuple[frozenset[int], ...], asked: frozenset[int]) -> Window:
    near = len(asked & frozenset[int]().union(*parts)) / (len(asked) or 1)
    # Among equal windows the one nearest to the question, then the shortest, is the quote.
    return Window(text=text, parts=parts, nearness=0.2 * near - 0.0001 * len(text))


def _quote(wanted: frozenset[int], bare: frozenset[int], source: Source, asked: frozenset[int]) -> Quote:
    def fit(window: Window) -> float:
        held = window.terms | source.held
        # Words before numbers: the row of another town may have the number, but not the town.
        return _share(bare or wanted, held, asked) + NUMBERS_WEIGHT * _share(wanted, held, asked) + window.nearness

    needed = (window for window in source.windows if window.is_needed(bare))
    best = max(needed, key=fit, default=Window(text="", parts=(), nearness=0))
    return Quote(
        passage=source.passage,
        text=best.text,
        shared=wanted & best.terms,
        figures=_figures_of(bare or asked, source),
        score=_share(wanted, best.terms | source.held, asked),
    )


def _figures_of(words: frozenset[int], source: Source) -> frozenset[str]:
    """The numbers that a passage has for the words of a claim.

    A sentence or row lends its numbers unless another holds all that it holds of the claim, and more: the row below has
    the same column names, and a number of something else.
    """
    held = [(window.text, window.terms & words) for window in source.windows if len(window.parts) == 1]
    lending = (text for text, has in held if has and not any(has < other for _, other in held))
    return figures(" ".join((source.context, *lending)))


def _share(wanted: frozenset[int], held: frozenset[int], asked: frozenset[int]) -> float:
    def weight(found: frozenset[int]) -> float:
        return len(found - asked) + ASKED_WEIGHT * len(found & asked)

    return weight(wanted & held) / weight(wanted) if wanted else 0.0


def _flaws(claim: str, sources: Sequence[Source], quotes: str, held: frozenset[str], question: str) -> Iterator[Flaw]:
    """What keeps a claim from full support, gravest first."""
    text = " ".join(source.plain for source in sources)
    if strange := [quoted for quoted in _quotations(claim) if quoted not in text]:
        yield "unsupported", f"quote not in the passage: {strange[0][:60]}"
    yield from _number_flaws(claim, held, question)
    if names := [name for name in NAME.findall(claim) if _possessor(name) not in text]:
        only = all(_possessor(name) in plain(question) for name in names)
        yield "partly", f"name {'only in the question' if only else 'not in the passage'}: {', '.join(names[:3])}"
    # "Six days" neither affirms nor denies what its row says besides.
    whole = len(claim.split()) >= SENTENCE_WORDS
    if whole and bool(NEGATION.search(claim)) != bool(NEGATION.search(quotes)):
        yield "partly", "negation differs from the passage"


def _about(line: str, wanted: frozenset[int], terms: Terms) -> str:
    """What a line says of a claim: all of a sentence; of a table row the cells that have a word of it.

    'food safe: no' denies nothing of what the row says of the price.
    """
    cells = line.split("; ")
    if len(cells) < 2 or not all(": " in cell for cell in cells):
        return line
    return "; ".join(cell for cell in cells if terms(cell) & wanted)


def _number_flaws(claim: str, held: frozenset[str], question: str) -> Iterator[Flaw]:
    said = missing(MARKER.sub("", claim), held)
    if unknown := said - figures(question):
        yield "unsupported", f"number not in the passage: {', '.join(sorted(unknown))}"
    if said:
        yield "partly", f"number only in the question: {', '.join(sorted(said))}"
    # A number in brackets may be a citation of nothing: no reason to reject what the claim says.
    if cited := missing(claim, held):
        yield "partly", f"cites a passage that was not given: {', '.join(sorted(cited))}"


def _quotations(claim: str) -> list[str]:
    inner = (plain(found[1:-1]).strip(" .,;:!?") for found in QUOTED.findall(claim))
    return [quoted for quoted in inner if len(quoted) >= QUOTATION_CHARS]


def _possessor(name: str) -> str:
    """Petrel's is Petrel."""
    return plain(name).removesuffix("'s").rstrip("'")
