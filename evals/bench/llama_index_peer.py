"""The peer of the filling benchmark: LlamaIndex's IngestionPipeline as its documentation shows it.

SentenceSplitter with the same chunk size and tokenizer, the same weights through onnxruntime, QdrantVectorStore on the
client's local mode in a folder.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.embeddings import BaseEmbedding
from pydantic import PrivateAttr

from rag.settings import Settings
from rag.weights import require

WINDOW_TOKENS = 256


class OnnxEmbedding(BaseEmbedding):  # type: ignore[misc]
    """all-MiniLM-L6-v2 through onnxruntime, mean-pooled and normalised."""

    _session: Any = PrivateAttr()
    _tokenizer: Any = PrivateAttr()

    def __init__(self, folder: Path | None) -> None:
        """Load the verified files."""
        import onnxruntime
        from tokenizers import Tokenizer

        super().__init__(embed_batch_size=32)
        self._session = onnxruntime.InferenceSession(require("all-minilm-l6-v2", folder=folder))
        self._tokenizer = Tokenizer.from_file(str(require("all-minilm-l6-v2-tokenizer", folder=folder)))
        self._tokenizer.enable_truncation(WINDOW_TOKENS)
        self._tokenizer.enable_padding()

    def tokens(self, text: str) -> list[int]:
        """What the splitter counts."""
        return list(self._tokenizer.encode(text).ids)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([item.ids for item in encoded], dtype=np.int64)
        mask = np.array([item.attention_mask for item in encoded], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        tokens = self._session.run(None, inputs)[0]
        pooled = (tokens * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        rows: list[list[float]] = (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).tolist()
        return rows

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def ingest_seconds(files: Sequence[Path], settings: Settings, folder: Path) -> float:
    """The seconds to read, split, embed and store these files; loading of modules and model is not counted."""
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    embedding = OnnxEmbedding(settings.models_path)
    store = QdrantVectorStore("peer", client=QdrantClient(path=str(folder)))
    tokens = settings.ingest.chunk_tokens
    splitter = SentenceSplitter(chunk_size=tokens, chunk_overlap=0, tokenizer=embedding.tokens, include_metadata=False)
    pipeline = IngestionPipeline(transformations=[splitter, embedding], vector_store=store)
    embedding.get_text_embedding("warm")
    started = time.perf_counter()
    pipeline.run(documents=SimpleDirectoryReader(input_files=list(files)).load_data())
    return time.perf_counter() - started
