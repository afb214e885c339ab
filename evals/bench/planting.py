"""Claims planted into answers: sentences of real passages, left as they are or altered in one known way.

Rajpurkar et al., Know What You Don't Know: Unanswerable Questions for SQuAD (2018), for the passages. All is drawn
from a seeded generator: the same pack gives the same cases. English only, as the passages are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from evals.bench import altering
from evals.bench.altering import Change, Said, words
from rag.sentences import sentences
from rag.types import Chunk, Hit, Passage

PASSAGES = 5
CLAIMS = (3, 5)
SENTENCE_WORDS = (8, 40)
# Answers that are tried for each article; few sentences give a claim of the rarer kinds.
TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """The paragraphs of an article, and the questions that were asked of each."""

    title: str
    paragraphs: tuple[str, ...]
    questions: tuple[tuple[str, ...], ...]

    def sentences(self, places: Sequence[int], *, given: bool = False) -> tuple[Said, ...]:
        """The sentences of paragraphs that can be changed; where these are given, with their markers."""
        return tuple(
            Said(text=text, marker=marker if given else 0, paragraph=self.paragraphs[at])
            for marker, at in enumerate(places, 1)
            for text in _sentences(self.paragraphs[at])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A claim as it was planted: its text, the passages it cites, and those that carry it (none if it is untrue)."""

    kind: str
    text: str
    cites: tuple[int, ...]
    carried_by: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An answer of several planted claims, one a line."""

    question: str
    passages: tuple[Passage, ...]
    cases: tuple[Case, ...]

    @property
    def answer(self) -> str:
        """The text that is checked."""
        return "\n".join(f"{case.text[:-1]} {''.join(f'[{n}]' for n in case.cites)}." for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What claims are drawn from: sentences of the five passages, of the rest of the article, and of another one."""

    here: tuple[Said, ...]
    same_topic: tuple[Said, ...]
    foreign: tuple[Said, ...]
    chance: random.Random

    def cited(self, said: Said) -> tuple[int, ...]:
        """The passage of a sentence as a citation; one of the five for a sentence from elsewhere."""
        return (said.marker or self.chance.randint(1, PASSAGES),)


Plant = Callable[[Said, Scene], Case | None]


