"""A change of what answers: of settings, of the live version of the index, of the prompt that production points to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.records import Run
from rag.errors import ConfigError, InputError
from rag.observe.account import account
from rag.overrides import current, write_changes
from rag.prompts.managed import MANAGED, PRODUCTION, managed
from rag.settings import CONFIG_NAME, Settings, find_config, load_settings
from rag.versions import Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be otherwise: `settings` by dotted key, `index` a version, `prompt` as 'answer@candidate'.

    The label of the prompt is one on the Langfuse server; 'production' is to point to the same version.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    index: str = ""
    prompt: str = ""

    @property
    def told(self) -> tuple[str, ...]:
        """The change in words, a part each."""
        parts = [f"{key} = {value}" for key, value in self.settings.items()]
        return (*parts, *([f"index {self.index}"] if self.index else []), *([self.prompt] if self.prompt else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was in force before a change: the values that the file had, the keys that it did not, version and prompt."""

    settings: Mapping[str, Any]
    absent: tuple[str, ...]
    index: str = ""
    prompt: int = 0


def changed_settings(change: Change) -> Settings:
    """The project's settings with the change, to ask with. Raises ConfigError."""
    if not change.told:
        raise ConfigError("nothing is to change", expected="--set, --index or --prompt", remedy="say what")
    prompt = {"generate.prompt": f"{MANAGED}{change.prompt}"} if change.prompt else {}
    settings = load_settings(changes={**change.settings, **prompt})
    if change.index:
        Versions(settings).require(change.index)
    if change.prompt:
        _require_production(load_settings(), change.prompt)
    return settings


def apply(change: Change, run: Run) -> Before:
    """Make the change that the run was asked with. Raises PlumbError; then nothing, or what came before, is changed."""
    settings = load_settings()
    file = find_config() or settings.root / CONFIG_NAME
    had = current(file, list(change.settings))
    before = Before(
        settings=had,
        absent=tuple(key for key in change.settings if key not in had),
        index=Versions(settings).live() if change.index else "",
        prompt=_point_production(settings, change, run) if change.prompt else 0,
    )
    if change.index:
        Versions(settings).switch(change.index)
    if change.settings:
        write_changes(file, change.settings)
    return before


def undo(change: Change, before: Before) -> None:
    """Bring back what was in force before. Raises InputError where somebody changed it since, and PlumbError."""
    settings = load_settings()
    file = find_config() or settings.root / CONFIG_NAME
    now = current(file, list(change.settings))
    if others := [key for key, value in change.settings.items() if now.get(key) != value]:
        raise InputError(
            f"{', '.join(others)} in {file} is not what was promoted",
            expected=", ".join(f"{key} = {change.settings[key]}" for key in others),
            remedy="somebody changed it since: change it by hand",
        )
    if before.prompt:
        _label(settings, change.prompt.partition("@")[0], before.prompt)
    if before.index:
        Versions(settings).switch(before.index)
    if change.settings:
        write_changes(file, before.settings, without=before.absent)


def _require_production(settings: Settings, prompt: str) -> None:
    """Raise ConfigError where no label production answers: to move it would change nothing."""
    wanted = managed(f"{MANAGED}{prompt}")
    in_force = managed(settings.generate.prompt)
    if wanted is None or in_force is None or (in_force.name, in_force.label) != (wanted.name, PRODUCTION):
        raise ConfigError(
            f"generate.prompt is '{settings.generate.prompt}'",
            expected=f"langfuse:{prompt.partition('@')[0]}@{PRODUCTION}, whose label is to move",
            remedy="change the setting with --set instead",
        )


def _point_production(settings: Settings, change: Change, run: Run) -> int:
    """Point production to the version that the run was asked with; the version it pointed to."""
    from rag.prompts.server import number

    name = change.prompt.partition("@")[0]
    used = next((prompt.version for prompt in run.prompts if prompt.id == name), "")
    candidate, in_force = _version(settings, change.prompt), _version(settings, f"{name}@{PRODUCTION}")
    if candidate.version != used:
        raise InputError(
            f"{change.prompt} is version {candidate.version} now, the run was asked with {used or 'another prompt'}",
            expected="the version that passed",
            remedy="promote again",
        )
    _label(settings, name, number(candidate))
    return number(in_force)


def _version(settings: Settings, told: str) -> Any:
    name, _, label = told.partition("@")
    with _server(settings) as server:
        found = server.get(name, label=label or PRODUCTION)
    if found is None:
        raise InputError(
            f"the server has no prompt {told}", expected="a label of it", remedy="see 'plumb prompts list'"
        )
    return found


def _label(settings: Settings, name: str, version: int) -> None:
    with _server(settings) as server:
        server.label(name, version, PRODUCTION)


def _server(settings: Settings) -> Any:
    from rag.prompts.server import PromptServer

    target = account(settings)
    if target is None:
        raise ConfigError(
            "no Langfuse keys are set", expected="a server that keeps prompts", remedy="see docs/prompts.md"
        )
    return PromptServer(target)
