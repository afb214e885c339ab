"""Ask every canary, as often as wanted, and keep what was said."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from evals.drift.canaries import Canary, CanarySet
from evals.drift.observation import Circumstances, Observation, Said
from rag.budget.purse import Purses
from rag.errors import ConfigError, ModelError, StoreError, WeightsError
from rag.fence import quoted
from rag.language import wanted
from rag.llm import LLM, make_chains, pinned
from rag.llm.protocol import Sampling, complete
from rag.prompts import Prompt, load_prompt
from rag.roles import ChatRole
from rag.settings import Settings, shown
from rag.types import Generation, Message
from rag.version import code_version
from rag.versions import Versions

# So many failures in a row are no accident of single prompts.
PATIENCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """So many questions will be asked."""

    asks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One is done, well or with an error."""

    said: Said


class Observer:
    """Asks canaries of the models that the settings name."""

    def __init__(self, settings: Settings, canaries: CanarySet, *, temperature: float, max_tokens: int) -> None:
        """Make the chains of the roles that the canaries are for. Raises ConfigError for a role without a model."""
        self._settings, self._set = settings, canaries
        self._sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
        roles: list[ChatRole] = list(dict.fromkeys(canary.role for canary in canaries.canaries))
        self._chains: Mapping[ChatRole, LLM] = make_chains(settings, *roles)
        if without := [role for role in roles if role not in self._chains]:
            raise ConfigError(
                f"no model plays the role {without[0]}",
                expected=f"a model for canaries of the role {without[0]}",
                remedy=f"set roles.{without[0]}, or remove these canaries",
            )
        self._prompt = load_prompt(settings.generate.prompt, own=settings.prompts_path)
        self._purses = Purses(settings)

    def observe(self, *, repeat: int = 1, name: str = "") -> Iterator[Started | Asked | Observation]:
        """Ask all, then all again, so that repetitions lie apart; the Observation comes last.

        An answer that was given before is never taken: every canary is a call. A failure is kept. The error is raised
        when the first three fail, or any three in a row; then what was answered until then comes before it.
        """
        started, said = datetime.now(UTC), list[Said]()
        yield Started(asks=repeat * len(self._set.canaries))
        in_a_row = 0
        for repetition in range(repeat):
            for canary in self._set.canaries:
                one, error = self._ask(canary, repetition)
                said.append(one)
                in_a_row = in_a_row + 1 if error else 0
                if error and in_a_row >= min(PATIENCE, len(self._set.canaries)):
                    if any(not each.error for each in said):
                        yield self._observation(started, said, name)
                    raise error
                yield Asked(said=one)
        yield self._observation(started, said, name)

    def _ask(self, canary: Canary, repetition: int) -> tuple[Said, ModelError | None]:
        messages = self._messages(canary)
        about = Said(canary=canary.id, repetition=repetition, prompt_sha=sha_of(messages), asked_at=time.time())
        try:
            llm = pinned(self._chains[canary.role], self._purses.purse())
            return _said(about, complete(llm, messages, self._sampling)), None
        except (ConfigError, WeightsError):
            raise
        except ModelError as error:
            return replace(about, error=str(error)), error

    def _messages(self, canary: Canary) -> tuple[Message, ...]:
        if canary.messages:
            return tuple(Message(role=one.role, content=one.content) for one in canary.messages)
        return rendered(self._prompt, canary)

    def _observation(self, started: datetime, said: Sequence[Said], name: str) -> Observation:
        return Observation(
            id=f"{started:%Y-%m-%dT%H-%M-%S-%fZ}-{self._set.name}",
            name=name,
            started=started.isoformat(timespec="milliseconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            source=self._set.name,
            source_sha256=self._set.sha256,
            canaries=self._set.canaries,
            answers=tuple(said),
            circumstances=self._circumstances(),
        )

    def _circumstances(self) -> Circumstances:
        settings = self._settings
        uses_prompt = any(canary.question for canary in self._set.canaries)
        told = {self._prompt.id: f"{self._prompt.version} ({self._prompt.sha})"} if uses_prompt else {}
        return Circumstances(
            models={role: settings.roles.candidates(role) for role in self._chains},
            temperature=self._sampling.temperature,
            max_tokens=self._sampling.max_tokens,
            prompts=told,
            index=_live(settings),
            config_hash=settings.config_hash(),
            config=shown(settings),
            code_version=code_version(),
        )


def rendered(prompt: Prompt, canary: Canary) -> tuple[Message, ...]:
    """The role's own prompt with the question and the passages of a canary, as the model reads them of an index."""
    read = "\n\n".join(f"[{number}] canary\n{quoted(text)}" for number, text in enumerate(canary.passages, 1))
    values = {"passages": read, "history": "", "question": canary.question, "language": wanted(canary.question)}
    return prompt.render(values)


def sha_of(messages: Sequence[Message]) -> str:
    """12 hex digits that change with the messages."""
    return hashlib.sha256(json.dumps([asdict(one) for one in messages]).encode()).hexdigest()[:12]


def _said(about: Said, call: Generation) -> Said:
    return replace(
        about,
        text=call.text,
        requested_model=call.requested_model,
        resolved_model=call.resolved_model,
        fingerprint=call.fingerprint or "",
        finish_reason=call.finish_reason or "",
        prompt_tokens=call.usage.prompt,
        completion_tokens=call.usage.completion,
        first_token_ms=call.first_token_ms,
        total_ms=call.total_ms,
        cost=call.cost,
    )


def _live(settings: Settings) -> str:
    try:
        return Versions(settings).live()
    except StoreError:
        # Canaries are not searched for; a store that is down is no reason not to ask them.
        return ""
