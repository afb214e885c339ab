"""Chat models: one protocol, one backend a file; several of them in a chain play a role."""

from __future__ import annotations

from rag.llm.candidate import Candidate
from rag.llm.chain import Chain, pinned
from rag.llm.protocol import LLM, Piece, Restart, Warmable
from rag.roles import ChatRole
from rag.settings import Settings, secret, split_model

__all__ = ["LLM", "Candidate", "Chain", "Piece", "Restart", "Warmable", "make_chains", "make_llm", "pinned"]


def make_chains(settings: Settings, *roles: ChatRole) -> dict[ChatRole, Chain]:
    """The chain of each role that models play; roles that name the same model share it with its limits.

    Raises ConfigError for an unknown provider, and what making a model raises.
    """
    named = {role: settings.roles.candidates(role) for role in roles}
    asked_by = {name: role for role, names in named.items() for name in names}
    made = {
        name: Candidate(make_llm(settings, name, role=role), settings.candidate(name))
        for name, role in asked_by.items()
    }
    return {role: Chain([made[name] for name in names]) for role, names in named.items() if names}


def make_llm(settings: Settings, name: str, *, role: str) -> LLM:
    """The chat model called 'provider:model', without a chain; raises ConfigError for an unknown provider."""
    provider, model = split_model(name, role=role)
    match provider:
        case "local":
            from rag.llm.local import LocalLLM

            timeout_s = settings.candidate(name).first_token_s
            return LocalLLM(
                name, model=model, folder=settings.models_path, settings=settings.local, timeout_s=timeout_s
            )
        case "scripted":
            from rag.llm.scripted import ScriptedLLM

            return ScriptedLLM(name, script=model, root=settings.root)
        case "llama_index":
            from rag.llm.llama_index import LlamaIndexLLM

            return LlamaIndexLLM(model, settings.llama_index.llm_args)
        case _:
            from rag.llm.openai import OpenAILLM

            server = settings.provider(provider)
            # A server that is silent for longer than its first token may take is given up by the client too.
            limits = {"timeout_s": settings.candidate(name).first_token_s, "max_retries": 0}
            return OpenAILLM(
                name, model=model, server=server.model_copy(update=limits), api_key=secret(server.api_key_env)
            )
