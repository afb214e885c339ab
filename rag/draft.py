"""One model's answer from passages: weigh whether they hold it, let it write, check what it wrote."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from rag.asked import Asked
from rag.asking import Asking
from rag.context import shown
from rag.events import Delta, Progress, Stage
from rag.fence import on_a_line
from rag.language import wanted
from rag.llm import LLM, Restart
from rag.llm.protocol import Sampling
from rag.observe.facts import failure_noted, of_call, of_request
from rag.opinion import Judge, Opinions
from rag.prompts import Prompt
from rag.prompts.choice import AnswerPrompts
from rag.reply import Reply
from rag.settings import Settings
from rag.types import Abstention, Attempt, Generation, Message, Passage, Turn, Verdict
from rag.verify import Checked, Thresholds, verify
from rag.weigh import Weighed, Weigher
from rag.wording import Terms

NO_ANSWER = Checked(text="", citations=(), verdict=Verdict(claims=()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A question with the passages that it is to be answered from; `terms` as for the check."""

    asked: Asked
    passages: tuple[Passage, ...]
    terms: Terms

    @property
    def values(self) -> Mapping[str, str]:
        """What the prompts about passages are filled with."""
        read = "\n\n".join(shown(passage) for passage in self.passages)
        asked = {"question": self.asked.question, "language": wanted(self.asked.question)}
        return {"passages": read, "history": spoken(self.asked.history[-1:]), **asked}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What came of it: the checked text, the model's calls, those of the judge, when the first token came.

    `model` is who answered, as the server called it; empty where nobody had to be asked. The calls of a draft that was
    chosen from several are those of all, and `lost` the attempts of models that came to no call.

    `abstention` tells why there is no answer to show, if there is none. `is_settled` is false where that could not be
    found out to the end.
    """

    checked: Checked
    model: str
    calls: tuple[Generation, ...]
    first_token_ms: float
    abstention: Abstention
    is_settled: bool = True
    lost: tuple[Attempt, ...] = ()
    opinions: tuple[Generation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What came of reading: the answer (None when the passages don't hold one) and the model's calls."""

    text: str | None
    calls: tuple[Generation, ...]
    first_token_ms: float


