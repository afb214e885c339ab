"""How much the models that may answer can be given to read."""

from __future__ import annotations

from rag.llm.chain import Chain
from rag.llm.protocol import LLM


def budget_tokens(llm: LLM, *, usual: int) -> int:
    """Tokens of passages that each model of a chain can read: the smallest of their budgets.

    `usual` is that of a model which has none of its own. The passages are chosen before it is known who answers.
    """
    budgets = [each.limits.budget_tokens or usual for each in llm.candidates] if isinstance(llm, Chain) else []
    return min(budgets, default=usual)
