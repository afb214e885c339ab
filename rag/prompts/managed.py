"""A prompt that is kept in Langfuse: the last good one at once, a newer one as soon as it is there.

A question never waits for the server: what answers is what is in memory, refreshed in the background. A process begins
with the copy that the last one left on disk, or with the file of the same name.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rag.durable import replace_text
from rag.errors import ConfigError, InputError
from rag.prompts import Prompt, load_prompt, prompt_text, read_prompt, sha_of

MANAGED = "langfuse:"
_NAME = re.compile(r"langfuse:(?P<name>[\w./-]+?)(?:@(?P<label>[\w.-]+))?", re.ASCII)
PRODUCTION = "production"
# What an answer prompt is filled with, and what it can't do without.
KNOWN = {"passages", "history", "question", "language"}
NEEDED = {"passages", "question"}

log = logging.getLogger("plumbline")

Fetch = Callable[[str, str], Prompt | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """The name of a prompt in Langfuse, and the label that points to the version that answers."""

    name: str
    label: str

    @property
    def file_name(self) -> str:
        """What its copy is called."""
        told = f"{self.name}@{self.label}"
        # Other names may look the same once they are a file's.
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', told)}-{sha_of(told)[:6]}.md"


def managed(told: str) -> Managed | None:
    """What 'langfuse:answer@production' names; None for a prompt of a file. Raises ConfigError."""
    if not told.startswith(MANAGED):
        return None
    found = _NAME.fullmatch(told)
    if not found:
        raise ConfigError(
            f"the prompt '{told[:60]}' can't be read", expected="langfuse:NAME@LABEL", remedy="see docs/prompts.md"
        )
    return Managed(name=found["name"], label=found["label"] or PRODUCTION)


class ManagedPrompt:
    """One prompt of the server. Safe to share between threads."""

    def __init__(self, wanted: Managed, *, copies: Path, own: Path | None, fetch: Fetch | None) -> None:
        """Begin with the copy in the folder `copies`, else with the file; `fetch` asks the server, if there is one.

        Raises ConfigError where there is neither, nor a server to ask.
        """
        self._wanted = wanted
        self._file = copies / wanted.file_name
        self._fetch = fetch
        self._refused: Prompt | None = None
        self._complaint = ""
        self._is_pinned = False
        self._asking = threading.Lock()
        copy = read_prompt(self._file)
        self._current = copy if copy and _is_usable(copy) else self._first(own)

    @property
    def current(self) -> Prompt:
        """The prompt to answer with."""
        return self._current

    def pin(self) -> None:
        """Ask the server once more and wait for it; then the prompt stays as it is, for good."""
        self.refresh()
        with self._asking:
            self._is_pinned = True

    def refresh(self) -> None:
        """Ask the server once; what it has answers from now on. What fails leaves everything as it is."""
        with self._asking:
            if not self._is_pinned:
                self._refresh()

    def _refresh(self) -> None:
        if self._fetch is None:
            return
        try:
            found = self._fetch(self._wanted.name, self._wanted.label)
        except Exception as error:  # noqa: BLE001 (whatever happens: what answers goes on answering)
            level = (
                logging.WARNING if isinstance(error, InputError) and str(error) != self._complaint else logging.DEBUG
            )
            self._complaint = str(error)
            log.log(level, "the prompt %s was not refreshed: %s", self._wanted.name, error)
            return
        if found and found not in (self._current, self._refused):
            self._take(found)

    def _take(self, found: Prompt) -> None:
        """Answer with it from now on, unless it can't be filled: that is said once."""
        if not _is_usable(found):
            self._refused = found
            told = (", ".join(sorted(names)) for names in (found.placeholders, NEEDED, KNOWN))
            log.warning(
                "version %s of the prompt %s is not used: it has the placeholders %s; expected %s, of %s",
                found.version,
                found.id,
                *told,
            )
            return
        self._current = found
        self._keep(found)

    def keep_fresh(self, *, every_s: float) -> None:
        """Refresh at once and then again and again, in a thread that ends with this object or the process."""
        if self._fetch is not None:
            mine = weakref.ref(self)
            threading.Thread(target=_refreshed, args=(mine, every_s), name="plumb-prompts", daemon=True).start()

    def _first(self, own: Path | None) -> Prompt:
        """The file of the same name; where there is none, the process waits for the server this once."""
        try:
            return load_prompt(self._wanted.name, own=own)
        except ConfigError:
            found = self._fetch(self._wanted.name, self._wanted.label) if self._fetch else None
        if found is None or not _is_usable(found):
            raise ConfigError(
                f"no prompt '{self._wanted.name}' with the label '{self._wanted.label}' that can be used",
                expected="one on the Langfuse server, a copy of it, or a file of this name",
                remedy="push one with 'plumb prompts push', or set the keys of Langfuse",
            )
        self._keep(found)
        return found

    def _keep(self, found: Prompt) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self._file, prompt_text(found))
        except OSError as error:
            log.warning("the prompt %s was not kept for the next start: %s", found.id, error)


def _refreshed(prompt: weakref.ref[ManagedPrompt], every_s: float) -> None:
    """Refresh it again and again, as long as somebody has it."""
    while (held := prompt()) is not None:
        held.refresh()
        del held
        time.sleep(every_s)


def _is_usable(prompt: Prompt) -> bool:
    """Whether an answer can be asked for with it: it has the passages and the question, and can be filled."""
    try:
        prompt.render(dict.fromkeys(KNOWN, ""))
    except ConfigError:
        return False
    return prompt.placeholders >= NEEDED
