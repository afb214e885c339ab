"""Embeddings of any OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from rag.embed.protocol import Matrix, checked, guess_tokens, unit
from rag.llm.openai import make_client, translated
from rag.settings import Provider

# The shortest window among the usual hosted models.
WINDOW_TOKENS = 8191
BATCH = 128


class OpenAIEmbedder:
    """Vectors by POST /embeddings."""

    def __init__(self, name: str, *, model: str, server: Provider, api_key: str) -> None:
        """`name` is 'provider:model'. Raises ConfigError when the key's variable is named and empty."""
        self.name = name
        self.max_tokens = WINDOW_TOKENS
        self._model = model
        self._server = server
        self._client = make_client(name, server, api_key)

    @cached_property
    def dimension(self) -> int:
        """Width of the vectors, learned by embedding one word."""
        return int(self.embed(["width"]).shape[1])

    def count(self, text: str) -> int:
        """An upper guess: hosted models don't ship their tokenizer."""
        return guess_tokens(text)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors in the order of the texts."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        batches = [self._batch(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        with translated(self.name, self._server):
            return unit(np.concatenate(batches))

    def _batch(self, texts: Sequence[str]) -> Matrix:
        with translated(self.name, self._server):
            reply = self._client.embeddings.create(model=self._model, input=list(texts), encoding_format="float")
            rows = sorted(reply.data, key=lambda item: item.index)
            return checked(np.array([row.embedding for row in rows], dtype=np.float32), self.name, texts)
