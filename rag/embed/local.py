"""all-MiniLM-L6-v2 in this process, from its verified file, through OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rag.embed.protocol import Matrix, unit
from rag.errors import ConfigError
from rag.weights import require

# The length the model was trained with; a longer text would be cut.
WINDOW_TOKENS = 256
BATCH = 16
DIMENSION = 384


class LocalEmbedder:
    """Mean-pooled, normalised token vectors, as the model's card prescribes."""

    def __init__(self, model: str, *, folder: Path | None) -> None:
        """Find the files; they are loaded at the first use. Raises ConfigError or WeightsError."""
        if model != "all-minilm-l6-v2":
            raise ConfigError(
                f"unknown local embedding model '{model}'",
                expected="all-minilm-l6-v2",
                remedy="change roles.embed in plumbline.toml",
            )
        self.name = f"local:{model}"
        self.dimension = DIMENSION
        self.max_tokens = WINDOW_TOKENS
        self._model_file = require("all-minilm-l6-v2", folder=folder)
        self._tokenizer_file = require("all-minilm-l6-v2-tokenizer", folder=folder)
        self._lock = threading.Lock()

    def count(self, text: str) -> int:
        """Tokens of a text, the two framing ones included."""
        return len(self._counter.encode(text).ids)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors in the order of the texts; similar lengths are computed together."""
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        with self._lock:
            queue = self._queue
            queue.set_callback(lambda request, job: _pool(request, job, vectors))
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                inputs = _inputs([encoded[i].ids for i in rows])
                queue.start_async(inputs, (rows, inputs["attention_mask"]))
            queue.wait_all()
        return unit(vectors)

    @cached_property
    def _counter(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        tokenizer.no_padding()
        tokenizer.enable_truncation(WINDOW_TOKENS)
        return tokenizer

    @cached_property
    def _queue(self) -> Any:
        import openvino

        core = openvino.Core()
        compiled = core.compile_model(core.read_model(self._model_file), "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
        return openvino.AsyncInferQueue(compiled)


def _inputs(rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    width = max(len(row) for row in rows)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _pool(request: Any, job: tuple[list[int], Any], vectors: Matrix) -> None:
    rows, mask = job
    tokens = request.get_output_tensor(0).data
    weights = mask[..., None]
    vectors[rows] = (tokens * weights).sum(axis=1) / weights.sum(axis=1)
