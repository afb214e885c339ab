"""The best hits read again: one protocol, one backend a file."""

from __future__ import annotations

from rag.embed import Embedder, TokenEmbedder
from rag.errors import ConfigError
from rag.rerank.late import LateInteraction
from rag.rerank.protocol import Reranker, checked_scores
from rag.roles import RULE_LATE, RULE_NONE
from rag.settings import Settings, split_model

__all__ = ["Reranker", "checked_scores", "make_reranker"]


def make_reranker(settings: Settings, embedder: Embedder) -> Reranker | None:
    """The reranker that roles.rerank names, for hits of this embedder; None where there is none.

    Late interaction needs an embedder that gives vectors of tokens. Raises ConfigError.
    """
    name = settings.roles.rerank
    if name == RULE_NONE:
        return None
    if name == RULE_LATE:
        return LateInteraction(embedder) if isinstance(embedder, TokenEmbedder) else None
    provider, path = split_model(name, role="rerank")
    if provider != "llama_index":
        raise ConfigError(
            f"roles.rerank is '{name}'",
            expected=f"'{RULE_LATE}', '{RULE_NONE}' or 'llama_index:package.module.ClassName'",
            remedy="change it in plumbline.toml, or in --set",
        )
    from rag.rerank.llama_index import LlamaIndexReranker

    return LlamaIndexReranker(path, settings.llama_index.rerank_args)
