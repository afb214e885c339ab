"""BM25 term weights as sparse vectors; the store multiplies the inverse document frequency in.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with k1 = 1.2, b = 0.75.
"""

from __future__ import annotations

import re
from typing import Any

import qdrant_edge as qdrant

from rag.errors import ConfigError
from rag.types import Sparse

# Words of an average passage: the length at which BM25 neither rewards nor punishes.
AVERAGE_WORDS = 128
# Text as it comes: no stop words, no stems.
NO_LANGUAGE = "none"
# Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Japanese and Chinese.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Lexical:
    """Weighs the words of passages and questions for one language.

    Text in a script without spaces is cut into words by a dictionary, whatever the language.
    """

    def __init__(self, language: str) -> None:
        """Raises ConfigError when there are no stemmer and stop words for `language`."""
        try:
            self._spaced: Any = _model(language, qdrant.TokenizerType.Word)
            self._unspaced: Any = _model(language, qdrant.TokenizerType.Multilingual)
        except ValueError as error:
            raise ConfigError(
                f"retrieve.language is '{language}': {error}",
                expected="a language name such as 'english' or 'german', or 'none'",
                remedy="change it in plumbline.toml, or in --set",
            ) from None

    def passage(self, text: str) -> Sparse:
        """Weights of a passage's words."""
        return _sparse(self._of(text).embed_document(text))

    def question(self, text: str) -> Sparse:
        """Weight 1 for each word of a question."""
        return _sparse(self._of(text).embed_query(text))

    def terms(self, text: str) -> frozenset[int]:
        """The content words of a text, stemmed, as hashes: what two texts can share."""
        return frozenset(self._of(text).embed_query(text).indices)

    def _of(self, text: str) -> Any:
        # Words that both find are the same: only where a word ends is found otherwise, at four times the cost.
        return self._unspaced if _UNSPACED.search(text) else self._spaced


def _model(language: str, tokenizer: Any) -> Any:
    if language == NO_LANGUAGE:
        as_it_comes: dict[str, Any] = {"stemmer": qdrant.DisabledStemmer(), "stopwords": qdrant.StopwordsSet()}
        return qdrant.Bm25(qdrant.Bm25Config(tokenizer=tokenizer, avg_len=AVERAGE_WORDS, **as_it_comes))
    return qdrant.Bm25(qdrant.Bm25Config(tokenizer=tokenizer, avg_len=AVERAGE_WORDS, language=language))


def _sparse(vector: Any) -> Sparse:
    return Sparse(indices=tuple(vector.indices), values=tuple(vector.values))
