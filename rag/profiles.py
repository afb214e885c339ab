"""The commented plumbline.toml that `plumb init` writes: every setting with its default and what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from rag.settings import documented

# What a profile sets; everything else stays a comment. Another embedder gets an index of its own.
PROFILES: Mapping[str, Mapping[str, str]] = {
    "local": {},
    "openai": {
        "roles.answer": '"openai:gpt-5-mini"',
        "roles.embed": '"openai:text-embedding-3-small"',
        "context.budget_tokens": "4000",
        "context.passages": '"whole"',
        "generate.prompt": '"answer-cited"',
        "generate.answerable_at": "0",
        "generate.max_tokens": "2000",
        "ingest.chunk_tokens": "400",
        "store.collection": '"plumbline-openai"',
    },
    "ollama": {
        "roles.answer": '"ollama:qwen2.5:7b"',
        "roles.embed": '"ollama:nomic-embed-text"',
        "context.budget_tokens": "1500",
        "context.passages": '"whole"',
        "generate.prompt": '"answer-cited"',
        "generate.answerable_at": "0",
        "store.collection": '"plumbline-ollama"',
    },
    "vllm": {
        "roles.answer": '"vllm:Qwen/Qwen2.5-7B-Instruct"',
        "context.budget_tokens": "3000",
        "context.passages": '"whole"',
        "generate.prompt": '"answer-cited"',
        "generate.answerable_at": "0",
    },
}

HEAD = """\
# Plumbline, profile '{profile}'. Lines that start with # show the defaults.
# Every key is also a variable: store.kind is PLUMB_STORE__KIND, and the variable wins.
# Models are 'provider:model'. Providers: local, openai, ollama, vllm, llama_index, scripted, and your own:
#   [providers.my-gateway]
#   base_url = "https://gateway.example/v1"
#   api_key_env = "MY_GATEWAY_KEY"       # the variable that holds the key, never the key itself
# A chat role also takes a list: where one model fails or is slow, the next answers. Limits and prices of each:
#   [candidates."openai:gpt-5-mini"]
#   first_token_s = 10
"""


def config_text(profile: str) -> str:
    """The file for a profile."""
    chosen = PROFILES[profile]
    tables = groupby(documented(), key=lambda row: row[0].rpartition(".")[0])
    blocks = [_block(table, [(key, default, why) for key, default, why in rows], chosen) for table, rows in tables]
    return HEAD.format(profile=profile) + "\n" + "\n".join(block for block in blocks if block)


def _block(table: str, rows: list[tuple[str, str, str]], chosen: Mapping[str, str]) -> str:
    lines = [_line(key, default, why, chosen) for key, default, why in rows if default != "{}"]
    head = [f"[{table}]"] if table else []
    return "\n".join(head + lines) + "\n" if lines else ""


def _line(key: str, default: str, why: str, chosen: Mapping[str, str]) -> str:
    name = key.rpartition(".")[2]
    set_line = f"{name} = {chosen[key]}" if key in chosen else f"# {name} = {default}"
    return f"# {why}\n{set_line}"
