"""Any LlamaIndex LLM class, by import path."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rag.embed.protocol import guess_tokens
from rag.errors import ModelError
from rag.imports import construct, describe
from rag.llm.protocol import Piece, Sampling
from rag.types import Generation, Message, Usage


class LlamaIndexLLM:
    """A chat model through LlamaIndex's `stream_chat`; sampling is what its own arguments say."""

    def __init__(self, path: str, arguments: Mapping[str, Any]) -> None:
        """`path` is 'package.module.ClassName'; `arguments` go to its constructor. Raises ConfigError."""
        from llama_index.core.llms import LLM

        self.name = f"llama_index:{path}"
        self._arguments = arguments
        self._model: Any = construct(path, arguments, kind=LLM, setting="llama_index.llm_args")

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:  # noqa: ARG002
        """Pieces of the answer, then its Generation; tokens are guessed where the class tells none."""
        started = time.perf_counter()
        first_token_ms, text = None, ""
        for delta in self._deltas(messages):
            if delta:
                first_token_ms = first_token_ms or round((time.perf_counter() - started) * 1000, 1)
            text += delta
            yield delta
        yield Generation(
            text=text,
            requested_model=self.name,
            resolved_model=str(self._model.metadata.model_name),
            fingerprint=None,
            finish_reason=None,
            usage=Usage(
                prompt=sum(guess_tokens(message.content) for message in messages),
                completion=guess_tokens(text),
            ),
            first_token_ms=first_token_ms,
            total_ms=round((time.perf_counter() - started) * 1000, 1),
        )

    def _deltas(self, messages: Sequence[Message]) -> Iterator[str]:
        from llama_index.core.llms import ChatMessage

        prompt = [ChatMessage(role=message.role, content=message.content) for message in messages]
        try:
            for reply in self._model.stream_chat(prompt):
                # An empty one too: whoever waits may have left.
                yield reply.delta or ""
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            raise ModelError(f"{self.name} failed: {describe(error, self._arguments)}", retryable=True) from None
