"""Prompts are files with an id and a version; a project's own file replaces the shipped one of the same id."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from rag.errors import ConfigError
from rag.fence import inert
from rag.types import Message, Role

# Before the number of a version in Langfuse: the third version there is another one than version 3 of a file.
SERVED = "langfuse-"
SHIPPED = Path(__file__).parent
PATTERN = re.compile(r"\A\+\+\+\n(?P<head>.*?)\n\+\+\+\n(?P<body>.*)\Z", re.DOTALL)
SECTION = re.compile(r"^# (system|user|assistant)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A chat prompt with `$name` placeholders. `sha` is 12 hex digits of its file's hash."""

    id: str
    version: str
    sha: str
    messages: tuple[Message, ...]

    @property
    def placeholders(self) -> set[str]:
        """The names that are to be filled."""
        return {name for message in self.messages for name in Template(message.content).get_identifiers()}

    def render(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """The messages with the placeholders filled; text inside values is never filled again, nor a control token.

        Raises ConfigError for a placeholder without a value.
        """
        safe = {name: inert(value) for name, value in values.items()}
        try:
            return tuple(
                Message(role=message.role, content=Template(message.content).substitute(safe).strip())
                for message in self.messages
            )
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"the prompt '{self.id}' has a placeholder that can't be filled: {error}",
                expected=" ".join(f"${name}" for name in values),
                remedy="mend it; a plain dollar sign is written $$",
            ) from None


def load_prompt(prompt_id: str, *, own: Path | None = None) -> Prompt:
    """The prompt called `prompt_id`, from the folder `own` if it is there, else the shipped one.

    A file starts with TOML between `+++` lines (`id`, `version`), then `# system`, `# user` sections.
    Raises ConfigError for a file that does not, and when there is no folder `own`.
    """
    if own and not own.is_dir():
        raise ConfigError(f"no folder {own}", expected="the folder that generate.prompts_dir names", remedy="make it")
    candidates = [folder / f"{prompt_id}.md" for folder in (own, SHIPPED) if folder]
    file = next((path for path in candidates if path.is_file()), candidates[-1])
    try:
        return _parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"can't use the prompt {file}: {error}",
            expected="'+++', id and version, '+++', then sections '# system' and '# user'",
            remedy=f"compare it with {SHIPPED / (prompt_id + '.md')}",
        ) from None


def read_prompt(file: Path) -> Prompt | None:
    """The prompt in a file; None where there is no file, or none that is a prompt."""
    try:
        return _parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def prompt_text(prompt: Prompt) -> str:
    """The prompt as its file has it."""
    head = f'+++\nid = "{prompt.id}"\nversion = {json.dumps(prompt.version)}\n+++\n'
    return head + "\n".join(f"# {message.role}\n{message.content}\n" for message in prompt.messages)


def sha_of(text: str) -> str:
    """What tells one text of a prompt from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _parse(text: str) -> Prompt:
    found = PATTERN.match(text)
    if not found:
        raise ValueError("no head between '+++' lines")
    head = tomllib.loads(found["head"])
    _, *pieces = SECTION.split(found["body"])
    if not pieces:
        raise ValueError("no '# system' or '# user' section")
    roles: list[Role] = pieces[0::2]  # type: ignore[assignment]  # SECTION matches only roles
    return Prompt(
        id=head["id"],
        version=str(head["version"]),
        sha=sha_of(text),
        messages=tuple(
            Message(role=role, content=body.strip()) for role, body in zip(roles, pieces[1::2], strict=True)
        ),
    )