class Drafter:
    """Has models answer as the settings say. Safe to share between threads."""

    def __init__(self, settings: Settings, judge: LLM | None = None) -> None:
        """Read the prompts. Raises ConfigError for one that is missing or unusable, and without a wanted judge."""
        self._generate_options, self._verify_options = settings.generate, settings.verify
        self._answer_prompts = AnswerPrompts(settings)
        self._weigher = Weigher(settings.generate, own=settings.prompts_path)
        self._judge = Judge(settings, judge) if settings.verify.second_opinion else None

    def pin_prompts(self) -> None:
        """Answer with the prompts of now from now on."""
        self._answer_prompts.pin()

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts in use: answer, those that weigh whether there is one, and the second opinion's."""
        judging = (self._judge.prompt,) if self._judge else ()
        return *self._answer_prompts.prompts, *self._weigher.prompts, *judging

    @property
    def is_trial(self) -> bool:
        """Whether a prompt on trial answers some of the questions."""
        return self._answer_prompts.is_trial

    @property
    def prefix(self) -> list[Message]:
        """The messages that every answer begins with."""
        return [message for message in self._answer_prompts.prompts[0].messages if message.role == "system"]

    def draft(self, task: Task, llm: LLM) -> Generator[Progress, None, Draft]:
        """Let one model answer: pieces while it writes, then its checked draft. Raises ModelError."""
        yield Stage(name="generate")
        asking = Asking(recorder=task.asked.recorder, llm=llm, values=task.values)
        read = yield from self._read(asking, task.asked.session)
        yield Stage(name="verify")
        opinions = Opinions(self._judge, task.asked.question, task.asked.purse) if self._judge else None
        checked = self._check(task, read.text, opinions) if read.text is not None else NO_ANSWER
        withheld = self._withheld(checked)
        weighed = Weighed() if withheld else self._weigher.after(asking, task.passages, checked.rests_on)
        return Draft(
            checked=checked,
            model=read.calls[-1].resolved_model if read.calls else "",
            calls=(*read.calls, *weighed.calls),
            first_token_ms=read.first_token_ms,
            abstention=withheld if weighed.is_enough else "beside",
            is_settled=weighed.is_settled,
            lost=weighed.lost,
            opinions=tuple(opinions.calls) if opinions else (),
        )

    def draft_beside(self, task: Task, llm: LLM) -> Generator[Progress, None, Draft]:
        """The same for one of several models: the steps of each are parts of a step of its own."""
        recorder = task.asked.recorder
        with recorder.step("draft", "chain") as step:
            step.note({"model": llm.name})
            asked = replace(task.asked, recorder=recorder.below(step))
            return (yield from self.draft(replace(task, asked=asked), llm))

    def _read(self, asking: Asking, session: str) -> Generator[Progress, None, _Reading]:
        """Weigh whether the passages hold the answer, where that is wanted; unless they don't, let the model write."""
        recorder = asking.recorder
        if not asking.values["passages"]:
            return _Reading(text=None, calls=(), first_token_ms=recorder.elapsed_ms())
        weighed = self._weigher.before(asking)
        if not weighed.is_enough:
            return _Reading(text=None, calls=weighed.calls, first_token_ms=recorder.elapsed_ms())
        reply = yield from self._generate(asking, self._answer_prompts.of(session))
        return _Reading(
            text=None if reply.declined else reply.call.text,
            calls=(*weighed.calls, reply.call),
            first_token_ms=reply.first_token_ms or recorder.elapsed_ms(),
        )

    def _generate(self, asking: Asking, prompt: Prompt) -> Generator[Progress, None, Reply]:
        """Let the answer model write."""
        options, recorder = self._generate_options, asking.recorder
        sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens)
        messages = prompt.render(asking.values)
        with recorder.step("generate", "generation") as step:
            step.note(of_request(asking.llm, messages, prompt, sampling))
            reply = Reply()
            try:
                with failure_noted(step):
                    for piece in asking.llm.stream(messages, sampling):
                        if isinstance(piece, Restart):
                            reply = Reply()
                            yield piece
                        elif shown := reply.take(piece, at_ms=recorder.elapsed_ms()):
                            yield Delta(text=shown)
            finally:
                # Of a call that broke off, or that nobody waited for: the text so far.
                step.note({"output": reply.text})
            step.note(of_call(reply.call))
            step.note({"declined": reply.declined})
        return reply

    def _check(self, task: Task, text: str, opinions: Opinions | None) -> Checked:
        options = self._verify_options
        with task.asked.recorder.step("verify", "evaluator") as step:
            checked = verify(
                text,
                task.passages,
                question=task.asked.question,
                terms=task.terms,
                thresholds=Thresholds(
                    supported_at=options.supported_at,
                    partly_at=options.partly_at,
                    supporter=opinions.supporter if opinions else None,
                ),
            )
            share = checked.verdict.supported_share or 0.0
            step.note({"claims": [asdict(claim) for claim in checked.verdict.claims], "supported_share": share})
            step.note({"opinions": opinions.facts} if opinions else {})
        return checked

    def _withheld(self, checked: Checked) -> Abstention:
        """Whether the check leaves an answer to show."""
        claims = checked.verdict.claims
        hopeless = all(claim.support in ("unsupported", "contradicted") for claim in claims)
        if checked.text and not (hopeless and self._verify_options.abstain_unsupported):
            return ""
        return "unconfirmed" if claims else "missing"


def spoken(history: Sequence[Turn]) -> str:
    """Earlier turns as a prompt tells them."""
    return "".join(
        f"Earlier question: {on_a_line(turn.question)}\nEarlier answer: {on_a_line(turn.answer)}\n" for turn in history
    )
