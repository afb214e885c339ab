"""Chat models: one protocol, one backend a file."""

from __future__ import annotations

from rag.llm.protocol import LLM, Piece, Warmable
from rag.settings import Settings, secret, split_model

__all__ = ["LLM", "Piece", "Warmable", "make_llm"]


def make_llm(settings: Settings, name: str, *, role: str) -> LLM:
    """The chat model called 'provider:model'; raises ConfigError for an unknown provider."""
    provider, model = split_model(name, role=role)
    match provider:
        case "local":
            from rag.llm.local import LocalLLM

            return LocalLLM(name, model=model, folder=settings.models_path, settings=settings.local)
        case "scripted":
            from rag.llm.scripted import ScriptedLLM

            return ScriptedLLM(name, script=model, root=settings.root)
        case "llama_index":
            from rag.llm.llama_index import LlamaIndexLLM

            return LlamaIndexLLM(model, settings.llama_index.llm_args)
        case _:
            from rag.llm.openai import OpenAILLM

            server = settings.provider(provider)
            return OpenAILLM(name, model=model, server=server, api_key=secret(server.api_key_env))
