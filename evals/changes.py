"""What is not the same in two runs: settings, models, prompts, index and code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evals.records import Run

ARROW = "->"
ABSENT = "not set"


def changes(first: Run, second: Run) -> tuple[str, ...]:
    """A line for each difference; none where the runs are of the same system, as far as they tell."""
    before, after = dict(_facts(first)), dict(_facts(second))
    return tuple(
        f"{name}: {before.get(name, ABSENT)} {ARROW} {after.get(name, ABSENT)}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )


def by_key(config: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a run by dotted key."""
    return dict(_settings(config, ""))


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    yield from by_key(run.config).items()
    yield from ((f"model that played {role}", ", ".join(models)) for role, models in run.models.items())
    yield from ((f"prompt {prompt.id}", f"{prompt.version} ({prompt.sha})") for prompt in run.prompts)
    yield "index", f"{run.index.name}, {run.index.chunks} chunks"
    yield "code", run.code_version


def _settings(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", str(value)
