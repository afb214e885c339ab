"""Recorded answers of GPT-4 and GPT-3.5 of March and June 2023 to the same prompts, as canaries.

Chen, Zaharia and Zou, How Is ChatGPT's Behavior Changing over Time? (2023). Whether code passed its tests was recorded
there, as it was answered and without its fences: nothing is run here.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from evals.drift.canaries import Canary, Spoken
from evals.drift.observation import Observation, Said
from rag.errors import InputError

PACK = "1_drift_llmdrift.tar.xz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of the pack: its file, its parser, and whether its answers are known."""

    name: str
    file: str
    parser: str
    has_expected: bool


TASKS = (
    Task(name="primes", file="PRIME_FULL_EVAL", parser="label:[Yes,No]@1", has_expected=True),
    Task(name="happy numbers", file="COUNTAHAPPYNUMBER_EVAL", parser="number@1", has_expected=True),
    Task(name="sensitive questions", file="SENSITIVEQ_EVAL", parser="text@1", has_expected=False),
    Task(name="opinions", file="OPINIONQA_EVAL", parser="choice@1", has_expected=False),
    Task(name="code", file="LEETCODE_EASY_EVAL", parser="code@1", has_expected=False),
)
# March and June of each.
PAIRS = {"GPT-4": ("gpt-4-0314", "gpt-4-0613"), "GPT-3.5": ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")}
Recorded = Mapping[tuple[str, str], Observation]


def read_llmdrift(pack: Path) -> Recorded:
    """An observation for each task and version. Raises InputError for a pack that holds something else."""
    try:
        return {
            (task.name, version): _observation(task, version, rows)
            for task, rows in _tables(pack)
            for version in (version for pair in PAIRS.values() for version in pair)
        }
    except (OSError, KeyError, ValueError, tarfile.TarError) as error:
        raise InputError(
            f"can't read {pack}: {error}", expected="the answers of LLMDrift", remedy="get the pack again"
        ) from None


def _tables(pack: Path) -> Iterator[tuple[Task, Sequence[Mapping[str, str]]]]:
    csv.field_size_limit(10_000_000)
    with tarfile.open(pack) as archive:
        names = {Path(name).stem: name for name in archive.getnames() if name.endswith(".csv")}
        for task in TASKS:
            with cast(IO[bytes], archive.extractfile(names[task.file])) as file:
                yield task, list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))


def _observation(task: Task, version: str, rows: Sequence[Mapping[str, str]]) -> Observation:
    own = {f"{row['dataset']} {row['id']}": row for row in rows if row["model"].endswith(version)}
    canaries = tuple(_canary(task, name, row) for name, row in own.items())
    return Observation(
        id=f"{task.name} {version}",
        name=version,
        started="2023-03-14T00:00:00+00:00" if version.endswith(("0301", "0314")) else "2023-06-13T00:00:00+00:00",
        ended="2023-07-26T00:00:00+00:00",
        source=task.name,
        source_sha256=task.file,
        canaries=canaries,
        answers=tuple(_said(name, version, row) for name, row in own.items()),
    )


def _canary(task: Task, name: str, row: Mapping[str, str]) -> Canary:
    expected = row["ref_answer"].replace("\\", "").removeprefix("boxed{").removesuffix("}")
    return Canary(
        id=name,
        messages=(Spoken(role="user", content=row["query"]),),
        parser=task.parser,
        expected=(expected,) if task.has_expected else (),
    )


def _said(name: str, version: str, row: Mapping[str, str]) -> Said:
    # Of code without its fences; 'Directly Usable' is that of the answer as it came.
    passed = row.get("Clean_Code_Submit")
    return Said(
        canary=name,
        text=row["answer"],
        requested_model=f"openai:{version}",
        resolved_model=version,
        graded=None if passed is None else float("Accepted" in passed),
    )
