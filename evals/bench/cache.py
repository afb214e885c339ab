"""Answers given again: never to a question that differs in one word, always to one in other dress, and how fast.

Pairs of real questions: all of SQuAD 2.0's that differ in one word, or have one more. Its impossible questions were
written as small changes of possible ones, so most of these pairs ask for two things. One rule came from them: a name
with an s more is another name.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from evals.bench.figures import Line, Measured, Note
from evals.bench.packs import found_pack, skipped
from evals.bench.planted import PACK, read_articles
from evals.bench.project import HANDBOOK, new_project, require_examples
from evals.metrics import percentile
from ingest.pipeline import ingest
from rag.cache import AnswerCache
from rag.embed import Embedder
from rag.same import same_question
from rag.search import Searcher
from rag.types import PUBLIC, Answer, Claim, Hit, Passage, Usage, Verdict

# What changes nothing of a question.
DRESSES: tuple[Callable[[str], str], ...] = (
    str.lower,
    str.upper,
    lambda text: f"{text.rstrip('?')} ??",
    lambda text: f"Could you tell me {text}",
    lambda text: f"  Hello,\n{text} Thanks!",
)
DRESSED, KEPT = 1_000, 500
SUPPORTED = Verdict(claims=(Claim(text="So it is.", markers=(1,), support="supported", score=1.0, reason=""),))


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Wrong and missed matches, then the time of a lookup among many answers; `limit` bounds the questions."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    require_examples()
    several = (asked for article in read_articles(pack) for some in article.questions for asked in some)
    questions = list(dict.fromkeys(asked.strip() for asked in several))[:limit]
    with tempfile.TemporaryDirectory() as folder:
        settings = new_project(Path(folder))
        list(ingest([HANDBOOK], settings=settings))
        searcher = Searcher.from_settings(settings)
        yield from _sameness(questions, searcher.index.embedder)
        yield from _lookups(questions[:KEPT], searcher)
        searcher.index.store.close()


def pairs(questions: Sequence[str]) -> list[tuple[str, str]]:
    """Those that differ in one word, by whatever but case and marks, or of which one has a word more."""
    told = {question: tuple(_bare(word) for word in question.split()) for question in questions}
    without: dict[tuple[int, int, tuple[str, ...]], list[str]] = defaultdict(list)
    for question, words in told.items():
        for at in range(len(words)):
            without[len(words), at, (*words[:at], *words[at + 1 :])].append(question)
    changed = {pair for same in without.values() for pair in combinations(sorted(same), 2)}
    whole = {words: question for question, words in told.items()}
    longer = {(longer, whole[rest]) for (_, _, rest), some in without.items() if rest in whole for longer in some}
    return sorted(pair for pair in changed | longer if told[pair[0]] != told[pair[1]])


def _bare(word: str) -> str:
    return word.casefold().strip("?!.,;:\"'")


def _sameness(questions: Sequence[str], embedder: Embedder) -> Iterator[Line]:
    apart = pairs(questions)
    wrong = [pair for pair in apart if same_question(*pair, embed=embedder.embed)]
    yield Measured(
        name=f"of {len(apart):,} pairs of questions one word apart, taken for the same",
        value=float(len(wrong)),
        reference=0.0,
        against="the bar",
        highest=True,
        note="; ".join(f"{one} | {other}" for one, other in wrong[:3]),
    )
    dressed = [(asked, dress(asked)) for asked in questions[:DRESSED] for dress in DRESSES]
    same = sum(same_question(*pair, embed=embedder.embed) for pair in dressed)
    yield Note(
        text=f"of {len(dressed):,} questions in other dress (case, marks, politeness) {same:,} are found the same"
    )


def _lookups(questions: Sequence[str], searcher: Searcher) -> Iterator[Line]:
    settings = searcher.settings
    cache = AnswerCache(settings, searcher.index, ())
    found = {question: searcher.search(question) for question in questions}
    for number, (question, hits) in enumerate(found.items()):
        cache.keep(_answer(question, hits, trace_id=str(number)), PUBLIC, found=hits)
    times: list[float] = []
    given = 0
    for question in found:
        started = time.perf_counter()
        given += cache.find(DRESSES[2](question), PUBLIC, search=searcher.search) is not None
        times.append((time.perf_counter() - started) * 1000)
    took = f"p50 {percentile(times, 0.5):.0f} ms, p95 {percentile(times, 0.95):.0f} ms"
    yield Note(
        text=f"a lookup among {len(found):,} answers with the search that confirms it: {took}; {given} given again"
    )


def _answer(question: str, hits: Sequence[Hit], *, trace_id: str) -> Answer:
    """A made-up answer: only what a lookup looks at is of importance."""
    return Answer(
        question=question,
        text="So it is. [1]",
        abstention="",
        citations=(),
        verdict=SUPPORTED,
        passages=tuple(Passage(marker=1, text=hit.chunk.text, hit=hit) for hit in hits[:3]),
        hits=tuple(hits),
        usage=Usage(),
        cost=0.0,
        models={},
        trace_id=trace_id,
        timings_ms={},
    )
