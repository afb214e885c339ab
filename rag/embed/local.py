"""all-MiniLM-L6-v2 in this process, from its verified file, through OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.embed.protocol import Matrix, unit
from rag.embed.remembered import Remembered
from rag.errors import ConfigError
from rag.weights import require

# The length the model was trained with; a longer text would be cut.
WINDOW_TOKENS = 256
BATCH = 8
# So many texts, a question say, are computed one batch after the other on all cores; more, a batch on each core.
FEW = 2 * BATCH
# Rows are filled up to a multiple of so many tokens: the engine prepares itself for every new shape it meets.
WIDTH_STEP = 8
DIMENSION = 384
# The weights are 8-bit integers. Rounding what they are multiplied with in groups of so many numbers lets the
# processor multiply integers too: 1.3 times the speed, at a cosine of 0.998 to vectors computed exactly.
ROUNDED_GROUP = 384
# Words whose number of tokens is remembered, and the longest of them in characters: text is made of few.
KNOWN_WORDS = 50_000
KNOWN_WORD_CHARS = 40
FRAME_TOKENS = 2
# A text with a larger share of tokens that the model does not know is strange to it.
UNKNOWN_SHARE = 0.2
# What the tokenizer takes for a space.
_SPACES = str.maketrans("\n\r\t", "   ")
Mask = NDArray[np.int64]


class LocalEmbedder:
    """Mean-pooled, normalised token vectors, as the model's card prescribes."""

    def __init__(self, model: str, *, folder: Path | None, token_cache_mb: int = 0) -> None:
        """Find the files; they are loaded at the first use. Raises ConfigError or WeightsError.

        The token vectors of texts are remembered up to `token_cache_mb`: passages come up again and again.
        """
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
        self._remembered = Remembered(max_bytes=token_cache_mb * 1_000_000)

    def count(self, text: str) -> int:
        """Tokens of a text, the two framing ones included.

        No token of this tokenizer crosses a space, so words are counted, and those counted before are remembered.
        """
        return FRAME_TOKENS + sum(map(self._of_word, text.translate(_SPACES).split(" ")))

    def reads(self, text: str) -> bool:
        """False for a text in a script that the model was not trained on: most of its tokens are unknown ones.

        Of Chinese questions (XQuAD) two thirds are, of English and German ones none.
        """
        ids = self._counter.encode_batch_fast([text])[0].ids[1:-1]
        return not ids or ids.count(self._counter.token_to_id("[UNK]")) <= UNKNOWN_SHARE * len(ids)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors in the order of the texts; similar lengths are computed together."""
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)

        def pool(rows: Sequence[int], tokens: Matrix, mask: Mask) -> None:
            weights = mask[..., None]
            vectors[rows] = (tokens * weights).sum(axis=1) / weights.sum(axis=1)

        self._run(texts, pool)
        return unit(vectors)

    def embed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        """Unit vectors of the tokens of each text, the two framing ones left out; not to be written to."""
        return self._remembered.get(texts, self._computed_tokens)

    def _computed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        vectors = [np.zeros((0, DIMENSION), dtype=np.float32)] * len(texts)

        def split(rows: Sequence[int], tokens: Matrix, mask: Mask) -> None:
            for place, row in enumerate(rows):
                vectors[row] = unit(tokens[place, 1 : mask[place].sum() - 1])

        self._run(texts, split)
        return vectors

    def _run(self, texts: Sequence[str], take: Callable[[Sequence[int], Matrix, Mask], None]) -> None:
        """Run the model over the texts; `take` gets the rows of a batch, their token vectors and their mask."""
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
        with self._lock:
            queue = self._queue_of_few if len(texts) <= FEW else self._queue_of_many
            queue.set_callback(lambda request, job: take(job[0], request.get_output_tensor(0).data, job[1]))
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                inputs = _inputs([encoded[i].ids for i in rows])
                queue.start_async(inputs, (rows, inputs["attention_mask"]))
            queue.wait_all()

    @cached_property
    def _of_word(self) -> Callable[[str], int]:
        def of(word: str) -> int:
            return len(self._counter.encode_batch_fast([word])[0].ids) - FRAME_TOKENS

        known = lru_cache(KNOWN_WORDS)(of)
        return lambda word: known(word) if len(word) <= KNOWN_WORD_CHARS else of(word)

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
    def _queue_of_few(self) -> Any:
        return self._queue("LATENCY")

    @cached_property
    def _queue_of_many(self) -> Any:
        return self._queue("THROUGHPUT")

    def _queue(self, hint: str) -> Any:
        import openvino

        core = openvino.Core()
        model = _lean(core.read_model(self._model_file))
        config = {"PERFORMANCE_HINT": hint, "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(ROUNDED_GROUP)}
        return openvino.AsyncInferQueue(core.compile_model(model, "CPU", config))


def _lean(model: Any) -> Any:
    """The model without its guards against texts of no token, which keep the engine from fusing its attention."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "IsNaN":
            for guard in node.output(0).get_target_inputs():
                for after in guard.get_node().output(0).get_target_inputs():
                    after.replace_source_output(node.input_value(0))
    model.validate_nodes_and_infer_types()
    return model


def _inputs(rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    width = -(-max(len(row) for row in rows) // WIDTH_STEP) * WIDTH_STEP
    ids = np.zeros((len(rows), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
