"""What people said of answers, as training data: in the right format, only what may go, cut in two without leaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from evals.export_cli import export
from evals.sides import question_key, sides
from rag.case import case_line
from rag.engine import Engine
from rag.errors import ConfigError, InputError
from rag.observe.spool import Spool, open_spool
from rag.retell import case_of
from rag.settings import Settings, load_settings
from rag.types import Feedback, Step, Trace

LEAVE, CAR = "How much leave is there?", "What is paid per kilometre?"
Export = Callable[..., Any]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """The traces of a project without documents."""
    (tmp_path / "plumbline.toml").write_text("")
    return open_spool(load_settings(tmp_path / "plumbline.toml"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """Export as JSON to lines.jsonl; the counts."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(export)

    def invoke(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--out", "lines.jsonl", "--json"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return invoke


def lines(name: str = "lines.jsonl") -> list[Any]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def asked(spool: Spool, number: int, question: str, text: str, query: str = "", **changes: Any) -> str:
    """An answer as the engine records it, with what matters here; its id."""
    messages = [{"role": "system", "content": "Answer."}, {"role": "user", "content": f"[1] So it is.\n{question}"}]
    call = {"messages": messages, "output": text, "resolved_model": "m-1", "prompt_id": "answer", "prompt_version": "2"}
    found = {"query": query or question, "hits": [{"uri": "a.md", "readers": ["everyone"]}]}
    times = {"parent_id": None, "started_at": number, "ended_at": number + 1}
    steps = (
        Step(id=f"{number:015x}1", name="retrieve", kind="retriever", attributes=found, **times),
        Step(id=f"{number:015x}2", name="generate", kind="generation", attributes=call, **times),
    )
    facts = {"index": "plumbline", "models": {"answer": "m-1"}, **changes.pop("attributes", {})}
    fields: dict[str, Any] = {"name": "ask", "status": "ok", "input": question, "output": text, "steps": steps}
    trace = Trace(
        **{
            **fields,
            "id": f"{number:032x}",
            "started_at": number,
            "ended_at": number + 1,
            "attributes": facts,
            **changes,
        }
    )
    spool.add_trace(trace)
    return trace.id


def rate(spool: Spool, trace_id: str, user: str = "", **said: Any) -> None:
    spool.add_feedback(Feedback(trace_id=trace_id, user=user, **said))


def test_chats_are_what_was_sent_and_what_was_accepted(settings: Settings, engine: Engine, run: Export) -> None:
    leave, car = engine.ask(LEAVE), engine.ask(CAR)
    rate(engine.spool, leave.trace_id, "ada", up=True)
    rate(engine.spool, car.trace_id, "bob", up=False, correction="EUR 0.38 per kilometre.")
    told = run("chat")
    assert told["taken"] == {"rated up": 1, "corrected": 1}
    assert told["left_out"] == {}
    first, second = lines()
    steps = engine.spool.trace(leave.trace_id).steps
    (sent,) = [step.attributes["messages"] for step in steps if step.name == "generate"]
    assert first == {"messages": [*sent, {"role": "assistant", "content": leave.text}]}
    assert second["messages"][-1] == {"role": "assistant", "content": "EUR 0.38 per kilometre."}
    origin, corrected = lines("lines.provenance.jsonl")
    assert (origin["line"], origin["why"], corrected["why"]) == (1, "rated up", "corrected")
    (one,) = origin["answers"]
    assert one["trace_id"] == leave.trace_id
    assert one["prompt"].startswith("answer@")
    assert one["index"]
    assert one["model"]
    assert "ada" not in json.dumps(origin)
    assert len(one["rated_by"][0]) == 16


def test_persons_are_the_same_within_an_export_and_can_not_be_guessed(spool: Spool, run: Export) -> None:
    for number, question in enumerate((LEAVE, CAR)):
        rate(spool, asked(spool, number, question, "So it is."), "ada", up=True)
    exports = []
    for _ in range(2):
        run("chat")
        one, other = [line["answers"][0]["rated_by"] for line in lines("lines.provenance.jsonl")]
        assert one == other
        exports += one
    assert len({*exports, hashlib.sha256(b"ada").hexdigest()[:16]}) == 3


@pytest.mark.parametrize("kind", ["chat", "pairs"])
def test_corrections_without_citations_are_told_and_can_stay_out(spool: Spool, run: Export, kind: str) -> None:
    rate(spool, asked(spool, 1, CAR, "A bicycle [1]."), up=False, correction="EUR 0.38 per kilometre.")
    rate(spool, asked(spool, 2, LEAVE, "30 days [1]."), up=False, correction="28 days [1].")
    rate(spool, asked(spool, 3, "Who pays?", "The company."), up=True)
    told = run(kind)
    assert (told["lines"], told["uncited"]) == ({"chat": 3, "pairs": 2}[kind], 1)
    kept = run(kind, "--cited")
    assert (kept["lines"], kept["uncited"]) == (told["lines"] - 1, 0)
    assert kept["left_out"]["without citations"] == 1
    assert "EUR 0.38" not in Path("lines.jsonl").read_text()
    app = typer.Typer()
    app.command()(export)
    assert (
        "1 correction without citations, as people write them: " in CliRunner().invoke(app, [kind, "--out", "a"]).stdout
    )


def test_what_is_no_accepted_answer_is_left_out_and_told(spool: Spool, run: Export) -> None:
    rate(spool, asked(spool, 1, LEAVE, "28 days [1]."), up=True)
    rate(spool, asked(spool, 2, LEAVE, "28 days [1]."), up=True)
    rate(spool, asked(spool, 3, LEAVE, "28 days [1].", attributes={"history_readers": [["ada"]]}), up=True)
    rate(spool, asked(spool, 4, LEAVE, "28 days [1].", input=None), up=True)
    rate(spool, asked(spool, 5, LEAVE, "There is none.", attributes={"abstained": True}), up=True)
    rate(spool, asked(spool, 6, LEAVE, "No.", steps=()), up=True)
    rate(spool, asked(spool, 7, LEAVE, "Stopped", status="abandoned"), up=True)
    rate(spool, asked(spool, 8, LEAVE, "Ask HR."), up=False)
    disputed = asked(spool, 9, CAR, "EUR 0.38.")
    rate(spool, disputed, "ada", up=True)
    rate(spool, disputed, "bob", up=False)
    # Nobody says anything of this one, nor of what an eval asks.
    rate(spool, asked(spool, 10, CAR, "EUR 0.38."), comment="hm")
    rate(spool, asked(spool, 11, CAR, "EUR 0.38.", attributes={"session_id": "eval:x"}), up=True)
    told = run("chat")
    assert told["taken"] == {"rated up": 1}
    assert told["left_out"] == {
        "declined": 1,
        "failed or stopped": 1,
        "no model wrote it": 1,
        "no texts": 1,
        "rated down": 1,
        "rated up and down": 1,
        "restricted": 1,
        "said already": 1,
    }
    assert run("chat", "--restricted")["left_out"]["said already"] == 2


def test_confirmed_takes_what_was_decided_on_in_triage(spool: Spool, run: Export) -> None:
    rate(spool, asked(spool, 1, LEAVE, "28 days."), up=True)
    mended = asked(spool, 2, CAR, "A bicycle.")
    rate(spool, mended, up=False, correction="EUR 0.38")
    spool.decide([mended], "fixed")
    told = run("chat", "--confirmed")
    assert (told["taken"], told["left_out"]) == ({"corrected": 1}, {"not confirmed": 1})


def test_what_was_confirmed_outranks_what_somebody_said_later(spool: Spool, run: Export, tmp_path: Path) -> None:
    car = asked(spool, 1, CAR, "A bicycle [1].")
    rate(spool, car, "ada", up=False, correction="EUR 0.38 [1].")
    rate(spool, car, "bob", up=False, correction="EUR 0.30 [1].")
    run("pairs")
    assert lines()[0]["preferred_output"][0]["content"] == "EUR 0.30 [1]."
    case = replace(case_of(spool.trace(car), spool.feedback(car)), expected="EUR 0.38 [1].")
    for confirmed, right in ((False, "EUR 0.30 [1]."), (True, "EUR 0.38 [1].")):
        (tmp_path / "cases.jsonl").write_text(case_line(replace(case, confirmed=confirmed)) + "\n")
        run("pairs")
        assert lines()[0]["preferred_output"][0]["content"] == right


def test_texts_are_masked_unless_they_are_not_to_be(spool: Spool, run: Export) -> None:
    car = asked(spool, 1, f"{CAR} I am ada@example.org", "No.")
    rate(spool, car, up=False, correction="Ask bob@example.org.")
    run("chat")
    assert "example.org" not in Path("lines.jsonl").read_text()
    assert lines()[0]["messages"][-1]["content"] == "Ask [mail]."
    run("chat", "--no-mask")
    assert Path("lines.jsonl").read_text().count("example.org") == 2


def test_an_answer_given_again_counts_with_the_first(spool: Spool, run: Export) -> None:
    leave = asked(spool, 1, LEAVE, "28 days [1].")
    again = asked(spool, 2, LEAVE, "28 days [1].", steps=(), attributes={"given_before": leave})
    rate(spool, again, up=True)
    assert run("chat")["taken"] == {"rated up": 1}
    assert lines("lines.provenance.jsonl")[0]["answers"][0]["trace_id"] == leave
    rate(spool, leave, up=False)
    assert run("chat")["left_out"] == {"rated up and down": 1}


def test_the_call_of_the_model_that_was_chosen_is_taken(spool: Spool, run: Export) -> None:
    trace = spool.trace(asked(spool, 1, LEAVE, "28 days [1]."))
    lost = replace(trace.steps[1], id="f" * 16, attributes={**trace.steps[1].attributes, "resolved_model": "m-2"})
    other = {**lost.attributes, "messages": [{"role": "user", "content": "another prompt"}]}
    spool.add_trace(replace(trace, steps=(*trace.steps, replace(lost, attributes=other))))
    rate(spool, trace.id, up=True)
    run("chat")
    assert lines()[0]["messages"][0]["content"] == "Answer."


def test_pairs_are_a_better_and_a_worse_answer_to_one_prompt(spool: Spool, run: Export) -> None:
    rate(spool, asked(spool, 1, CAR, "A bicycle."), up=False, correction="EUR 0.38")
    leave, worse = asked(spool, 2, LEAVE, "28 days [1]."), asked(spool, 3, f" {LEAVE.upper()}", "Ask HR.")
    rate(spool, leave, up=True)
    rate(spool, worse, up=False)
    # The same words in another conversation ask for something else.
    rate(spool, asked(spool, 4, LEAVE, "It depends.", query="How much parental leave is there?"), up=False)
    told = run("pairs")
    assert told["taken"] == {"rated down and corrected": 1, "one up, one down": 1}
    assert told["left_out"] == {"without a counterpart": 1}
    corrected, other = lines()
    assert set(corrected) == {"input", "preferred_output", "non_preferred_output"}
    assert [one["role"] for one in corrected["input"]["messages"]] == ["system", "user"]
    assert corrected["preferred_output"] == [{"role": "assistant", "content": "EUR 0.38"}]
    assert corrected["non_preferred_output"] == [{"role": "assistant", "content": "A bicycle."}]
    assert other["preferred_output"] == [{"role": "assistant", "content": "28 days [1]."}]
    assert other["non_preferred_output"] == [{"role": "assistant", "content": "Ask HR."}]
    assert LEAVE in other["input"]["messages"][-1]["content"]
    assert [one["trace_id"] for one in lines("lines.provenance.jsonl")[1]["answers"]] == [leave, worse]


def test_one_correction_does_not_replace_what_was_only_liked(spool: Spool, run: Export) -> None:
    liked = asked(spool, 1, LEAVE, "28 days [1].")
    rate(spool, liked, "ada", up=True)
    rate(spool, liked, "bob", correction="A year.")
    run("chat")
    assert lines()[0]["messages"][-1]["content"] == "28 days [1]."
    rate(spool, liked, "cy", up=False)
    run("chat")
    assert lines()[0]["messages"][-1]["content"] == "A year."


def test_what_nobody_saw_is_not_what_was_disliked(spool: Spool, run: Export) -> None:
    shown = "The documents do not say."

    def declined(number: int, question: str, wrote: str) -> str:
        return asked(spool, number, question, wrote, output=shown, attributes={"abstained": True})

    rate(spool, declined(1, CAR, "A bicycle [1]."), up=False, correction="EUR 0.38")
    rate(spool, declined(2, LEAVE, "NOT IN THE DOCUMENTS"), up=False, correction="28 days")
    assert run("pairs")["left_out"] == {"without a counterpart": 1}
    (refused,) = lines()
    assert refused["preferred_output"][0]["content"] == "28 days"
    assert refused["non_preferred_output"][0]["content"] == "NOT IN THE DOCUMENTS"


def test_conversations_and_questions_stay_on_one_side() -> None:
    marks = [[f"session {number // 3}", f"question {number}"] for number in range(600)]
    marks += [["session 7", "question x"], ["session 70", "question x"]]
    held = sides(marks, share=0.7)
    assert 0.2 < sum(held) / len(held) < 0.4
    assert all(len(set(held[start : start + 3])) == 1 for start in range(0, 600, 3))
    assert held[21] == held[210] == held[600]
    mixed = list(reversed(range(len(marks))))
    assert sides([marks[place] for place in mixed], share=0.7) == [held[place] for place in mixed]
    assert question_key("  How MUCH leave? ") == question_key("how much  leave")
    assert not any(sides(marks, share=1.0))


def test_what_is_held_out_has_files_of_its_own(spool: Spool, run: Export) -> None:
    rate(spool, asked(spool, 1, LEAVE, "28 days."), up=True)
    told = run("chat", "--split", "0")
    assert (told["lines"], told["held_out"]) == (0, 1)
    names = ["lines.jsonl", "lines.provenance.jsonl", "lines-test.jsonl", "lines-test.provenance.jsonl"]
    assert told["files"] == names
    assert [len(lines(name)) for name in names] == [0, 0, 1, 1]


def test_another_kind_is_refused(spool: Spool, run: Export) -> None:
    with pytest.raises(ConfigError, match=r"the kind is 'csv'; expected one of chat, pairs"):
        run("csv")


def test_only_training_data_is_replaced(spool: Spool, run: Export) -> None:
    rate(spool, asked(spool, 1, LEAVE, "28 days [1]."), up=True)
    Path("lines.jsonl").write_text('{"id": "a", "question": "Mine?"}\n')
    with pytest.raises(InputError, match="holds something else than training data"):
        run("chat")
    assert "Mine?" in Path("lines.jsonl").read_text()
    Path("lines.jsonl").unlink()
    for _ in range(2):
        run("chat")
    assert len(lines()) == 1
