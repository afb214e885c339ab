"""A model that says whether an answer is right: a second opinion beside the words of the expected facts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evals.judges import with_agreement
from evals.records import JudgeUsed, UsedPrompt
from rag.budget.purse import Purses
from rag.case import Case
from rag.errors import ModelError
from rag.llm import LLM, make_chains, pinned
from rag.llm.protocol import Sampling, complete
from rag.prompts import Prompt, load_prompt
from rag.reply import YES_NO, yes_chance
from rag.settings import Settings

# A server that tells no chances may say a word or two more than yes or no; a reasoning model thinks first.
MAX_TOKENS = 1000
GRADE = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What the judge said: how likely the answer is right, 0 to 1, the model that said it, and what it cost."""

    chance: float
    model: str
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A chat model with the prompt that makes it one; `used` tells what it is, and how far it can be trusted.

    Each grade is a turn of nobody in particular.
    """

    llm: LLM
    prompt: Prompt
    purses: Purses
    used: JudgeUsed

    def grade(self, case: Case, text: str) -> Grade:
        """Hold an answer against the facts of its case, or the expected answer.

        Raises ModelError, also for a reply that is no grade.
        """
        facts = "; ".join(" or ".join(wordings) for wordings in case.facts) or case.expected
        messages = self.prompt.render({"question": case.question, "facts": facts, "answer": text})
        used = self.used
        sampling = Sampling(temperature=used.temperature, max_tokens=used.max_tokens, choices=YES_NO)
        call = complete(pinned(self.llm, self.purses.purse()), messages, sampling)
        if not call.chances and not GRADE.match(call.text):
            raise ModelError(
                f"the judge {call.requested_model} said {call.text.strip()[:60]!r}",
                expected="a reply that begins with Yes or No",
                remedy="choose a model that follows the prompt 'judge', or mend that prompt",
                retryable=True,
            )
        return Grade(chance=yes_chance(call), model=call.resolved_model, cost=call.cost)


def make_judge(settings: Settings) -> Judge | None:
    """The judge that roles.judge names; None where the expected facts decide alone. Raises ConfigError."""
    chain = make_chains(settings, "judge").get("judge")
    if chain is None:
        return None
    prompt = load_prompt("judge", own=settings.prompts_path)
    used = JudgeUsed(
        models=settings.roles.candidates("judge"),
        prompt=UsedPrompt(id=prompt.id, version=prompt.version, sha=prompt.sha),
        temperature=0,
        max_tokens=MAX_TOKENS,
    )
    return Judge(llm=chain, prompt=prompt, purses=Purses(settings), used=with_agreement(settings, used))
