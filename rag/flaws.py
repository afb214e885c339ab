"""What keeps a claim from support though its words are there: quotes, numbers, names, negations, another subject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.claims import MARKER
from rag.contrast import Contrast, contrast, otherwise
from rag.denial import denials
from rag.evidence import Evidence, Question, lent
from rag.quotations import misquoted
from rag.spelling import figures, missing, plain
from rag.types import Support
from rag.wording import Terms, Word, possessor, words

# The best support that is left, and why no more.
Flaw = tuple[Support, str]
SOUND: Flaw = ("supported", "")
DENIED = "negation differs from the passage"
# A claim of fewer words is an answer to the question, not a statement of its own.
SENTENCE_WORDS = 4
# So many words of content that the passage lacks, with no more than one that it has between any two, are a statement
# of their own.
STRANGE_WORDS = 3
HELD_BETWEEN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A claim, or a stretch of one, as text and word by word."""

    text: str
    words: Sequence[Word]


def flaw(claim: Statement, evidence: Evidence, question: Question) -> Flaw:
    """The gravest reason why a claim has less support than the words it shares with its evidence."""
    return next(_flaws(claim, evidence, question), SOUND)


def _flaws(claim: Statement, evidence: Evidence, question: Question) -> Iterator[Flaw]:
    if quotes := misquoted(claim.text, evidence.source.quotable):
        yield "unsupported", f"quote not in the passage: {quotes[0][:60]}"
    whole = _contrast(claim, evidence.window.text, question)
    main = whole if evidence.main == evidence.window.text else _contrast(claim, evidence.main, question)
    others = list(otherwise(main))
    # "Six days" neither affirms nor denies what its row says besides.
    opposite, more = denials(whole) if len(claim.text.split()) >= SENTENCE_WORDS else (False, False)
    yield from (_contradicted(other) for other in others if other[0] == "number" or not question.capitalised)
    if opposite:
        yield "contradicted", DENIED
    yield from _number_flaws(claim.text, lent(evidence, question), question.text)
    if more:
        yield "partly", DENIED
    # Where every noun has a capital, another one may be a synonym.
    yield from (("partly", reason) for _, reason in map(_contradicted, others))
    yield from _name_flaws(whole, evidence, question)
    yield from _word_flaws(whole, main, evidence, question)


def _word_flaws(whole: Contrast, main: Contrast, evidence: Evidence, question: Question) -> Iterator[Flaw]:
    # A table row has no subject but cells.
    if not _is_row(evidence.main) and (other := _other_subject(main, question)):
        yield "partly", other
    if strange := _statement(whole.claim, evidence.held | question.asked):
        yield "partly", f"not in the passage: {_listed(strange)}"


def _contradicted(other: tuple[str, str, str]) -> Flaw:
    sort, mine, theirs = other
    return "contradicted", f"{sort} not in the passage: {mine}; it has {theirs} there"


def _contrast(claim: Statement, said: str, question: Question) -> Contrast:
    wanted = frozenset[int]().union(*(word.stems for word in claim.words))
    text = "\n".join(_about(line, wanted, question.terms) for line in said.splitlines())
    return contrast(claim.words, words(text, question.terms, known=question.known))


def _about(line: str, wanted: frozenset[int], terms: Terms) -> str:
    """What a line says of a claim: all of a sentence; of a table row the cells that have a word of it.

    'food safe: no' denies nothing of what the row says of the price.
    """
    return "; ".join(cell for cell in line.split("; ") if terms(cell) & wanted) if _is_row(line) else line


def _is_row(text: str) -> bool:
    """Whether a text is made of table rows: 'site: Sundmark; staff: 29'."""
    cells = text.split("; ")
    return len(cells) > 1 and all(": " in cell for cell in cells)


def _number_flaws(claim: str, held: frozenset[str], question: str) -> Iterator[Flaw]:
    said = missing(MARKER.sub("", claim), held)
    if unknown := said - figures(question):
        yield "unsupported", f"number not in the passage: {', '.join(sorted(unknown))}"
    if said:
        yield "partly", f"number only in the question: {', '.join(sorted(said))}"
    # A number in brackets may be a citation of nothing: no reason to reject what the claim says.
    if cited := missing(claim, held):
        yield "partly", f"cites a passage that was not given: {', '.join(sorted(cited))}"


def _name_flaws(found: Contrast, evidence: Evidence, question: Question) -> Iterator[Flaw]:
    names = [word.text for word in found.claim if word.sort == "name" and not word.stems <= evidence.held]
    # "He" is a name that stands before; one that comes later is another's.
    before = plain(evidence.before)
    if strange := [name for name in names if possessor(name) not in before]:
        only = all(possessor(name) in plain(question.text) for name in strange)
        yield "partly", f"name {'only in the question' if only else 'not in the passage'}: {', '.join(strange[:3])}"


def _other_subject(found: Contrast, question: Question) -> str:
    """Of what the evidence says it, if that is something else than what the claim begins with.

    A word of the question may stand for what the passage calls otherwise. What a comma sets off is no subject.
    """
    opening, other = found.openings
    start = max((at for at, word in enumerate(found.claim[: len(opening) + 1]) if word.breaks), default=0)
    wanted, held = (frozenset[int]().union(*(word.stems for word in text)) for text in (found.claim, found.said))
    mine, theirs = _strange(opening[start:], held | question.asked), _strange(other, wanted)
    return f"the passage says this of '{_listed(theirs)}', not of '{_listed(mine)}'" if mine and theirs else ""


def _strange(text: Sequence[Word], held: frozenset[int]) -> list[Word]:
    return [word for word in text if word.stems - held]


def _statement(text: Sequence[Word], held: frozenset[int]) -> list[Word]:
    """The first words that are not held and stand so close together that they make a statement of their own."""
    run: list[Word] = []
    between = 0
    for word in text:
        if word.stems - held:
            run.append(word)
            between = 0
        elif word.is_content:
            between += 1
        if len(run) >= STRANGE_WORDS:
            return run
        if between > HELD_BETWEEN:
            run = []
    return []


def _listed(text: Sequence[Word]) -> str:
    return " ".join(word.text for word in text)[:60]
