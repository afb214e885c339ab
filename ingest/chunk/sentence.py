"""The chunking 'sentence': LlamaIndex's SentenceSplitter gathers whole sentences up to the size of a chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from llama_index.core.node_parser import SentenceSplitter

from ingest.chunk.packing import Count
from ingest.chunk.prose import apart, in_sentences
from ingest.parse import Element

# The splitter needs some room to find an end.
_LEAST_TOKENS = 8


def split(count: Count) -> Callable[[Sequence[Element], int], Iterable[Sequence[Element]]]:
    """Cuts running text where a sentence ends, not where a paragraph does."""
    frame = count("")

    def groups(elements: Sequence[Element], room: int) -> Iterable[Sequence[Element]]:
        splitter = SentenceSplitter(
            chunk_size=max(room, _LEAST_TOKENS),
            chunk_overlap=0,
            tokenizer=lambda text: range(count(text) - frame),
            # Its own way to find sentences loads files of another package.
            chunking_tokenizer_fn=in_sentences,
            include_metadata=False,
        )
        return apart(elements, splitter.split_text)

    return groups
