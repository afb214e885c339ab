"""How far a judge agrees with people on which of two answers is more correct, beside how far people agree.

The judge is roles.judge, by default the local model: each answer is held against the expected one, and the more likely
right one is the better (`plumb eval calibrate`). A local model's call is made once (`replayed.py`).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from evals.agreement import Agreement, agreement
from evals.bench.figures import Line, Measured, Note
from evals.bench.packs import found_pack, skipped
from evals.bench.project import new_project
from evals.bench.ragchecker import PACK, Pair, read_pairs
from evals.bench.replayed import replayed
from evals.bench.strategies import LARGE, LOCAL, skipped_without
from evals.calibration import SAME_WITHIN, Calibration, calibrate
from evals.judge import Judge, make_judge
from evals.labelled import Item, Labelled
from evals.squad_scores import f1
from rag.case import Case
from rag.settings import Settings
from rag.weights import present

PERSONS = 2


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Cohen's kappa of the judge with people beside that of people with each other; `limit` bounds the pairs."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    # A prefix of the file would be of one dataset.
    pairs = read_pairs(pack)
    random.Random(0).shuffle(pairs)  # noqa: S311 - not for security
    pairs = pairs[:limit]
    with tempfile.TemporaryDirectory() as folder:
        settings = _with_judge(new_project(Path(folder)))
        if missing := _missing(settings):
            yield skipped_without(missing)
            return
        *_, found = calibrate(_judge(settings), _labelled(pairs))
    assert isinstance(found, Calibration)  # noqa: S101 - what calibrate() ends with
    yield from _lines(pairs, found)


def _with_judge(settings: Settings) -> Settings:
    roles = settings.roles.model_copy(update={"judge": settings.roles.candidates("judge") or LARGE})
    return settings.model_copy(update={"roles": roles})


def _missing(settings: Settings) -> list[str]:
    named = [name.removeprefix(LOCAL) for name in settings.roles.candidates("judge") if name.startswith(LOCAL)]
    return [name for name in named if not present(name, folder=settings.models_path)]


def _judge(settings: Settings) -> Judge:
    judge = make_judge(settings)
    assert judge is not None  # noqa: S101 - it is set above
    chain, _ = replayed(settings, role="judge")
    return replace(judge, llm=chain)


def _labelled(pairs: Sequence[Pair]) -> Labelled:
    """What each person said of each pair, as a file of 'plumb eval calibrate' has it."""
    items = [
        Item(
            case=Case(id=f"{number}", question=pair.question, expected=pair.expected), answers=pair.answers, label=label
        )
        for number, pair in enumerate(pairs)
        for label in pair.said
    ]
    return Labelled(name="RAGChecker", sha256="", are_pairs=True, items=tuple(items))


def _lines(pairs: Sequence[Pair], found: Calibration) -> Iterator[Line]:
    said = [(pair, label) for pair in pairs for label in pair.said]
    people = _agreement([(pair, pair.said[0], pair.said[1]) for pair in pairs if len(pair.said) == PERSONS])
    words = _agreement([(pair, label, _by_words(pair)) for pair, label in said])
    yield Note(text=f"{len(pairs)} pairs; graded by {', '.join(found.models)}; {found.failed} could not be graded")
    yield Note(text=_told("people with each other", people))
    yield Note(text=_told("words in common with people", words))
    if judge := found.judge.agreement:
        yield Note(text=_told("the judge with people", judge))
    yield Measured(
        name="kappa of the judge with people",
        value=judge.kappa if judge else None,
        reference=people.kappa or 0.0,
        against="that of people with each other",
        is_bar=False,
    )


def _agreement(told: Sequence[tuple[Pair, str, str]]) -> Agreement:
    """Of two who say something of pairs."""
    return agreement([one for _, one, _ in told], [other for *_, other in told], groups=[pair for pair, *_ in told])


def _by_words(pair: Pair) -> str:
    """Which answer has more words in common with the expected one: a judge without a model."""
    first, second = (f1(answer, [pair.expected]) for answer in pair.answers)
    if abs(first - second) <= SAME_WITHIN:
        return "same"
    return "first" if first > second else "second"


def _told(who: str, found: Agreement) -> str:
    if found.kappa is None or found.low is None or found.high is None:
        return f"{who}: {found.share:.0%} the same of {found.items}"
    return (
        f"{who}: kappa {found.kappa:.2f} ({found.low:.2f} to {found.high:.2f}), "
        f"{found.share:.0%} the same of {found.items}"
    )
