"""Fixed prompts whose answers are watched: a JSON Lines file -> checked, frozen canaries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from evals.drift.parsers import Parser, parser_of
from evals.drift.same import missing
from evals.lines import Strict, Text, read_lines
from rag.errors import InputError
from rag.roles import ChatRole
from rag.verify import MARKER

Speaker = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A message of a canary's prompt."""

    role: Speaker
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A fixed prompt for the model of a role: `messages`, or a `question` with the passages to answer it from.

    The latter is put into the role's own prompt, so a change of that prompt shows. `parser` is the pinned spec of a
    rule; `expected` are the values, any of which is right (of a parser 'text': wordings that the answer must hold).
    """

    id: str
    role: ChatRole = "answer"
    messages: tuple[Spoken, ...] = ()
    question: str = ""
    passages: tuple[str, ...] = ()
    parser: str = "text@1"
    expected: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def asks(self) -> str:
        """What is asked: the question, or the last message."""
        return self.question or self.messages[-1].content

    def bare(self, text: str) -> str:
        """An answer without the numbers of passages that it cites: they are no values."""
        return MARKER.sub("", text) if self.passages else text

    @property
    def digest(self) -> str:
        """12 hex digits that change with anything that is asked or expected."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySet:
    """The canaries of a file. `sha256` is the digest of its bytes."""

    name: str
    path: str
    sha256: str
    canaries: tuple[Canary, ...]


def load_canaries(path: Path) -> CanarySet:
    """Read and check a file of canaries; blank lines are skipped.

    Raises InputError for a file that can't be read, and for the first line that is no canary.
    """
    found = read_lines(path, _Line, holds="canaries")
    canaries = tuple(_canary(line, f"{path}, line {number}") for number, line in found.lines)
    _refuse_repeated(canaries, path)
    return CanarySet(name=path.stem, path=str(path), sha256=found.sha256, canaries=canaries)


class _Message(Strict):
    role: Speaker
    content: Text


class _Line(Strict):
    id: Text
    role: ChatRole = "answer"
    messages: tuple[_Message, ...] = ()
    prompt: str = ""
    question: str = ""
    passages: tuple[Text, ...] = ()
    parser: Text = "text"
    expected: tuple[Text, ...] | Text = ()
    tags: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _asks_once(self) -> _Line:
        ways = [bool(self.messages), bool(self.prompt.strip()), bool(self.question.strip())]
        if sum(ways) != 1 or bool(self.passages) != ways[2]:
            raise ValueError("either 'prompt', or 'messages', or 'question' with 'passages'")
        if self.question and self.role != "answer":
            raise ValueError("'prompt' or 'messages' for a role other than answer")
        return self


def _canary(line: _Line, where: str) -> Canary:
    """The frozen canary. Raises InputError for a parser that is not known, or never reads what is expected."""
    said = tuple(Spoken(role=message.role, content=message.content) for message in line.messages)
    try:
        parser = parser_of(line.parser)
    except InputError as error:
        raise InputError(f"{where}: {error.seen}", expected=error.expected, remedy=error.remedy) from None
    expected = (line.expected,) if isinstance(line.expected, str) else line.expected
    _refuse_unreadable(line.id, parser, expected, where)
    return Canary(
        id=line.id,
        role=line.role,
        messages=said or ((Spoken(role="user", content=line.prompt),) if line.prompt else ()),
        question=line.question,
        passages=line.passages,
        parser=parser.spec,
        expected=expected,
        tags=line.tags,
    )


def _refuse_unreadable(name: str, parser: Parser, expected: Sequence[str], where: str) -> None:
    for value in expected:
        if readable := missing(parser, value):
            raise InputError(
                f"{where}: '{name}' expects '{value[:80]}', which the parser {parser.spec} never reads",
                expected=readable,
                remedy="change 'expected' or 'parser'",
            )


def _refuse_repeated(canaries: Sequence[Canary], path: Path) -> None:
    seen: set[str] = set()
    for canary in canaries:
        if canary.id in seen:
            raise InputError(f"{path} has the id '{canary.id}' twice", expected="an id once", remedy="rename one")
        seen.add(canary.id)
