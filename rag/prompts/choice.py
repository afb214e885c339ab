"""Which answer prompt a question gets: the one in force, or one on trial."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from rag.observe.account import Account, account
from rag.prompts import Prompt, load_prompt
from rag.prompts.managed import Fetch, ManagedPrompt, managed
from rag.settings import Settings

# What the sessions of eval runs begin with: one run would be asked with one prompt as a whole.
EVALS = "eval:"


class Source(Protocol):
    """Where a prompt comes from."""

    @property
    def current(self) -> Prompt:
        """The prompt to answer with."""
        ...

    def pin(self) -> None:
        """Stay as it is from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A prompt of a file: the same as long as the process lives."""

    current: Prompt

    def pin(self) -> None:
        """It stays as it is in any case."""


class AnswerPrompts:
    """The answer prompt of the settings and the one on trial. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        """Read both; those of Langfuse are kept fresh in the background. Raises ConfigError."""
        options = settings.generate
        self._main = _source(settings, options.prompt)
        self._share = options.trial_share if options.trial_prompt else 0.0
        self._trial = _source(settings, options.trial_prompt) if self._share else self._main

    @property
    def is_trial(self) -> bool:
        """Whether two prompts answer, each its share."""
        return self._share > 0

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that may be given to a question now."""
        return (self._main.current, self._trial.current) if self._share else (self._main.current,)

    def pin(self) -> None:
        """Ask Langfuse once more, if it keeps them, and stay with what it has."""
        self._main.pin()
        self._trial.pin()

    def of(self, session: str) -> Prompt:
        """The prompt of a session: the same for all its questions, as long as the versions stay; evals get no trial."""
        if session.startswith(EVALS):
            return self._main.current
        drawn = int(hashlib.sha256(session.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
        return (self._trial if drawn < self._share else self._main).current


def _source(settings: Settings, told: str) -> Source:
    own, wanted = settings.prompts_path, managed(told)
    if wanted is None:
        return Fixed(load_prompt(told, own=own))
    found = ManagedPrompt(wanted, copies=settings.data_path / "prompts", own=own, fetch=fetching(account(settings)))
    found.keep_fresh(every_s=settings.langfuse.prompt_refresh_s)
    return found


def fetching(target: Account | None) -> Fetch | None:
    """What asks the server for a prompt; None without an account."""
    if target is None:
        return None

    def fetch(name: str, label: str) -> Prompt | None:
        from rag.prompts.server import PromptServer

        with PromptServer(target) as server:
            return server.get(name, label=label)

    return fetch
