"""Whether passages hold the answer, asked of the model that answers: before it writes, and of what it then rests on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rag.asking import Asking
from rag.context import shown
from rag.errors import BudgetExceeded, ModelError, PlumbError
from rag.llm.protocol import Sampling
from rag.prompts import Prompt, load_prompt
from rag.reply import YES_NO, answerable, yes_chance
from rag.sections import Generate
from rag.types import Attempt, Generation, Passage

# Enough for a number, a name or a condition; each more is a wait before the first word.
PROPOSAL = Sampling(temperature=0, max_tokens=20)
WORD = Sampling(temperature=0, max_tokens=1, choices=YES_NO)

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Whether it is likely enough that the passages hold the answer, and the calls it took to find out.

    `is_settled` is false where the model failed, and `lost` are its attempts then.
    """

    is_enough: bool = True
    calls: tuple[Generation, ...] = ()
    is_settled: bool = True
    lost: tuple[Attempt, ...] = ()


class Weigher:
    """Asks as the settings say; not at all where `answerable_at` is 0. Safe to share between threads."""

    def __init__(self, options: Generate, *, own: Path | None) -> None:
        """Read the prompts, a project's own from the folder `own`. Raises ConfigError."""
        self._options = options
        self._prior, self._propose = load_prompt("prior", own=own), load_prompt("propose", own=own)
        self._confirm, self._alone = load_prompt("confirm", own=own), load_prompt("alone", own=own)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts in use."""
        return self._prior, self._propose, self._confirm, self._alone

    def before(self, asking: Asking) -> Weighed:
        """Before an answer is written: the model proposes one and is asked whether the passages say it.

        What counts is how much they changed its mind: it was asked first what it expects without having read them.
        Raises ModelError where the answer would fail too.
        """
        if not self._options.answerable_at:
            return Weighed()
        made: list[Generation] = []
        try:
            # Before the passages, not after: the server keeps what it read last, and the answer begins with them too.
            made.append(prior := asking.call(self._prior, WORD))
            made.append(proposed := asking.call(self._propose, PROPOSAL))
            confirmed = asking.call(self._confirm, WORD, {"proposal": proposed.text.strip()})
        except ModelError as error:
            # A reasoning model refuses so few tokens. The answer can do without, and shows what else is wrong.
            if error.retryable or isinstance(error, BudgetExceeded):
                raise
            return Weighed(calls=tuple(made))
        at = self._options.answerable_at
        with asking.recorder.step("weigh", "evaluator") as step:
            chance = answerable(prior, proposed, confirmed)
            step.note({"chance": chance, "answerable_at": at})
        return Weighed(is_enough=chance >= at, calls=(prior, proposed, confirmed))

    def after(self, asking: Asking, passages: Sequence[Passage], rests_on: Mapping[int, str]) -> Weighed:
        """Once it is written and checked: can the question be answered with the sentences that it rests on alone?

        The check tells whether the words of an answer are in the passages, not whether they are about what was asked;
        a small model sees that better in one sentence than among twenty. The answer stands where the model fails.
        """
        if not (self._options.answerable_at and self._options.alone_at and rests_on):
            return Weighed()
        cited = [replace(each, text=rests_on[each.marker]) for each in passages if each.marker in rests_on]
        try:
            call = asking.call(self._alone, WORD, {"passages": "\n\n".join(shown(passage) for passage in cited)})
        except PlumbError as error:
            # Of the budget's file, too: the answer was read by then.
            log.warning("whether the answer is one to the question was not found out: %s", error)
            attempts = error.attempts if isinstance(error, ModelError) else ()
            return Weighed(is_settled=False, lost=tuple(each for each in attempts if isinstance(each, Attempt)))
        with asking.recorder.step("look", "evaluator") as step:
            chance, at = yes_chance(call), self._options.alone_at
            step.note({"chance": chance, "alone_at": at})
        return Weighed(is_enough=chance >= at, calls=(call,))
