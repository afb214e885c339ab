"""Who plays which part: the tables [roles] and [candidates] of plumbline.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from rag.sections import Section

ChatRole = Literal["answer", "rewrite", "judge"]
CHAT_ROLES: tuple[ChatRole, ...] = get_args(ChatRole)
# Roles that a rule can play instead of a model.
RULE_REWRITE = "rule:previous-question"
RULE_FACTS = "rule:facts"
RULE_LATE = "rule:late-interaction"
RULE_NONE = "rule:none"
RULES: Mapping[str, str] = {"rewrite": RULE_REWRITE, "judge": RULE_FACTS}


def _models(given: Any) -> Any:
    """A name or a list of names as it was given; raises ValueError for anything else."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("a name or a list of names")
    if len(set(names)) < len(names):
        raise ValueError("each name once")
    if len(names) > 1 and any(name.startswith("rule:") for name in names):
        raise ValueError("names of models only, as a rule stands alone")
    return given


Models = Annotated[str | tuple[str, ...], BeforeValidator(_models)]
PRICES = ("price_in", "price_out", "price_cached")
# TOML has no null: an empty string says that a price is unknown, a budget the usual one.
_EMPTY = BeforeValidator(lambda value: None if value == "" else value)
Price = Annotated[float | None, _EMPTY]
Budget = Annotated[int | None, _EMPTY]


class Roles(Section):
    """Which model plays which part, as 'provider:model'.

    All but `embed` and `rerank` also take a list of models: where one fails or is slow, the next one answers.
    """

    answer: Models = Field("local:qwen2.5-coder-1.5b", description="writes the answer; a name or a list of names")
    rewrite: Models = Field(
        RULE_REWRITE,
        description="makes a follow-up stand alone; 'rule:previous-question' needs no model",
    )
    judge: Models = Field(
        RULE_FACTS,
        description="grades answers in eval runs; 'rule:facts' looks for the expected words, no model",
    )
    embed: str = Field("local:all-minilm-l6-v2", description="turns text into vectors")
    rerank: str = Field(
        RULE_LATE,
        description="reads the best hits again; 'rule:late-interaction' compares token by token with the model of"
        " roles.embed, if that is local; 'rule:none' leaves them; 'llama_index:...' names a node postprocessor",
    )

    def candidates(self, role: ChatRole) -> tuple[str, ...]:
        """The models that may play a role, first choice first; none where a rule plays it."""
        given: str | tuple[str, ...] = getattr(self, role)
        names = (given,) if isinstance(given, str) else tuple(given)
        return () if names == (RULES.get(role),) else names


class CandidateSettings(Section):
    """Limits and prices of a chat model in the chain of a role."""

    first_token_s: float = Field(
        60.0,
        gt=0,
        description="longest wait for the first token, in it the wait for a free place; then the next model is asked;"
        " unless set, the timeout_s of its server",
    )
    total_s: float = Field(600.0, gt=0, description="longest time for a whole answer; then the next model begins anew")
    retries: int = Field(
        2,
        ge=0,
        description="tries after the first, where one can help and no token came; unless set, the max_retries of its"
        " server",
    )
    budget_tokens: Budget = Field(
        None,
        ge=50,
        description="tokens of passages that it reads as the answer model; empty: context.budget_tokens. All models of"
        " the role read the same passages, so the smallest budget among them holds",
    )
    max_concurrent: int = Field(32, ge=1, description="calls at once; more wait for a free place")
    breaker_failures: int = Field(5, ge=1, description="after so many failures in a row it is not asked for a while")
    breaker_s: float = Field(30.0, gt=0, description="so long; then one call tries it")
    price_in: Price = Field(None, ge=0, description="of a million tokens read; empty: unknown")
    price_out: Price = Field(None, ge=0, description="of a million tokens written; empty: unknown")
    price_cached: Price = Field(
        None, ge=0, description="of a million of the tokens read that came from the provider's cache; empty: unknown"
    )


# What holds for a model that has no server of its own, where its table says nothing else. The local one is loaded at
# its first call, reads a long prompt for minutes on a slow processor, has one place, and costs nothing. LlamaIndex
# classes try again by themselves, and a script says the same every time.
USUAL_LIMITS: Mapping[str, Mapping[str, float]] = {
    "local": {
        "first_token_s": 600.0,
        "total_s": 3600.0,
        "retries": 0,
        "max_concurrent": 1,
        "price_in": 0.0,
        "price_out": 0.0,
        "price_cached": 0.0,
    },
    "llama_index": {"retries": 0},
    "scripted": {"retries": 0},
}
