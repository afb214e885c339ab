"""How far a judge agrees with people, on answers that people judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evals.agreement import agreement
from evals.judge import Grade, Judge
from evals.labelled import Item, Labelled
from evals.metrics import JUDGED_RIGHT_AT
from evals.records import JudgeUsed
from rag.errors import ModelError
from rag.llm.price import total

# Two answers whose chances of being right lie so near each other are as good as each other.
SAME_WITHIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """So many items are graded."""

    done: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What came of it: the judge with its agreement, the models that really graded, and the cost, None if unknown.

    `failed` items could not be graded: they are in no figure.
    """

    judge: JudgeUsed
    models: tuple[str, ...]
    failed: int
    cost: float | None


def calibrate(judge: Judge, labelled: Labelled) -> Iterator[Graded | Calibration]:
    """Grade every item and hold the grades against the labels; the Calibration comes last.

    Raises ModelError when not one can be graded.
    """
    graded: list[tuple[Item, Sequence[Grade]]] = []
    for done, item in enumerate(labelled.items, 1):
        try:
            graded.append((item, [judge.grade(item.case, text) for text in item.answers]))
        except ModelError:
            if done == len(labelled.items) and not graded:
                raise
        yield Graded(done=done, of=len(labelled.items))
    found = agreement(
        [item.label for item, _ in graded],
        [_label(grades) for _, grades in graded],
        groups=[item.case.question for item, _ in graded],
    )
    grades = [grade for _, each in graded for grade in each]
    yield Calibration(
        judge=replace(judge.used, agreement=found, labelled=f"{labelled.name} {labelled.sha256[:12]}"),
        models=tuple(sorted({grade.model for grade in grades})),
        failed=len(labelled.items) - len(graded),
        cost=total(grade.cost for grade in grades),
    )


def _label(grades: Sequence[Grade]) -> str:
    if len(grades) == 1:
        return "right" if grades[0].chance >= JUDGED_RIGHT_AT else "wrong"
    first, second = (grade.chance for grade in grades)
    if abs(first - second) <= SAME_WITHIN:
        return "same"
    return "first" if first > second else "second"
