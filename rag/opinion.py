"""A second opinion on claims that the rules of the check leave in doubt: a model says whether a passage says so."""

from __future__ import annotations

import logging
import re
from typing import Any

from rag.budget.purse import Purse
from rag.errors import ConfigError, ModelError, StoreError
from rag.fence import on_a_line, quoted
from rag.llm import LLM, pinned
from rag.llm.protocol import Sampling, complete
from rag.observe.facts import of_call, of_request
from rag.prompts import Prompt, load_prompt
from rag.reply import YES_NO, yes_chance
from rag.settings import Settings
from rag.types import Generation

log = logging.getLogger("plumbline")

# From this chance on a yes is one.
YES_AT = 0.5
# A server that tells no chances may say a word or two more; a reasoning model thinks first.
MAX_TOKENS = 1000
_SAID = re.compile(r"\W*(?:yes|no)\b", re.IGNORECASE)


class Judge:
    """The model that `verify.second_opinion` asks. Safe to share between threads."""

    def __init__(self, settings: Settings, llm: LLM | None) -> None:
        """Read the prompt. Raises ConfigError without a model, and for a prompt that is unusable."""
        if llm is None:
            raise ConfigError(
                "verify.second_opinion is true, and roles.judge names no model",
                expected="a chat model that says yes or no",
                remedy="name one in roles.judge, or set verify.second_opinion to false",
            )
        self.llm = llm
        self.prompt: Prompt = load_prompt("opinion", own=settings.prompts_path)
        self.most = settings.verify.opinions


class Opinions:
    """The second opinions on one answer: at most `verify.opinions`, none after the first that fails."""

    def __init__(self, judge: Judge, question: str, purse: Purse | None = None) -> None:
        """None has been asked for yet; `purse` pays the calls, if there is one."""
        self._judge, self._question = judge, question
        self._llm = pinned(judge.llm, purse)
        self._left = judge.most
        self.calls: list[Generation] = []
        self.facts: list[dict[str, Any]] = []

    def supporter(self, claim: str, passage: str) -> str:
        """The model that says that a passage says a claim; '' where it does not, fails or is not asked any more."""
        if not self._left:
            return ""
        self._left -= 1
        try:
            return self._asked(claim, passage)
        except (ModelError, StoreError) as error:
            log.warning("claims are judged by the rules alone: %s", error)
            self._left = 0
            self.facts.append({"claim": claim, "failure": str(error)})
            return ""

    def _asked(self, claim: str, passage: str) -> str:
        prompt = self._judge.prompt
        messages = prompt.render({"question": self._question, "passage": quoted(passage), "claim": on_a_line(claim)})
        sampling = Sampling(temperature=0, max_tokens=MAX_TOKENS, choices=YES_NO)
        call = complete(self._llm, messages, sampling)
        self.calls.append(call)
        says_so = bool(call.chances or _SAID.match(call.text)) and yes_chance(call) >= YES_AT
        request = of_request(self._llm, messages, prompt, sampling)
        self.facts.append({"claim": claim, "says_so": says_so, **request, **of_call(call)})
        return call.resolved_model if says_so else ""
