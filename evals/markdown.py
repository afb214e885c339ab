"""A comparison and a decision as Markdown, for the summary of a CI job or a comment on a change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evals.compare import Compared, Comparison
from evals.flips import Flip
from evals.gate import Decision
from evals.gate_report import SAID, TITLES, row
from evals.words import chance, left_out_counted, left_out_told, level_of, lost_told, noise_told, points, verdict_of
from rag.terminal import clean, in_line, number_of

MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "❔", "not gated": "➖"}
MOST_FLIPS = 50
LONGEST_ANSWER = 1_000
# Whatever Markdown, or a site that shows it, gives a meaning: marks, tags, links, mentions, references, formulas.
_MARKS = re.compile(r"[\\`*_{}\[\]()#!|<>&@~$:/]|\bwww\.", re.IGNORECASE)


def plain(text: str) -> str:
    """Text of a document, a question or a model in one line that Markdown shows as it is, whatever it holds."""
    return _MARKS.sub(lambda found: "".join(f"&#{ord(char)};" for char in found[0]), in_line(text))


def decision_page(decision: Decision, flips: Sequence[Flip] = ()) -> str:
    """The verdict first, then the metrics, and the cases that turned folded."""
    return "\n".join(_decision(decision, flips)) + "\n"


def comparison_page(found: Comparison) -> str:
    """The metrics, what changed between the runs, and the cases that turned folded."""
    return "\n".join(_comparison(found)) + "\n"


def _decision(decision: Decision, flips: Sequence[Flip]) -> Iterator[str]:
    yield f"## {MARKS[decision.verdict]} Gate: {decision.verdict}\n"
    yield from (f"- {plain(reason)}" for reason in decision.reasons)
    yield from ("", *_table(("", *TITLES, "verdict")))
    for one in decision.rulings:
        yield _cells([*row(one), f"{MARKS[verdict_of(one)]} {verdict_of(one)}"])
    yield f"\n{SAID[0].upper()}{SAID[1:]}.\n"
    yield f"{number_of('confirmed case', decision.cases)}{plain(left_out_counted(decision.left_out))}."
    yield f"Run {plain(decision.run)} against {plain(decision.baseline)} ({plain(decision.baseline_run)}).\n"
    yield from (f"- {plain(note)}" for note in (*decision.notes, lost_told(decision.lost)) if note)
    yield from _flips(flips)


def _comparison(found: Comparison) -> Iterator[str]:
    yield f"## {plain(found.first.run_id)} against {plain(found.second.run_id)}\n"
    yield f"{number_of('case', found.cases)} compared{plain(left_out_told(found.left_out))}.\n"
    yield from _table(("", "n", "first", "second", "change", "95 %", "better", "worse", "p"))
    yield from (_metric(one) for one in found.metrics)
    yield "\nChange in points of 100 (MRR: as it is); p corrected for the number of metrics.\n"
    yield from (f"- {plain(note)}" for note in found.notes)
    yield from (f"- {plain(told)}" for one in found.metrics if (told := noise_told(one.label, one.spread)))
    if found.changes:
        yield from _folded(f"{number_of('difference', len(found.changes))} between the runs", found.changes)
    yield from _flips(found.flips)


def _metric(one: Compared) -> str:
    return _cells(
        [
            *(one.label, str(one.cases), level_of(one.first, one.unit), level_of(one.second, one.unit)),
            points(one.difference, one.unit),
            f"{points(one.low, one.unit)} to {points(one.high, one.unit)}",
            *(str(one.better), str(one.worse), chance(one.p_holm)),
        ]
    )


def _flips(flips: Sequence[Flip]) -> Iterator[str]:
    if not flips:
        return
    lost = sum(bool(flip.lost) for flip in flips)
    yield f"\n<details><summary>{number_of('case', lost)} got worse, {len(flips) - lost} better</summary>\n"
    yield from _table(("case", "turned", "first", "second"))
    for flip in flips[:MOST_FLIPS]:
        turned = "; ".join(f"{told} {', '.join(names)}" for told, names in _turned(flip) if names)
        yield _cells([f"{flip.case_id}: {flip.question}", turned, _cut(flip.first), _cut(flip.second)])
    if len(flips) > MOST_FLIPS:
        yield f"\nand {len(flips) - MOST_FLIPS} more"
    yield "\n</details>"


def _turned(flip: Flip) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("lost", flip.lost), ("won", flip.won)


def _folded(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"\n<details><summary>{plain(title)}</summary>\n"
    yield from (f"- {plain(line)}" for line in lines)
    yield "\n</details>"


def _table(titles: Sequence[str]) -> tuple[str, str]:
    return _cells(titles), "|" + "---|" * len(titles)


def _cells(values: Sequence[str]) -> str:
    return f"| {' | '.join(plain(value) for value in values)} |"


def _cut(answer: str) -> str:
    text = clean(answer.strip()) or "(nothing)"
    return text if len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER]}…"
