"""A chat model whose prompts lose the fence of `rag/fence.py`: what defences are measured against, and no setting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.fence import QUOTE
from rag.llm import LLM
from rag.llm.protocol import Piece, Sampling
from rag.types import Message

PLAIN = "Answer the question using only the passages."
_QUOTE = re.compile(f"^{re.escape(QUOTE)}", re.MULTILINE)


class Unfenced:
    """The same model, told nothing of quotations, that reads passages as the documents have them."""

    def __init__(self, llm: LLM) -> None:
        """Ask `llm`."""
        self._llm = llm

    @property
    def name(self) -> str:
        """'provider:model'."""
        return self._llm.name

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """What the model says to the prompt without the fence."""
        return self._llm.stream([_bare(message) for message in messages], sampling)


def _bare(message: Message) -> Message:
    if message.role == "system":
        return replace(message, content=PLAIN)
    # What `inert()` does to the tokens of the one local model, undone.
    return replace(message, content=_QUOTE.sub("", message.content).replace("< |", "<|").replace("| >", "|>"))
