"""How the models of the answer role come to one answer: one protocol, one strategy a file."""

from __future__ import annotations

from collections.abc import Sequence

from rag.draft import Drafter
from rag.errors import ConfigError
from rag.llm import LLM, Chain
from rag.settings import Settings
from rag.strategy.protocol import Strategy

__all__ = ["Strategy", "make_strategy", "require_several"]


def make_strategy(settings: Settings, drafter: Drafter, llm: LLM) -> Strategy:
    """The strategy that the settings name, over the models of `llm`; raises ConfigError where it needs more of them."""
    options = settings.generate
    candidates = llm.candidates if isinstance(llm, Chain) else ()
    match options.strategy:
        case "first":
            from rag.strategy.first import First

            return First(drafter, llm)
        case "cascade":
            from rag.strategy.cascade import Cascade

            require_several(options.strategy, [candidate.name for candidate in candidates])
            return Cascade(drafter, candidates, accept_at=options.accept_at)
        case "vote":
            from rag.strategy.vote import Vote

            require_several(options.strategy, [candidate.name for candidate in candidates])
            return Vote(drafter, candidates)


def require_several(strategy: str, models: Sequence[str]) -> None:
    """Raise ConfigError where a strategy of several models has fewer than two."""
    if strategy != "first" and len(models) < 2:
        raise ConfigError(
            f"generate.strategy is '{strategy}', and roles.answer names {', '.join(models) or 'no list of models'}",
            expected="at least two models to choose between",
            remedy="name them in roles.answer, the cheapest first, or take generate.strategy = 'first'",
        )
