"""Text to vectors: one protocol, one backend a file."""

from __future__ import annotations

from collections.abc import Callable

from rag.embed.protocol import Embedder, Matrix, TokenEmbedder, guess_tokens, reads
from rag.settings import Settings, secret, split_model

__all__ = ["Embedder", "Matrix", "TokenEmbedder", "make_counter", "make_embedder", "reads"]


def make_embedder(settings: Settings) -> Embedder:
    """The embedder that roles.embed names; raises ConfigError for an unknown provider."""
    name = settings.roles.embed
    provider, model = split_model(name, role="embed")
    match provider:
        case "local":
            from rag.embed.local import LocalEmbedder

            cache_mb = settings.local.token_cache_mb
            return LocalEmbedder(model, folder=settings.models_path, token_cache_mb=cache_mb)
        case "llama_index":
            from rag.embed.llama_index import LlamaIndexEmbedder

            return LlamaIndexEmbedder(model, settings.llama_index.embed_args)
        case "scripted":
            from rag.embed.scripted import ScriptedEmbedder

            return ScriptedEmbedder(name)
        case _:
            from rag.embed.openai import OpenAIEmbedder

            server = settings.provider(provider)
            return OpenAIEmbedder(name, model=model, server=server, api_key=secret(server.api_key_env))


def make_counter(settings: Settings) -> Callable[[str], int]:
    """How the embedder that roles.embed names counts the tokens of a text, without the model itself."""
    provider, _ = split_model(settings.roles.embed, role="embed")
    return make_embedder(settings).count if provider in ("local", "scripted") else guess_tokens
