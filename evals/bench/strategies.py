"""The strategies of the answer role side by side: two local models on the handbook questions for tuning.

They share the model calls that they have in common (`replayed.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from evals.bench.figures import Line, Note
from evals.bench.project import HANDBOOK, REPOSITORY, new_project, require_examples
from evals.bench.replayed import Clock, replayed
from evals.dataset import load_dataset, select
from evals.records import Figure, Run
from evals.run import evaluate
from ingest.pipeline import ingest
from rag.engine import Engine
from rag.search import Searcher
from rag.settings import Settings
from rag.weights import present

QUESTIONS = REPOSITORY / "examples" / "questions-tuning.jsonl"
LOCAL = "local:"
SMALL, LARGE = f"{LOCAL}qwen2.5-coder-0.5b", f"{LOCAL}qwen2.5-coder-1.5b"
# What is asked: the strategy and its models. Of two votes that are alike, the first model's wins.
WAYS = (("first", (SMALL,)), ("first", (LARGE,)), ("cascade", (SMALL, LARGE)), ("vote", (LARGE, SMALL)))
SHARES = (("correct", "right"), ("declined_unanswerable", "declined rightly"), ("declined_answerable", "wrongly"))


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Right answers, refusals, support and tokens of each strategy; compared with each other, against no bar."""
    require_examples()
    with tempfile.TemporaryDirectory() as folder:
        settings = new_project(Path(folder))
        if missing := missing_models(settings):
            yield skipped_without(missing)
            return
        for _ in ingest([HANDBOOK], settings=settings):
            pass
        for strategy, models in WAYS:
            yield Note(text=f"{strategy} of {', '.join(models)}: {_told(_asked(settings, strategy, models, limit))}")


def missing_models(settings: Settings) -> list[str]:
    """The local models without a file."""
    named = dict.fromkeys(name.removeprefix(LOCAL) for _, names in WAYS for name in names if name.startswith(LOCAL))
    return [name for name in named if not present(name, folder=settings.models_path)]


def skipped_without(models: Sequence[str]) -> Note:
    """The line of a benchmark that lacks model files."""
    return Note(text=f"skipped, as model files are missing; fetch them: plumb models pull {' '.join(models)}")


def made(settings: Settings, strategy: str, models: tuple[str, ...]) -> tuple[Engine, Clock]:
    """An engine with that strategy of those models over the settings' index, and the clock of its calls."""
    roles = settings.roles.model_copy(update={"answer": models})
    generate = settings.generate.model_copy(update={"strategy": strategy})
    chosen = settings.model_copy(update={"roles": roles, "generate": generate})
    chain, clock = replayed(chosen)
    return Engine(searcher=Searcher.from_settings(chosen), answer=chain), clock


def _asked(settings: Settings, strategy: str, models: tuple[str, ...], limit: int | None) -> Run:
    engine, _ = made(settings, strategy, models)
    dataset = load_dataset(QUESTIONS)
    # An open index has files made in its folder, which could then not be removed.
    with closing(engine.searcher.opened.store):
        *_, run = evaluate(engine, select(dataset, limit=limit))
    assert isinstance(run, Run)  # noqa: S101 - what evaluate() ends with
    return run


def _told(run: Run) -> str:
    figures = run.summary.overall
    shares = [f"{label} {_counted(figures[name])}" for name, label in SHARES]
    support = [r.answer.verdict.supported_share or 0.0 for r in run.records if r.answer and not r.answer.abstained]
    supported = f"of an answer {sum(support) / len(support):.0%} supported" if support else "no answers"
    tokens = f"{figures['prompt_tokens'].value or 0:.0f} tokens read and {figures['completion_tokens'].value or 0:.0f}"
    return f"{', '.join(shares)}; {supported}; {tokens} written a question; {_answered(run)}"


def _counted(figure: Figure) -> str:
    return f"{round((figure.value or 0) * figure.cases)} of {figure.cases}"


def _answered(run: Run) -> str:
    """How many answers, refusals too, are of which model."""
    who = [record.answer.models.get("answer", "nobody") for record in run.records if record.answer]
    return ", ".join(f"{who.count(model)} by {model}" for model in dict.fromkeys(who))
