"""More queries for a question, written by a model, and what their searches find made one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from statistics import fmean

from rag.distinct import LeftOut, distinct
from rag.errors import ConfigError
from rag.llm import LLM
from rag.llm.protocol import Sampling
from rag.prompts import Prompt, load_prompt
from rag.retrieve import in_order
from rag.search import Found
from rag.settings import Settings
from rag.types import Hit, Message

# What the hits of the question itself count for beside those of its other wordings.
OWN_WEIGHT = 0.5
# The place of a list item, quotation marks around it.
_ORNAMENT = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.):])?\s*[\"'“„«]*|[\"'”“»\s]+$")
_AFTER_QUESTION = re.compile(r"(?<=[?؟])\s|(?<=？)")
_ASKS = re.compile(r"[?？؟]$")


class Expander:
    """Writes more queries as `retrieve.expand` says. Safe to share between threads."""

    def __init__(self, settings: Settings, llm: LLM | None) -> None:
        """Read the prompt. Raises ConfigError without a model for it, and for a prompt that is unusable."""
        options = settings.retrieve
        if llm is None:
            raise ConfigError(
                f"retrieve.expand is '{options.expand}', and roles.rewrite names no model",
                expected="a chat model that writes the queries",
                remedy="name one in roles.rewrite, or set retrieve.expand to 'none'",
            )
        self.llm = llm
        self.prompt: Prompt = load_prompt(f"expand-{options.expand}", own=settings.prompts_path)
        self.sampling = Sampling(temperature=0, max_tokens=options.expand_tokens)
        self._options, self._max_chars = options, settings.limits.question_chars

    def messages(self, question: str) -> tuple[Message, ...]:
        """What the model is asked."""
        return self.prompt.render({"question": question, "queries": str(self._options.expand_queries)})

    def queries(self, question: str, reply: str) -> tuple[str, ...]:
        """The question, then what the reply adds to it: at most `retrieve.expand_queries`, none from a useless one."""
        # A small model writes the parts into one line, where it was asked for one a line.
        lines = (_AFTER_QUESTION.sub("\n", reply) if self._options.expand == "parts" else reply).splitlines()
        told = (_ORNAMENT.sub("", line) for line in lines)
        fitting = (line for line in told if re.search(r"\w", line) and len(line) <= self._max_chars)
        # Where questions are wanted, anything else is talk about them.
        wanted = (line for line in fitting if self._options.expand == "answer" or _ASKS.search(line))
        # A small model repeats the prompt's example.
        example = {line for message in self.prompt.messages for line in message.content.splitlines()}
        others: dict[str, str] = {}
        for line in (line for line in wanted if line not in example):
            others.setdefault(line.casefold(), line)
        others.pop(question.casefold(), None)
        return question, *list(others.values())[: self._options.expand_queries]

    def fused(self, found: Sequence[Found]) -> Found:
        """What the searches found, the question's own first, as one.

        The parts of a question are wanted all, so a hit has the highest score it got (CombMAX of Fox and Shaw,
        Combination of Multiple Searches, 1994). Other wordings are one question, so a hit has the mean of what the
        question gave it and the mean of what they did, 0 where it was not found (a convex combination, as in
        `fusion.py`).
        """
        own, *others = found
        if not others:
            return own
        options = self._options
        merged = _merged(found, max if options.expand == "parts" else _shared)
        seen = list(distinct(merged, duplicate_at=options.duplicate_at, per_document=options.per_document))
        return replace(
            own,
            hits=tuple(one for one in seen if isinstance(one, Hit))[: options.limit],
            left_out=tuple(one for one in seen if isinstance(one, LeftOut)),
            failure="; ".join(dict.fromkeys(one.failure for one in found if one.failure)),
        )


def _merged(found: Sequence[Found], score: Callable[[Sequence[float]], float]) -> list[Hit]:
    """Every hit once, by its new score, with the best score and place that it had at each stage."""
    lists = [{hit.chunk.id: hit for hit in one.hits} for one in found]
    ids = dict.fromkeys(chunk for hits in lists for chunk in hits)
    return in_order((_joined([hits.get(chunk) for hits in lists], score) for chunk in ids), "expand")


def _joined(hits: Sequence[Hit | None], score: Callable[[Sequence[float]], float]) -> Hit:
    """One chunk as each search found it, None where it did not."""
    found = [hit for hit in hits if hit]
    joint = score([hit.score if hit else 0.0 for hit in hits])
    scores = {stage: told for hit in found for stage, told in hit.scores.items()}
    best = {stage: max(hit.scores.get(stage, -inf) for hit in found) for stage in scores}
    places = {stage: told for hit in found for stage, told in hit.ranks.items()}
    first = {stage: min(hit.ranks.get(stage, told) for hit in found) for stage, told in places.items()}
    return replace(found[0], score=joint, scores={**best, "expand": joint}, ranks=first)


def _shared(scores: Sequence[float]) -> float:
    own, *others = scores
    return OWN_WEIGHT * own + (1 - OWN_WEIGHT) * fmean(others)
