"""One model at work on one task: what its prompts are filled with, and its short calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rag.llm import LLM
from rag.llm.protocol import Sampling, complete
from rag.observe.facts import failure_noted, of_call, of_request
from rag.observe.record import Recorder
from rag.prompts import Prompt
from rag.types import Generation

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What one task has a model do: `values` fill the prompts."""

    recorder: Recorder
    llm: LLM
    values: Mapping[str, str]

    def call(self, prompt: Prompt, sampling: Sampling, others: Mapping[str, str] = NOTHING) -> Generation:
        """One short call, as a step called like its prompt; `others` are values of it alone. Raises ModelError."""
        messages = prompt.render({**self.values, **others})
        with self.recorder.step(prompt.id, "generation") as step:
            step.note(of_request(self.llm, messages, prompt, sampling))
            with failure_noted(step):
                generation = complete(self.llm, messages, sampling)
            step.note(of_call(generation))
        return generation
