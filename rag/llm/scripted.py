"""An offline double of a chat model, for tests of applications: it says what it is told to say.

'scripted:quote' answers with the sentence of the prompt's passages that shares most words with the question, or
declines when none does; asked for yes or no, it says whether there is such a sentence. 'scripted:FILE.json' reads a
list of {"match", "reply", "delay_s", "error"}: the first entry whose regular expression `match` is found in the last
message decides. With both a reply and an error, the reply breaks off where it ends.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from rag.errors import ConfigError, ModelError
from rag.llm.protocol import Piece, Sampling
from rag.sentences import sentences
from rag.types import Generation, Message, Usage

DECLINE = "NOT IN THE DOCUMENTS"
UNQUOTED = re.compile("^> ", re.MULTILINE)
EVERYTHING = re.compile("")


class Entry(BaseModel):
    """What is said when `match` is found: a reply, an error or first one and then the other, after a delay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: re.Pattern[str]
    reply: str | None = None
    delay_s: float = Field(0, ge=0)
    error: str = ""

    @property
    def text(self) -> str:
        """What is said; the refusal where neither a reply nor an error is given."""
        return (self.reply or "") if self.reply is not None or self.error else DECLINE


class ScriptedLLM:
    """A chat model without a model."""

    def __init__(self, name: str, *, script: str, root: Path) -> None:
        """`script` is 'quote' or a JSON file below `root`; raises ConfigError when it can't be read."""
        self.name = name
        self._entries = None if script == "quote" else _read(root / script)

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """The scripted reply word by word, then its Generation."""
        started = time.perf_counter()
        entry = self._entry(messages[-1].content, sampling.choices)
        time.sleep(entry.delay_s)
        text = entry.text
        first_token_ms = round((time.perf_counter() - started) * 1000, 1)
        yield from re.findall(r"\S+\s*", text)
        if entry.error:
            raise ModelError(f"{self.name}: {entry.error}", retryable=True)
        yield Generation(
            text=text,
            requested_model=self.name,
            resolved_model=self.name,
            fingerprint="scripted",
            finish_reason="stop",
            usage=Usage(prompt=sum(len(m.content.split()) for m in messages), completion=len(text.split())),
            first_token_ms=first_token_ms,
            total_ms=round((time.perf_counter() - started) * 1000, 1),
        )

    def _entry(self, prompt: str, choices: Sequence[str]) -> Entry:
        if self._entries is None:
            quote = _quote(prompt)
            return Entry(match=EVERYTHING, reply=quote if not choices else choices[quote == DECLINE])
        return next((entry for entry in self._entries if entry.match.search(prompt)), Entry(match=EVERYTHING))


def _quote(prompt: str) -> str:
    body, _, question = prompt.rpartition("Question:")
    asked = _words(question.partition("\n")[0])
    best, best_shared = DECLINE, 1
    for passage in re.finditer(r"^\[(\d+)\][^\n]*\n(.*?)(?=^\[\d+\]|\Z)", body, re.MULTILINE | re.DOTALL):
        text = UNQUOTED.sub("", passage[2])
        for start, end in sentences(text):
            shared = len(asked & _words(text[start:end]))
            if shared > best_shared:
                best, best_shared = f"{text[start:end].strip()} [{passage[1]}]", shared
    return best


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 3}


def _read(file: Path) -> tuple[Entry, ...]:
    try:
        return TypeAdapter(tuple[Entry, ...]).validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"can't read the script {file}: {error}",
            expected='a JSON list of {"match": ..., "reply": ...}',
            remedy="mend the file, or use 'scripted:quote'",
        ) from None
