"""A change of what answers: of settings, of the live version of the index, of the prompt that production points to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.records import Run
from rag.errors import ConfigError, InputError
from rag.observe.account import account
from rag.overrides import current, write_changes
from rag.prompts import Prompt
from rag.prompts.managed import MANAGED, PRODUCTION, managed
from rag.settings import CONFIG_NAME, Settings, find_config, load_settings
from rag.versions import Versions

if TYPE_CHECKING:
    from rag.prompts.server import PromptServer

# What decides on changes is not changed by passing itself.
DECIDES = "gate."


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
class Moved:
    """The version that something pointed to, and the one that it was to point to."""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was in force before a change: the values that the file had, the keys that it did not, version and prompt."""

    settings: Mapping[str, Any]
    absent: tuple[str, ...]
    index: Moved | None = None
    prompt: Moved | None = None


def changed_settings(change: Change) -> Settings:
    """The project's settings with the change, to ask with. Raises ConfigError."""
    if not change.told:
        raise ConfigError("nothing is to change", expected="--set, --index or --prompt", remedy="say what")
    if own := [key for key in change.settings if f"{key}.".startswith(DECIDES)]:
        raise ConfigError(f"{own[0]} decides on changes", expected="another setting", remedy="change it in the file")
    prompt = {"generate.prompt": f"{MANAGED}{change.prompt}"} if change.prompt else {}
    settings = load_settings(changes={**change.settings, **prompt})
    if change.index:
        Versions(settings).require(change.index)
    if change.prompt:
        _require_production(load_settings(), change.prompt)
        _version(settings, change.prompt)
    return settings


def before(change: Change, run: Run) -> Before:
    """What is in force now where the run was asked with the change. Raises InputError for another prompt by now."""
    settings = load_settings()
    had = current(_file(settings), list(change.settings))
    return Before(
        settings=had,
        absent=tuple(key for key in change.settings if key not in had),
        index=Moved(before=Versions(settings).live(), after=change.index) if change.index else None,
        prompt=_of_prompt(settings, change, run) if change.prompt else None,
    )


def apply(change: Change, was: Before) -> None:
    """Make the change. Raises PlumbError; what was changed until then `undo` takes back."""
    settings = load_settings()
    if was.prompt:
        _label(settings, change.prompt, was.prompt.after)
    if was.index:
        Versions(settings).switch(was.index.after)
    if change.settings:
        write_changes(_file(settings), change.settings)


def undo(change: Change, was: Before) -> None:
    """Bring back what was in force before; what is so already stays.

    Raises InputError where somebody changed the same since: then nothing is touched.
    """
    settings = load_settings()
    versions, file = Versions(settings), _file(settings)
    now = current(file, list(change.settings))
    for key, value in change.settings.items():
        _require_known(f"{key} in {file}", now.get(key), (value, was.settings.get(key)))
    if was.index:
        _require_known("the live version of the index", versions.live(), (was.index.after, was.index.before))
    if was.prompt:
        name = change.prompt.partition("@")[0]
        in_force = _version(settings, f"{name}@{PRODUCTION}").version
        _require_known(f"{name}@{PRODUCTION}", in_force, (was.prompt.after, was.prompt.before))
        _label(settings, change.prompt, was.prompt.before)
    if was.index and versions.live() != was.index.before:
        versions.switch(was.index.before)
    if change.settings:
        write_changes(file, was.settings, without=was.absent)


def _require_known(what: str, now: Any, known: tuple[Any, Any]) -> None:
    if now not in known:
        raise InputError(
            f"{what} is {now}, not what was promoted",
            expected=f"{known[0]}",
            remedy="somebody changed it since: change it by hand",
        )


def _file(settings: Settings) -> Path:
    return find_config() or settings.root / CONFIG_NAME


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


def _of_prompt(settings: Settings, change: Change, run: Run) -> Moved:
    """The version that production points to, and the one that the run was asked with."""
    name = change.prompt.partition("@")[0]
    used = next((prompt.version for prompt in run.prompts if prompt.id == name), "")
    candidate, in_force = _version(settings, change.prompt), _version(settings, f"{name}@{PRODUCTION}")
    if candidate.version != used:
        raise InputError(
            f"{change.prompt} is version {candidate.version} now, the run was asked with {used or 'another prompt'}",
            expected="the version that passed",
            remedy="promote again",
        )
    return Moved(before=in_force.version, after=candidate.version)


def _version(settings: Settings, told: str) -> Prompt:
    name, _, label = told.partition("@")
    with _server(settings) as server:
        found = server.get(name, label=label or PRODUCTION)
    if found is None:
        raise InputError(
            f"the server has no prompt {told}", expected="a label of it", remedy="see 'plumb prompts list'"
        )
    return found


def _label(settings: Settings, prompt: str, version: str) -> None:
    from rag.prompts import SERVED

    with _server(settings) as server:
        server.label(prompt.partition("@")[0], int(version.removeprefix(SERVED)), PRODUCTION)


def _server(settings: Settings) -> PromptServer:
    from rag.prompts.server import PromptServer

    target = account(settings)
    if target is None:
        raise ConfigError(
            "no Langfuse keys are set", expected="a server that keeps prompts", remedy="see docs/prompts.md"
        )
    return PromptServer(target)
