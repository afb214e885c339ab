"""RAGChecker's human labels: two answers to each of 280 questions, and which one each of two people found better.

Ru and others, RAGChecker: A Fine-grained Framework for Diagnosing Retrieval-Augmented Generation (2024). The answers
are of eight systems, over ten datasets; each row of the file is what one person said of a pair, from -2 (the first is
much better) to 2.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from evals.labelled import Better
from rag.errors import InputError

PACK = "6_security_judge.tar.xz"
MEMBER = "judge/ragchecker/human_labeled_data.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to one question beside the one that is right, and what each person said: which is more correct."""

    question: str
    expected: str
    answers: tuple[str, str]
    said: tuple[Better, ...]


def read_pairs(pack: Path) -> list[Pair]:
    """All pairs, in the order of the file; raises InputError for a pack that holds something else."""
    try:
        with tarfile.open(pack) as archive:
            rows = json.load(cast(IO[bytes], archive.extractfile(MEMBER)))
        found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for row in rows:
            found.setdefault(_name(row), []).append(row)
        return [_pair(each) for each in found.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, tarfile.TarError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected=f"{MEMBER} as RAGChecker has it") from None


def _name(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (row["dataset"], str(row["query_id"]), row["model1"]["model_name"], row["model2"]["model_name"])


def _pair(rows: list[Mapping[str, Any]]) -> Pair:
    first = rows[0]
    return Pair(
        question=first["query"],
        expected=first["gt_answer"],
        answers=(first["model1"]["response"], first["model2"]["response"]),
        said=tuple(_better(row["correctness_label"]) for row in rows),
    )


def _better(label: int) -> Better:
    if label == 0:
        return "same"
    return "second" if label > 0 else "first"
