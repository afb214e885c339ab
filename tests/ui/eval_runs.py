"""Two runs of a project's questions, whose model knew all answers and then declines most, and what the gate said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evals.baselines import baselines, set_baseline
from evals.change import Before, Change
from evals.dataset import load_dataset
from evals.decisions import decisions_path, record
from evals.gate import decide
from evals.promotion import Promotion, promotions_path
from evals.records import Run, save_run
from evals.run import evaluate, run_path
from rag.engine import Engine
from rag.journal import append
from rag.settings import load_settings

NUMBER, LOST = 10, 9
SAID = "Full-time employees have 30 working days of paid annual leave per calendar year [1]."
DECLINED = "NOT IN THE DOCUMENTS"
ELSEWHERE = "f" * 32
HOSTILE = "<b>leave</b> ![x](http://tracker.test/p.png)"


def script(lost: Sequence[int] = ()) -> list[dict[str, str]]:
    """What the model says to each question."""
    return [
        {"match": f"Question: .*number {place}[?]", "reply": DECLINED if place in lost else SAID}
        for place in range(NUMBER)
    ]


def write_questions(folder: Path) -> Path:
    """The questions, the first with markup in it."""
    lines = [
        {
            "id": f"q{place}",
            "question": f"How many working days of {'annual leave' if place else HOSTILE}, number {place}?",
            "facts": [["30"]],
            "sources": ["leave.txt"],
        }
        for place in range(NUMBER)
    ]
    return write_cases(folder, lines)


def write_cases(folder: Path, cases: Sequence[Mapping[str, object]]) -> Path:
    """A dataset of these cases."""
    file = folder / "questions.jsonl"
    file.write_text("".join(json.dumps(case) + "\n" for case in cases))
    return file


def answered(folder: Path, questions: Path) -> Run:
    """A run of all of them."""
    events = list(evaluate(Engine.from_settings(load_settings(folder / "plumbline.toml")), load_dataset(questions)))
    return next(event for event in events if isinstance(event, Run))


def make_runs(folder: Path) -> tuple[Run, Run]:
    """Both runs, kept a day apart; the first is the baseline. Of the second one trace is on another machine."""
    questions = write_questions(folder)
    first, second = _asked(folder, questions, (), day=1), _asked(folder, questions, range(LOST), day=2)
    set_baseline(load_settings(folder / "plumbline.toml"), "main", str(keep(folder, first)))
    strange = [replace(one, answer=one.answer and replace(one.answer, trace_id=ELSEWHERE)) for one in second.records]
    second = replace(second, records=(second.records[0], strange[1], *second.records[2:]))
    keep(folder, second)
    return first, second


def decide_on(folder: Path, first: Run, second: Run) -> None:
    """The gate looked at both, and a change was promoted."""
    settings = load_settings(folder / "plumbline.toml")
    decisions = [decide(first, run, settings.gate, name="main") for run in (first, second)]
    for decision in decisions:
        record(decision, decisions_path(settings))
    done = Promotion(
        id=first.id,
        at="2026-01-03T10:00:00+00:00",
        state="in force",
        change=Change(settings={"retrieve.limit": 5}),
        before=Before(settings={}, absent=("retrieve.limit",)),
        decision=decisions[0],
        run_file="run.json",
        baseline=baselines(settings)["main"],
    )
    append(promotions_path(settings), done)


def _asked(folder: Path, questions: Path, lost: Sequence[int], *, day: int) -> Run:
    (folder / "script.json").write_text(json.dumps(script(lost)))
    return replace(
        answered(folder, questions), id=f"2026-01-0{day}T10-00-00Z-questions", started=f"2026-01-0{day}T10:00:00+00:00"
    )


def keep(folder: Path, run: Run) -> Path:
    """Write the run to where the project keeps it."""
    path = run_path(load_settings(folder / "plumbline.toml"), run.id)
    save_run(run, path)
    return path
