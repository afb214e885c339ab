"""The answers of one time as they are kept: a file that explains itself without settings, prompts or code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from evals import stored
from evals.drift.canaries import Canary
from rag.errors import InputError
from rag.settings import Settings

Format = Literal[1]
FORMAT: Format = 1
LATEST, OLDEST = "latest", "oldest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a canary was answered, or why it was not. `repetition` counts from 0; times are Unix times and ms.

    `prompt_sha` tells the messages that were sent. `graded` is a verdict from elsewhere (of tests that ran on the code
    of the answer, say), 0 to 1; it takes the place of `expected`.
    """

    canary: str
    repetition: int = 0
    text: str = ""
    error: str = ""
    requested_model: str = ""
    resolved_model: str = ""
    fingerprint: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_ms: float | None = None
    total_ms: float = 0.0
    cost: float | None = None
    prompt_sha: str = ""
    asked_at: float = 0.0
    graded: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What of ours could make answers differ. `prompts` are id@version of those in use, by id, with their digest.

    `models` are the candidates of each role that was asked, `config` the settings without secrets.
    """

    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    temperature: float = 0.0
    max_tokens: int = 0
    prompts: Mapping[str, str] = field(default_factory=dict)
    index: str = ""
    config_hash: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    code_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All canaries of a file, asked at one time. Times are UTC in ISO 8601; `name` is what people call it."""

    id: str
    name: str = ""
    started: str
    ended: str
    source: str
    source_sha256: str
    canaries: tuple[Canary, ...]
    answers: tuple[Said, ...]
    circumstances: Circumstances = Circumstances()
    format: Format = FORMAT


_OBSERVATION = TypeAdapter(Observation)


def folder(settings: Settings) -> Path:
    """Where observations are kept."""
    return settings.data_path / "evals" / "observations"


def save(observation: Observation, path: Path) -> None:
    """Write an observation, as `stored.save` does. Raises PlumbError."""
    stored.save(_OBSERVATION.dump_python(observation, mode="json"), path)


def load(path: Path) -> Observation:
    """Read a kept observation. Raises InputError for a file that is none."""
    return stored.load(path, _OBSERVATION, what="an observation", by="plumb eval canary run")


def kept(settings: Settings) -> list[Observation]:
    """Every kept observation, oldest first."""
    found = [load(file) for file in folder(settings).glob("*.json")] if folder(settings).is_dir() else []
    return sorted(found, key=lambda one: (one.started, one.id))


def find(told: str, known: Sequence[Observation]) -> Observation:
    """The observation that a file, a name, the beginning of an id, 'oldest' or 'latest' tells. Raises InputError.

    Of several with one name it is the newest.
    """
    if Path(told).is_file():
        return load(Path(told))
    if told in (LATEST, OLDEST) and known:
        return known[-1 if told == LATEST else 0]
    named = [one for one in known if one.name == told] or [one for one in known if one.id == told]
    begun = named or [one for one in known if one.id.startswith(told)]
    if begun and (named or len(begun) == 1):
        return begun[-1]
    names = ", ".join(dict.fromkeys(one.name or one.id for one in known[-8:])) or "none is kept yet"
    raise InputError(
        f"{'more than one observation begins' if begun else 'no observation is called so or begins'} with '{told}'",
        expected=f"a file, a name, an id, '{OLDEST}' or '{LATEST}'; of those kept: {names}",
        remedy="'plumb eval canary run FILE' makes one, 'plumb eval canary list' shows all",
    )


def is_name(told: str) -> bool:
    """Whether an observation may be called so: as a file may, and not like 'latest' or an id."""
    return bool(re.fullmatch(r"[A-Za-z][\w.-]{0,60}", told)) and told not in (LATEST, OLDEST)