def plant(articles: Sequence[Article], *, wanted: int, seed: int) -> list[Planted]:
    """Answers with at least `wanted` claims of each kind in equal parts, as far as the articles give them."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable, not secret
    planted: list[Planted] = []
    counts = dict.fromkeys(KINDS, 0)
    seen: set[str] = set()
    for turn in range(len(articles) * TRIES):
        if not (short := [kind for kind in KINDS if counts[kind] < wanted]):
            break
        article = articles[turn % len(articles)]
        foreign = articles[(turn + 1 + chance.randrange(len(articles) - 1)) % len(articles)]
        kinds = chance.sample(short, min(len(short), chance.randint(*CLAIMS)))
        kinds += chance.sample(list(KINDS), max(0, CLAIMS[0] - len(kinds)))
        found = _answer(article, foreign, kinds, seen, chance)
        if found is None:
            continue
        planted.append(found)
        seen |= {case.text for case in found.cases}
        for case in found.cases:
            counts[case.kind] += 1
    return planted


def _answer(
    article: Article, foreign: Article, kinds: Sequence[str], seen: set[str], chance: random.Random
) -> Planted | None:
    order = chance.sample(range(len(article.paragraphs)), len(article.paragraphs))
    chosen, rest = order[:PASSAGES], order[PASSAGES:]
    scene = Scene(
        here=article.sentences(chosen, given=True),
        same_topic=article.sentences(rest),
        foreign=foreign.sentences(range(len(foreign.paragraphs))),
        chance=chance,
    )
    drawn = (_draw(kind, scene, seen) for kind in kinds)
    cases = [case for case in drawn if case]
    if len(cases) < CLAIMS[0]:
        return None
    asked = [question for at in chosen for question in article.questions[at]]
    passages = tuple(_passage(marker, article, at) for marker, at in enumerate(chosen, 1))
    return Planted(question=chance.choice(asked), passages=passages, cases=tuple(cases))


def _draw(kind: str, scene: Scene, seen: set[str]) -> Case | None:
    """The first claim of a kind that some sentence gives, in random order."""
    pool = {"off topic": scene.foreign, "other passage": scene.same_topic}.get(kind)
    source = scene.here if pool is None else pool
    for said in scene.chance.sample(source, len(source)):
        case = KINDS[kind](said, scene)
        if case and case.text not in seen and len(sentences(case.text)) == 1:
            return case
    return None


@cache
def _sentences(paragraph: str) -> tuple[str, ...]:
    texts = (paragraph[start:end] for start, end in sentences(paragraph))
    least, most = SENTENCE_WORDS
    return tuple(text for text in texts if least <= len(words(text)) <= most and altering.is_plain(text))


def _passage(marker: int, article: Article, at: int) -> Passage:
    text = article.paragraphs[at]
    chunk = Chunk(
        id=f"00000000-0000-0000-0000-{at:012}",
        uri=f"{article.title}/{at}.md",
        title=article.title.replace("_", " "),
        headings=(),
        page=None,
        position=at,
        text=text,
        revision="0",
    )
    return Passage(marker=marker, text=text, hit=Hit(chunk=chunk, score=1.0, scores={}))


def _true(kind: str, change: Callable[[str], str | None]) -> Plant:
    """A claim that still holds after a change of its words."""

    def make(said: Said, _: Scene) -> Case | None:
        text = change(said.text)
        return Case(kind=kind, text=text, cites=(said.marker,), carried_by=frozenset((said.marker,))) if text else None

    return make


def _untrue(kind: str, change: Change) -> Plant:
    """A claim that cites the passage it came from, but no longer holds."""

    def make(said: Said, scene: Scene) -> Case | None:
        text = change(said, scene.here, scene.chance)
        return Case(kind=kind, text=text, cites=scene.cited(said)) if text else None

    return make


def _joined(said: Said, scene: Scene) -> Case | None:
    other = scene.chance.choice(scene.here)
    text = altering.joined(said.text, other.text)
    if text is None or other.marker == said.marker:
        return None
    both = (said.marker, other.marker)
    return Case(kind="joined", text=text, cites=both, carried_by=frozenset(both))


def _stitched(said: Said, scene: Scene) -> Case | None:
    others = [other for other in scene.here if other.marker != said.marker]
    for other in scene.chance.sample(others, len(others)):
        if text := altering.stitched(said, other):
            cites = scene.chance.choice([(said.marker,), (other.marker,), (said.marker, other.marker)])
            return Case(kind="stitched", text=text, cites=cites)
    return None


def _misattributed(said: Said, scene: Scene) -> Case | None:
    wrong = scene.chance.choice([marker for marker in range(1, PASSAGES + 1) if marker != said.marker])
    carried = frozenset((said.marker,))
    return Case(kind="misattributed", text=said.text, cites=(wrong,), carried_by=carried)


TRUE: Mapping[str, Plant] = {
    "verbatim": _true("verbatim", str),
    "shortened": _true("shortened", altering.shortened),
    "moved": _true("moved", altering.moved),
    "joined": _joined,
    "quoted": _true("quoted", altering.quoted),
}
UNTRUE: Mapping[str, Plant] = {
    "number": _untrue("number", altering.number),
    "date": _untrue("date", altering.date),
    "name": _untrue("name", altering.name),
    "negation": _untrue("negation", altering.negation),
    "quote": _untrue("quote", altering.quote),
    "stitched": _stitched,
    "other passage": _untrue("other passage", lambda said, _, __: said.text),
    "off topic": _untrue("off topic", lambda said, _, __: said.text),
}
KINDS: Mapping[str, Plant] = {**TRUE, **UNTRUE, "misattributed": _misattributed}
