"""Fixed prompts whose answers are watched: a JSON Lines file -> checked, frozen canaries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from evals.drift.parsers import parser_of
from rag.errors import InputError
from rag.roles import CHAT_ROLES, ChatRole
from rag.verify import MARKER

MAX_BYTES = 16_000_000
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
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
    data = _read(path)
    canaries = tuple(_parse(line, f"{path}, line {number}") for number, line in _lines(data))
    if not canaries:
        raise InputError(f"{path} holds no canaries", expected="one JSON object a line", remedy="add a prompt")
    _refuse_repeated(canaries, path)
    return CanarySet(name=path.stem, path=str(path), sha256=hashlib.sha256(data).hexdigest(), canaries=canaries)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Message(_Strict):
    role: Speaker
    content: Text


class _Line(_Strict):
    id: Text
    role: ChatRole = "answer"
    messages: list[_Message] = []
    prompt: str = ""
    question: str = ""
    passages: list[Text] = []
    parser: Text = "text"
    expected: Annotated[list[Text] | Text, Field()] = []
    tags: list[Text] = []

    @model_validator(mode="after")
    def _asks_once(self) -> _Line:
        ways = [bool(self.messages), bool(self.prompt.strip()), bool(self.question.strip())]
        if sum(ways) != 1 or bool(self.passages) != ways[2]:
            raise ValueError("either 'prompt', or 'messages', or 'question' with 'passages'")
        if self.question and self.role != "answer":
            raise ValueError("'prompt' or 'messages' for a role other than answer")
        return self

    def canary(self) -> Canary:
        """The frozen canary. Raises InputError for a parser that is not known."""
        said = [Spoken(role=message.role, content=message.content) for message in self.messages]
        expected = (self.expected,) if isinstance(self.expected, str) else tuple(self.expected)
        return Canary(
            id=self.id,
            role=self.role,
            messages=tuple(said or ([Spoken(role="user", content=self.prompt)] if self.prompt else [])),
            question=self.question,
            passages=tuple(self.passages),
            parser=parser_of(self.parser).spec,
            expected=expected,
            tags=tuple(self.tags),
        )


_KEYS = f"the keys {', '.join(_Line.model_fields)}; roles {', '.join(CHAT_ROLES)}"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"can't read {path}: {error.strerror}", expected="canaries, one JSON object a line", remedy="check the path"
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is too large", expected=f"at most {MAX_BYTES:,} bytes", remedy="split it")
    return data


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line.decode("utf-8", "replace")


def _parse(line: str, where: str) -> Canary:
    try:
        return _Line.model_validate_json(line).canary()
    except InputError as error:
        raise InputError(f"{where}: {error.seen}", expected=error.expected, remedy=error.remedy) from None
    except ValidationError as error:
        raise _explained(error.errors(include_url=False, include_context=False)[0], where) from None


def _explained(first: Any, where: str) -> InputError:
    key = ".".join(str(part) for part in first["loc"])
    named = f"'{key}': " if key else ""
    if first["type"] == "value_error":
        expected = first["msg"].removeprefix("Value error, ")
        return InputError(where, expected=expected, remedy="mend that line")
    return InputError(f"{where}: {named}{first['msg']}", expected=_KEYS, remedy="mend that line")


def _refuse_repeated(canaries: Sequence[Canary], path: Path) -> None:
    seen: set[str] = set()
    for canary in canaries:
        if canary.id in seen:
            raise InputError(f"{path} has the id '{canary.id}' twice", expected="an id once", remedy="rename one")
        seen.add(canary.id)
