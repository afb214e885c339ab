"""Questions by a chat model: that of `roles.judge`."""

from __future__ import annotations

import logging
import re

from evals.synth.asked import Asked
from rag.budget.purse import Purses
from rag.errors import ModelError
from rag.fence import on_a_line, quoted
from rag.llm import LLM, make_chains, pinned
from rag.llm.protocol import Sampling, complete
from rag.prompts import load_prompt
from rag.sentences import sentences
from rag.settings import Settings
from rag.spelling import plain
from rag.types import Chunk

log = logging.getLogger("plumbline")
# Two lines; a reasoning model thinks first.
SAMPLING = Sampling(temperature=0, max_tokens=1000)
# So many failures in a row are no accident of single passages.
PATIENCE = 3
_REPLY = re.compile(r"^\W*Question:\s*(?P<question>.+?)\s*^\W*Answer:\s*(?P<answer>.+)", re.MULTILINE)


class Writer:
    """Asks the model for a question on each passage; each is a turn of nobody in particular."""

    def __init__(self, settings: Settings, llm: LLM) -> None:
        """Read the prompt. Raises ConfigError."""
        self._llm, self._purses = llm, Purses(settings)
        self._prompt = load_prompt("synth", own=settings.prompts_path)
        self._failures = 0

    def ask(self, chunk: Chunk) -> Asked | None:
        """A question and its answer, which stands in the passage; None for a reply that has none.

        Raises ModelError when the model failed several times in a row.
        """
        messages = self._prompt.render({"title": on_a_line(chunk.title), "passage": quoted(chunk.text)})
        try:
            reply = complete(pinned(self._llm, self._purses.purse()), messages, SAMPLING)
        except ModelError as error:
            self._failures += 1
            if self._failures == PATIENCE:
                raise
            log.warning("no question for a passage of %s: %s", chunk.uri, error)
            return None
        self._failures = 0
        return _read(reply.text, chunk)


def make_writer(settings: Settings) -> Writer | None:
    """The writer with the model that roles.judge names; None where it names none. Raises ConfigError."""
    chain = make_chains(settings, "judge").get("judge")
    return Writer(settings, chain) if chain else None


def _read(reply: str, chunk: Chunk) -> Asked | None:
    found = _REPLY.search(reply)
    if found is None:
        return None
    answer = found["answer"].strip().strip("\"'“”„. ")
    spans = [chunk.text[start:end] for start, end in sentences(chunk.text)]
    holding = next((sentence for sentence in spans if answer and plain(answer) in plain(sentence)), "")
    return Asked(question=on_a_line(found["question"]), fact=answer, sentence=holding) if holding else None
