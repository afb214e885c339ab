"""The trace of one run while it happens: a local variable that is passed along, never ambient context."""

from __future__ import annotations

import copy
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from rag.types import Step, StepKind, Trace

TraceName = Literal["ask", "search", "ingest", "eval"]
Status = Literal["ok", "failed", "abandoned"]


@dataclass(slots=True, kw_only=True)
class OpenStep:
    """A step that is still running; `note()` adds facts to it."""

    id: str
    attributes: dict[str, Any] = field(default_factory=dict)

    def note(self, facts: Mapping[str, Any]) -> None:
        """Keep facts about this step; values must be JSON-serialisable."""
        self.attributes.update(facts)


class Recorder:
    """Collects the steps of one run; `finish()` makes the frozen Trace. Safe to use from several threads."""

    def __init__(self, name: TraceName, *, question: Any = None) -> None:
        """Start the clock of a run called `name`; `question` is the trace's input."""
        self.trace_id = secrets.token_hex(16)
        self._name: TraceName = name
        self._input = question
        self._started_at = time.time()
        # Every later time is this one plus an offset: a step of the wall clock makes no absurd duration.
        self._began = time.perf_counter()
        self._steps: list[Step] = []
        self._lock = threading.Lock()
        self._parent_id: str | None = None

    def below(self, step: OpenStep) -> Recorder:
        """A recorder of the same run, whose steps are parts of that one; threads may have one each."""
        nested = copy.copy(self)
        nested._parent_id = step.id
        return nested

    @contextmanager
    def step(self, name: str, kind: StepKind) -> Iterator[OpenStep]:
        """Time a part of the run; an exception is noted on the step and goes on."""
        opened = OpenStep(id=secrets.token_hex(8))
        started_at, error = self._now(), None
        try:
            yield opened
        except GeneratorExit:
            error = "abandoned"
            raise
        except BaseException as exception:
            error = f"{type(exception).__name__}: {exception}"
            raise
        finally:
            self._add(
                Step(
                    id=opened.id,
                    parent_id=self._parent_id,
                    name=name,
                    kind=kind,
                    started_at=started_at,
                    ended_at=self._now(),
                    attributes=dict(opened.attributes),
                    error=error,
                )
            )

    def add(self, name: str, kind: StepKind, *, began: float, ended: float, facts: Mapping[str, Any]) -> None:
        """A step that is over; `began` and `ended` are seconds of `time.perf_counter()`."""
        self._add(
            Step(
                id=secrets.token_hex(8),
                parent_id=self._parent_id,
                name=name,
                kind=kind,
                started_at=self._at(began),
                ended_at=self._at(ended),
                attributes=dict(facts),
            )
        )

    def elapsed_ms(self) -> float:
        """Milliseconds since the run began."""
        return round((time.perf_counter() - self._began) * 1000, 1)

    def timings_ms(self) -> dict[str, float]:
        """Milliseconds of the finished steps by name, and of the run so far as 'total'."""
        with self._lock:
            names = dict.fromkeys(step.name for step in self._steps)
            spent = {name: sum(s.ended_at - s.started_at for s in self._steps if s.name == name) for name in names}
        return {**{name: round(seconds * 1000, 1) for name, seconds in spent.items()}, "total": self.elapsed_ms()}

    def finish(self, *, status: Status, output: Any, attributes: Mapping[str, Any]) -> Trace:
        """Freeze the run into a Trace."""
        with self._lock:
            # A step before its parts, though they may begin at the same moment.
            steps = tuple(sorted(self._steps, key=lambda step: (step.started_at, -step.ended_at)))
        return Trace(
            id=self.trace_id,
            name=self._name,
            started_at=self._started_at,
            ended_at=self._now(),
            status=status,
            input=self._input,
            output=output,
            attributes=dict(attributes),
            steps=steps,
        )

    def _now(self) -> float:
        return self._at(time.perf_counter())

    def _at(self, moment: float) -> float:
        return self._started_at + moment - self._began

    def _add(self, step: Step) -> None:
        with self._lock:
            self._steps.append(step)
