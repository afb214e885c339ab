"""What goes between the run and a parsing process.

Jobs travel as pickles, from us to the child. What comes back is JSON: a child has read foreign documents, and a pickle
from it could run code here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from ingest.labels import NOTHING, Labels
from rag.settings import Settings
from rag.types import Box, Chunk

# The first message of a child.
READY = b"ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a child needs to know once: the settings and the longest chunk."""

    settings: Settings
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A document to be parsed. `known_revision` is the one in the index; the new one is called differently.

    Its labels go with it, and never come from the process that reads it.
    """

    path: Path
    uri: str
    source: str
    known_revision: str = ""
    labels: Labels = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A page of a document to be drawn, with places on it marked, if its content still has this hash.

    `is_part` wants no more of the page than what is around these places.
    """

    path: Path
    uri: str
    hash: str
    page: int
    boxes: tuple[Box, ...]
    is_part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some chunks of a document, in order; `is_last` tells that there are no more.

    `warnings` come with the last: what was left out of the document.
    """

    job: Job
    hash: str
    revision: str
    bytes: int
    chunks: tuple[Chunk, ...]
    is_last: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The document can't be read; parts of it may have come before. `retryable` tells that it may go another time.

    `extra` names the extra that would read it. `is_broken` tells that it hung, crashed or filled the process that read
    it, which was ended for it.
    """

    job: Job
    hash: str
    reason: str
    retryable: bool = False
    extra: str = ""
    is_broken: bool = False


_MESSAGE: TypeAdapter[Part | Refused] = TypeAdapter(Part | Refused)


def packed(message: Part | Refused) -> bytes:
    """The message without its job, as the child sends it."""
    told = _fields(message)
    del told["job"]
    return json.dumps(told, default=_fields).encode()


def _fields(record: Any) -> dict[str, Any]:
    """The fields of a record, one level deep: `asdict` copies all that is in them, which takes long."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def unpacked(data: bytes, job: Job) -> Part | Refused:
    """The message about `job`; raises ValueError or TypeError for anything else."""
    return _MESSAGE.validate_python({**from_json(data, allow_inf_nan=False), "job": job})


def revision_of(content: str, known: str) -> str:
    """A name for what is made of the content now: another one than the index has, should it be made anew."""
    return f"{content}-again" if content == known else content
