"""An embedding that costs nothing: what a benchmark measures is then the rest."""

from __future__ import annotations

import zlib

import numpy as np
from llama_index.core.embeddings import BaseEmbedding

DIMENSION = 384


class RandomVectors(BaseEmbedding):  # type: ignore[misc]
    """Vectors as wide as those of the local model, drawn anew for every text, and the same for the same text."""

    def _get_text_embedding(self, text: str) -> list[float]:
        row: list[float] = np.random.default_rng(zlib.crc32(text.encode())).normal(size=DIMENSION).tolist()
        return row

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)
