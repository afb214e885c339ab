"""Any LlamaIndex embedding class, by import path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rag.embed.protocol import Matrix, checked, guess_tokens, unit
from rag.errors import ModelError
from rag.imports import construct, describe

WINDOW_TOKENS = 512


class LlamaIndexEmbedder:
    """Vectors by a LlamaIndex `BaseEmbedding`."""

    def __init__(self, path: str, arguments: Mapping[str, Any]) -> None:
        """`path` is 'package.module.ClassName'; `arguments` go to its constructor. Raises ConfigError."""
        from llama_index.core.embeddings import BaseEmbedding

        self.name = f"llama_index:{path}"
        self.max_tokens = WINDOW_TOKENS
        self._arguments = arguments
        self._model: Any = construct(path, arguments, kind=BaseEmbedding, setting="llama_index.embed_args")

    @cached_property
    def dimension(self) -> int:
        """Width of the vectors, learned by embedding one word."""
        return int(self.embed(["width"]).shape[1])

    def count(self, text: str) -> int:
        """An upper guess: LlamaIndex embeddings don't show their tokenizer."""
        return guess_tokens(text)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors in the order of the texts."""
        try:
            vectors = np.array(self._model.get_text_embedding_batch(list(texts)), dtype=np.float32)
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            raise ModelError(f"{self.name} failed: {describe(error, self._arguments)}", retryable=True) from None
        return unit(checked(vectors, self.name, texts)) if texts else np.zeros((0, self.dimension), dtype=np.float32)
