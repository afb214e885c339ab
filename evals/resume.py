"""Whether a run can go on where it ended: the same questions to the same system."""

from __future__ import annotations

from evals.answering import differing, then_and_now
from evals.records import Run
from evals.selection import in_words
from rag.errors import InputError


def check_same(earlier: Run, now: Run) -> None:
    """Raise InputError that names what is not the same: a run of two systems would tell of neither."""
    sides = {
        "dataset": (earlier.dataset.sha256[:12], now.dataset.sha256[:12]),
        "cases": (_cases(earlier), _cases(now)),
        "prompts": (_prompts(earlier), _prompts(now)),
        "index": (
            f"{earlier.index.name}, {earlier.index.chunks} chunks",
            f"{now.index.name}, {now.index.chunks} chunks",
        ),
        "settings": _settings(earlier, now),
        "code": (earlier.code_version, now.code_version),
    }
    for name, (then, today) in sides.items():
        if then != today:
            raise InputError(
                f"run {earlier.id} was begun with {name} {then}, now it is {today}",
                expected="the same questions to the same system",
                remedy="make it so again, or begin a new run",
            )


def _settings(earlier: Run, now: Run) -> tuple[str, str]:
    """Those that can change an answer and differ; nothing on both sides where none does."""
    if earlier.config_hash == now.config_hash or earlier.answering_hash == now.answering_hash:
        return "", ""
    found = differing(earlier.config, now.config)
    hidden = (f"{earlier.config_hash} (a value that is not shown)", now.config_hash)
    return then_and_now(found) if found else hidden


def _cases(run: Run) -> str:
    part = in_words(run.dataset.selection)
    return f"{len(run.cases)} of {f'the part {part}' if part else 'the whole dataset'}, each {run.repeat} times"


def _prompts(run: Run) -> str:
    return ", ".join(f"{prompt.id} {prompt.sha}" for prompt in run.prompts)
