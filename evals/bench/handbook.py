"""The questions about the handbook through the default profile in a fresh project."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from platformdirs import user_cache_path

from evals.bench.figures import Line, Measured, Note, interval
from evals.bench.project import HANDBOOK, HELD_OUT, QUESTIONS, new_project, require_examples
from evals.dataset import load_dataset, select
from evals.records import Figure, Run, save_run
from evals.run import Progress, evaluate
from ingest.pipeline import ingest
from ingest.progress import Report
from rag.engine import Engine

FIRST_TOKEN_MS = 8000.0
SHARES = (
    ("recall_at_5", "recall@5", 0.95),
    ("correct", "answerable, right", 0.70),
    ("declined_unanswerable", "unanswerable, declined", 0.80),
)
TIMES = (("first_token_ms_p50", "p50"), ("first_token_ms_p95", "p95"), ("first_token_ms_max", "longest"))


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Recall, right answers, right refusals and time to first token: on the example questions and the held-out ones."""
    require_examples()
    with tempfile.TemporaryDirectory() as folder:
        settings = new_project(Path(folder))
        report = _last(ingest([HANDBOOK], settings=settings))
        models = ", then ".join(settings.roles.candidates("answer"))
        yield Note(text=f"{report.added} documents, {report.total_chunks} chunks; answers by {models}")
        yield Note(text="thresholds were set on questions-tuning.jsonl and the dev split of questions.jsonl")
        engine = Engine.from_settings(settings)
        # An open index has files made in its folder, which could then not be removed.
        with closing(engine.searcher.opened.store):
            for part, file in (("examples", QUESTIONS), ("held out", HELD_OUT)):
                run = _asked(engine, file, limit=limit)
                yield Note(text=f"{part}: every answer is in {_kept(run)}")
                yield from _lines(part, run.summary.overall)


def _asked(engine: Engine, file: Path, *, limit: int | None) -> Run:
    dataset = load_dataset(file)
    events: Iterator[Progress] = evaluate(engine, select(dataset, limit=limit))
    # To its end: a run that an error cut short comes before that error.
    *_, run = events
    assert isinstance(run, Run)  # noqa: S101 - what evaluate() ends with
    return run


def _kept(run: Run) -> Path:
    path = user_cache_path("plumbline") / "bench" / f"{run.dataset.name}.json"
    save_run(run, path)
    return path


def _lines(part: str, figures: Mapping[str, Figure]) -> Iterator[Line]:
    if not figures:
        yield Note(text=f"{part}: no questions asked")
        return
    for name, label, bar in SHARES:
        figure = figures[name]
        note = interval(figure)
        yield Measured(name=f"{part}: {label}", value=figure.value, reference=bar, against="the bar", note=note)
    for name, label in TIMES:
        value = figures[name].value
        yield Measured(
            name=f"{part}: time to first token, {label}",
            value=None if value is None else value / 1000,
            reference=FIRST_TOKEN_MS / 1000,
            against="the bar",
            unit="s",
            highest=True,
        )


def _last(events: Iterator[object]) -> Report:
    return next(event for event in events if isinstance(event, Report))
