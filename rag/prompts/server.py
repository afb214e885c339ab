"""Prompts on a Langfuse server: read, written, labelled. There a placeholder is {{name}}, here $name.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langfuse.api.core import ApiError
from langfuse.api.prompts import ChatMessage, CreateChatPromptRequest

from rag.errors import InputError
from rag.observe.project import Project
from rag.prompts import SERVED, Prompt, prompt_text, sha_of
from rag.types import Message, Role

NOT_FOUND = 404
PAGE = 100
_ROLES: tuple[Role, ...] = ("system", "user", "assistant")
_THERE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
# What looks like a placeholder and is none: it would be sent to the model as it is.
_LEFT = re.compile(r"\{\{[^{}\n]*\}\}")
_HERE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A prompt on the server, with the versions and labels it has; what a label points to is asked of `get()`."""

    name: str
    versions: tuple[int, ...]
    labels: tuple[str, ...]


class PromptServer(Project):
    """The prompts of a project; use it as a context manager. Failures are DeliveryErrors."""

    def get(self, name: str, *, label: str) -> Prompt | None:
        """The prompt that a label points to; None where there is none.

        Raises InputError for one that can't be used here: not a chat, or with roles that no chat has.
        """
        with self.translated():
            try:
                found = self.api.prompts.get(name, label=label, request_options=self.options())
            except ApiError as error:
                if error.status_code == NOT_FOUND:
                    return None
                raise
        return _prompt(found)

    def listed(self) -> list[Listed]:
        """All prompts by name."""
        with self.translated():
            found = self.api.prompts.list(limit=PAGE, request_options=self.options())
        made = [
            Listed(name=one.name, versions=tuple(sorted(one.versions)), labels=tuple(one.labels)) for one in found.data
        ]
        return sorted(made, key=lambda one: one.name)

    def create(self, prompt: Prompt, *, labels: Sequence[str] = ()) -> int:
        """Write a new version; returns its number."""
        messages = [ChatMessage(role=one.role, content=_to_there(one.content)) for one in prompt.messages]
        request = CreateChatPromptRequest(
            type="chat", name=prompt.id, prompt=messages, labels=list(labels), commit_message=f"file {prompt.sha}"
        )
        with self.translated():
            made = self.api.prompts.create(request=request, request_options=self.options())
        return int(made.version)

    def label(self, name: str, version: int, label: str) -> None:
        """Have a label point to this version, and no longer to another."""
        with self.translated():
            found = self.api.prompts.get(name, version=version, request_options=self.options())
            labels = [*dict.fromkeys([*found.labels, label])]
            self.api.prompt_version.update(
                name,
                version,
                new_labels=[one for one in labels if one != "latest"],
                request_options=self.options(),
            )


def _prompt(found: Any) -> Prompt:
    told = found.prompt if isinstance(found.prompt, list) else [None]
    made = Prompt(
        id=found.name,
        version=f"{SERVED}{found.version}",
        sha="",
        messages=tuple(_message(found.name, one) for one in told),
    )
    # As its copy on disk has it: the same prompt, whether it comes from there or from the server.
    return replace(made, sha=sha_of(prompt_text(made)))


def _message(name: str, told: Any) -> Message:
    role, content = getattr(told, "role", None), getattr(told, "content", None)
    for known in _ROLES:
        if known == role and isinstance(content, str) and not _LEFT.search(_THERE.sub("", content)):
            return Message(role=known, content=_to_here(content).strip())
    raise InputError(
        f"the prompt '{name}' on the server can't be used",
        expected="a chat of system, user and assistant messages, with placeholders such as {{question}}",
        remedy="mend it there; 'plumb prompts push' writes one",
    )


def number(prompt: Prompt) -> int:
    """The number of a version on the server."""
    return int(prompt.version.removeprefix(SERVED))


def as_given_back(prompt: Prompt) -> tuple[Message, ...]:
    """The messages as the server gives them back once they were pushed: $name is ${name} then."""
    return tuple(Message(role=one.role, content=_to_here(_to_there(one.content)).strip()) for one in prompt.messages)


def _to_there(text: str) -> str:
    return _HERE.sub(lambda found: f"{{{{{found[1] or found[2]}}}}}" if found[0] != "$$" else "$", text)


def _to_here(text: str) -> str:
    return _THERE.sub(r"${\1}", text.replace("$", "$$"))
