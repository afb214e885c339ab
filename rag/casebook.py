"""A question with what a right answer must say, added to a file of eval cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.durable import replace_text
from rag.errors import InputError, StoreError
from rag.types import Trace

LOCK_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """A case made of an answer. `facts` must all be in a right answer, `sources` are the documents that hold it.

    Both are empty where the right reaction is to decline.
    """

    trace_id: str
    question: str
    facts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The case as a line of a dataset."""
        told = {
            "id": f"trace-{self.trace_id[:16]}",
            "question": self.question,
            "facts": [[fact] for fact in self.facts],
            "sources": list(self.sources),
            "answerable": bool(self.facts or self.sources),
            "tags": ["feedback", *self.tags],
            "split": "dev",
        }
        return json.dumps(told, ensure_ascii=False)


def add_case(path: Path, case: NewCase) -> None:
    """Add a case to the file, which is made if need be; one of the same trace is replaced.

    Raises InputError for a case without a question, StoreError for a disk that refuses it.
    """
    from filelock import FileLock, Timeout

    if not case.question.strip():
        raise InputError(
            "a case without a question", expected="what was asked", remedy="traces without texts make none"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_S):
            replace_text(path, "".join(f"{line}\n" for line in [*_others(path, case), case.line]))
    except (OSError, UnicodeDecodeError, Timeout) as error:
        raise StoreError(f"{path}: {error}", expected="a file of cases", remedy="see ui.cases") from error


def _others(path: Path, case: NewCase) -> Sequence[str]:
    """The lines that are there, as they are, without those of the same trace."""
    mine = json.dumps(json.loads(case.line)["id"])
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    return [line for line in lines if line.strip() and f'"id": {mine}' not in line]


def sources_of(trace: Trace) -> list[str]:
    """The documents that were found for an answer, best first, each once."""
    hits = (hit for step in trace.steps for hit in step.attributes.get("hits", ()))
    return list(dict.fromkeys(str(hit["uri"]) for hit in hits if hit.get("uri")))
