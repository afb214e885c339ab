"""Whether the words that an answer cites hold the answer alone: asked after the check, and what comes of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from rag.asking import Asking
from rag.drawing import draw_answer
from rag.embed.lexical import Lexical
from rag.engine import Engine
from rag.errors import ModelError, PlumbError, StoreError
from rag.llm import Restart
from rag.llm.protocol import Piece, Sampling
from rag.observe.record import Recorder
from rag.sections import Generate
from rag.settings import load_settings
from rag.types import Answer, Attempt, Chunk, Generation, Hit, Message, Passage, Step, Usage
from rag.verify import Thresholds, verify
from rag.weigh import Weighed, Weigher

ASKED = "How many working days of annual leave do full-time employees have?"
RIGHT = {"match": "", "reply": "Full-time employees have 30 working days of annual leave."}
YES = {"match": "Yes or No", "reply": "Yes"}
ALONE = "these passages alone"


def passage(text: str) -> Passage:
    chunk = Chunk(id="1", uri="a.md", title="Leave", headings=(), page=None, position=0, text=text, revision="0")
    return Passage(marker=1, text=text, hit=Hit(chunk=chunk, score=1.0, scores={}))


class Odds:
    """A model that says how likely yes is, or fails."""

    name = "odds"

    def __init__(self, yes: float = 0.0, error: PlumbError | None = None) -> None:
        self._yes, self._error = yes, error

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        if self._error:
            raise self._error
        yield Generation(
            text="Yes",
            requested_model=self.name,
            resolved_model=self.name,
            fingerprint=None,
            finish_reason="stop",
            usage=Usage(),
            first_token_ms=1.0,
            total_ms=1.0,
            chances={"Yes": self._yes, "No": 1 - self._yes},
        )


def looked(llm: Odds) -> Weighed:
    values = {"passages": "", "history": "", "question": "How many?", "language": ""}
    asking = Asking(recorder=Recorder("ask", question="How many?"), llm=llm, values=values)
    return Weigher(Generate(alone_at=0.6), own=None).after(asking, [passage("30 days.")], {1: "30 days."})


def asked(folder: Path, alone: dict[str, Any], **options: Any) -> tuple[Answer, list[Step]]:
    """The answer where the model says so to the second look, and the steps of its trace."""
    (folder / "script.json").write_text(json.dumps([{"match": ALONE, **alone}, YES, RIGHT]))
    settings = load_settings(folder / "plumbline.toml")
    generate = settings.generate.model_copy(update=options)
    roles = settings.roles.model_copy(update={"answer": ("scripted:script.json",)})
    engine = Engine.from_settings(settings.model_copy(update={"roles": roles, "generate": generate}))
    answer = engine.ask(ASKED)
    return answer, list(engine.spool.trace(answer.trace_id).steps)


def test_cited_words_that_do_not_answer_the_question_are_no_answer(filled: Path) -> None:
    answer, steps = asked(filled, {"reply": "No"})
    assert answer.abstained
    assert answer.citations == ()
    assert answer.verdict.supported
    assert answer.abstention == "beside"
    assert answer.text.startswith("What the documents say of this does not seem to answer the question. Looked for: ")
    assert [step.name for step in steps[-2:]] == ["alone", "look"]
    assert steps[-1].attributes == {"chance": 0.0, "alone_at": 0.6}
    drawn = Console(file=io.StringIO(), width=200)
    draw_answer(drawn, answer)
    told = cast(io.StringIO, drawn.file).getvalue()
    assert "does not see the question answered" in told
    assert "every claim is supported" not in told


def test_the_model_reads_the_cited_words_and_no_others(filled: Path) -> None:
    answer, steps = asked(filled, {"reply": "Yes"})
    assert not answer.abstained
    (citation,) = answer.citations
    system, user = steps[-2].attributes["messages"]
    quoted = "\n".join(f"> {line}" for line in citation.quote.splitlines())
    passages, _, question = user["content"].partition("\n\n")
    assert passages.partition("\n")[2] == quoted
    assert passages.startswith(f"[{citation.marker}] Annual leave")
    assert question.startswith(f"Question: {ASKED}\n")
    # The same words first as in the other calls: a server that keeps them need not read them again.
    assert system == next(step for step in steps if step.name == "generate").attributes["messages"][0]
    assert answer.usage.completion > 0


@pytest.mark.parametrize("alone", [{"error": "out of memory"}, {"reply": "", "error": "down"}])
def test_an_answer_is_not_lost_where_the_second_look_fails(filled: Path, alone: dict[str, str]) -> None:
    answer, steps = asked(filled, alone)
    assert not answer.abstained
    assert "30 working days" in answer.text
    assert (steps[-1].name, "ModelError" in str(steps[-1].error)) == ("alone", True)


@pytest.mark.parametrize("off", [{"alone_at": 0.0}, {"answerable_at": 0.0}])
def test_it_is_not_asked_where_nobody_wants_it(filled: Path, off: dict[str, float]) -> None:
    answer, steps = asked(filled, {"reply": "No"}, **off)
    assert not answer.abstained
    assert steps[-1].name == "verify"


def test_what_is_withheld_already_is_not_looked_at_again(filled: Path) -> None:
    (filled / "script.json").write_text(json.dumps([YES, {"match": "", "reply": "The founder came from Mars."}]))
    settings = load_settings(filled / "plumbline.toml")
    roles = settings.roles.model_copy(update={"answer": ("scripted:script.json",)})
    engine = Engine.from_settings(settings.model_copy(update={"roles": roles}))
    answer = engine.ask(ASKED)
    assert answer.abstained
    assert engine.spool.trace(answer.trace_id).steps[-1].name == "verify"


@pytest.mark.parametrize(("yes", "is_enough"), [(0.59, False), (0.6, True), (1.0, True)])
def test_the_threshold_decides(yes: float, is_enough: bool) -> None:
    found = looked(Odds(yes))
    assert (found.is_enough, found.is_settled, len(found.calls)) == (is_enough, True, 1)


def test_a_look_that_fails_leaves_the_answer_and_what_it_cost_unknown() -> None:
    attempt = Attempt(model="odds", outcome="broken", reason="", tries=1, first_token_ms=1.0, total_ms=2.0, cost=None)
    found = looked(Odds(error=ModelError("broke off").with_attempts((attempt,))))
    assert (found.is_enough, found.is_settled, found.lost) == (True, False, (attempt,))
    # The file of the budget may be locked, too.
    assert looked(Odds(error=StoreError("locked"))) == Weighed(is_settled=False)


def test_an_answer_that_could_not_be_looked_at_is_not_kept_for_others(filled: Path) -> None:
    config = filled / "plumbline.toml"
    config.write_text(f"{config.read_text()}\n[cache]\nenabled = true\n")
    failed, _ = asked(filled, {"error": "out of memory"})
    kept, _ = asked(filled, {"reply": "Yes"})
    again, _ = asked(filled, {"reply": "Yes"})
    assert (failed.given_before, kept.given_before, again.given_before) == ("", "", kept.trace_id)


def test_a_cascade_goes_on_where_an_answer_is_not_one_to_the_question(filled: Path) -> None:
    for name, word in (("a", "No"), ("b", "Yes")):
        (filled / f"{name}.json").write_text(json.dumps([{"match": ALONE, "reply": word}, YES, RIGHT]))
    settings = load_settings(filled / "plumbline.toml")
    roles = settings.roles.model_copy(update={"answer": ("scripted:a.json", "scripted:b.json")})
    generate = settings.generate.model_copy(update={"strategy": "cascade"})
    engine = Engine.from_settings(settings.model_copy(update={"roles": roles, "generate": generate}))
    events = list(engine.stream(ASKED))
    (restart,) = (event for event in events if isinstance(event, Restart))
    assert restart.reason == "scripted:a.json does not see the question answered by what its answer rests on"
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert (answer.abstained, answer.models["answer"]) == (False, "scripted:b.json")


def test_an_answer_rests_on_whole_sentences_each_once() -> None:
    long = f"The deposit for a bench {'that stands by the water ' * 15}is EUR 90."
    text = f"{long} Nobody pays it in May. Ingrid Falk approves exceptions."

    def rests_on(answer: str) -> Mapping[int, str]:
        limits = Thresholds(supported_at=0.7, partly_at=0.5)
        return verify(
            answer, [passage(text)], question="What?", terms=Lexical("english").terms, thresholds=limits
        ).rests_on

    deposit = "The deposit for a bench is EUR 90."
    assert rests_on(f"{deposit} {deposit} Ingrid Falk approves exceptions.") == {
        1: f"{long}\nIngrid Falk approves exceptions."
    }
    assert rests_on("Nothing of this was ever there.") == {}
