"""A dataset file and its dataset in Langfuse, kept in step: nothing is lost on the way, nobody's change overwritten."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from dataset_server import PUBLIC_KEY, SECRET_KEY, FakeDatasets, running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from evals.cli import app
from evals.dataset import load_dataset, read_case
from evals.in_step import compare, rewritten, settled
from evals.items import MAX_ID_CHARS, case_of, item_id, item_of
from rag.case import Case, Passage, Then, case_line
from rag.case_history import changes, version_of
from rag.casebook import locked
from rag.errors import ConfigError, DeliveryError, InputError
from rag.observe.spool import open_spool
from rag.settings import load_settings
from rag.types import Trace, Turn

FULL = Case(
    id="q 1/ä",
    question="How much leave?",
    history=(Turn(question="Hello?", answer="Yes."),),
    facts=(("28", "twenty-eight"), ("days",)),
    expected="28 days.",
    sources=("hr/leave.md",),
    evidence=("28 working days",),
    tags=("plain", "hr"),
    split="dev",
    conversation="c-1",
    weight=2.5,
    origin="feedback",
    confirmed=False,
    then=Then(
        trace_id="a" * 32,
        asked_at=1.5,
        answer="30 days.",
        passages=(Passage(uri="hr/leave.md", text="28 days"),),
        reasons=("wrong",),
        index_version="v1",
        prompts=("answer@2",),
        models=("m",),
    ),
)
LEAVE, MOON = (
    Case(id="leave", question="How much leave?", facts=(("28",),)),
    Case(id="moon", question="How far is the moon?", answerable=False),
)
Invoke = Callable[..., Result]


@pytest.fixture
def fake() -> Iterator[FakeDatasets]:
    with running() as server:
        yield server


@pytest.fixture
def invoke(fake: FakeDatasets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `plumb eval` in a project whose Langfuse is the stand-in."""
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET_KEY)
    (tmp_path / "plumbline.toml").write_text(f'[langfuse]\nhost = "{fake.url}"\ntimeout_s = 1\n')

    def run(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--json"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    return run


def write(*cases: Case) -> Path:
    path = Path("questions.jsonl")
    path.write_text("".join(f"{case_line(case)}\n" for case in cases))
    return path


def read() -> dict[str, Case]:
    return {case.id: case for case in load_dataset(Path("questions.jsonl")).cases}


def item(fake: FakeDatasets, case: str) -> dict[str, Any]:
    return fake.items[f"questions:{case}"]


def test_a_case_is_an_item_and_a_line_and_the_same_again() -> None:
    there = item_of(FULL, item_id("questions", FULL.id))
    assert there.input["question"] == "How much leave?"
    assert there.expected["expected"] == "28 days."
    assert case_of(there, "questions") == FULL
    assert read_case(case_line(FULL), where="it") == FULL
    assert set(json.loads(case_line(MOON))) == {"id", "question", "answerable"}
    assert len(item_id("questions", "x" * 300)) <= MAX_ID_CHARS


def test_both_sides_follow_each_other(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE, FULL, MOON)
    assert invoke("push", "questions.jsonl")["written"] == ["leave", FULL.id, "moon"]
    assert fake.datasets == ["questions"]
    writes = fake.writes
    assert invoke("push", "questions.jsonl")["written"] == []
    assert fake.writes == writes
    # A change there, one that somebody archived, one that somebody made: nothing is sent, all three come here.
    item(fake, "leave")["expectedOutput"] = {"facts": [["29"]]}
    item(fake, "moon")["status"] = "ARCHIVED"
    fake.add("questions", "cl-1", input="And the sun?", expectedOutput="150 million km")
    assert invoke("push", "questions.jsonl")["waiting"] == ["leave", "moon", "cl-1"]
    told = invoke("pull", "questions")
    assert (told["written"], told["dropped"]) == (["leave", "cl-1"], ["moon"])
    assert read() == {
        "leave": replace(LEAVE, facts=(("29",),)),
        FULL.id: FULL,
        "cl-1": Case(id="cl-1", question="And the sun?", expected="150 million km", origin="imported"),
    }
    assert invoke("pull", "questions")["written"] == []
    # What came from there goes back into the same item.
    write(*[replace(case, tags=("sky",)) if case.id == "cl-1" else case for case in read().values()][1:])
    told = invoke("push", "questions.jsonl")
    assert (told["written"], told["dropped"]) == (["cl-1"], ["leave"])
    assert fake.items["cl-1"]["metadata"]["tags"] == ["sky"]
    assert item(fake, "leave")["status"] == "ARCHIVED"
    assert invoke("pull", "questions")["written"] == []


@pytest.mark.parametrize(
    ("command", "flag"), [(("push", "questions.jsonl"), "--ours"), (("pull", "questions"), "--theirs")]
)
def test_what_changed_on_both_sides_is_named_and_left_alone(
    invoke: Invoke, fake: FakeDatasets, command: tuple[str, str], flag: str
) -> None:
    write(LEAVE, MOON)
    invoke("push", "questions.jsonl")
    write(replace(LEAVE, facts=(("30",),)), MOON)
    item(fake, "leave")["input"] = {"question": "Leave?"}
    before = json.dumps(item(fake, "leave")), Path("questions.jsonl").read_text()
    assert invoke(*command, code=1)["clashing"] == ["leave"]
    assert (json.dumps(item(fake, "leave")), Path("questions.jsonl").read_text()) == before
    assert invoke(*command, flag)["written"] == ["leave"]
    kept = "How much leave?" if flag == "--ours" else "Leave?"
    assert item(fake, "leave")["input"]["question"] == read()["leave"].question == kept
    assert invoke(*command)["clashing"] == []


def test_an_edit_made_while_a_pull_waits_is_not_lost(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE, MOON)
    invoke("push", "questions.jsonl")
    item(fake, "leave")["input"] = {"question": "Leave?"}
    fake.requests.clear()
    is_held = Event()

    def edit() -> None:
        with locked(Path("questions.jsonl")):
            is_held.set()
            while "GET /api/public/dataset-items" not in fake.requests:
                time.sleep(0.01)
            time.sleep(0.3)
            write(replace(LEAVE, facts=(("30",),)), MOON)

    with ThreadPoolExecutor(1) as other:
        edited = other.submit(edit)
        assert is_held.wait(5)
        told = invoke("pull", "questions", code=1)
        edited.result()
    assert (told["written"], told["clashing"], read()["leave"].facts) == ([], ["leave"], (("30",),))


def test_a_pull_is_noted_in_the_history_of_the_file(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE, MOON)
    invoke("push", "questions.jsonl")
    invoke("pull", "questions")
    file = Path("questions.jsonl")
    assert changes(file) == []
    before = version_of(file)
    item(fake, "leave")["input"] = {"question": "Leave?"}
    item(fake, "moon")["status"] = "ARCHIVED"
    invoke("pull", "questions")
    (noted,) = changes(file)
    assert (noted.did, noted.ids) == ("pull", ("leave", "moon"))
    assert (noted.before, noted.after) == (before, version_of(file))


def test_another_file_of_that_name_overwrites_and_archives_nothing(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE, MOON)
    invoke("push", "questions.jsonl")
    other = Path("other") / "questions.jsonl"
    other.parent.mkdir()
    other.write_text(f"{case_line(replace(LEAVE, facts=(('1',),)))}\n")
    told = invoke("push", str(other), code=1)
    assert (told["written"], told["dropped"], told["clashing"]) == ([], [], ["leave"])
    assert item(fake, "moon")["status"] == "ACTIVE"


def test_a_file_that_is_not_there_is_made(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE, MOON)
    invoke("push", "questions.jsonl")
    Path("questions.jsonl").unlink()
    assert invoke("pull", "questions")["written"] == ["leave", "moon"]
    assert read() == {"leave": LEAVE, "moon": MOON}
    with pytest.raises(InputError, match=r"has no dataset 'others'; expected one of its datasets"):
        invoke("pull", "others")
    with pytest.raises(InputError, match=r"no file can be called '../others'"):
        invoke("pull", "../others")


def test_items_that_are_no_cases_are_told_and_left_alone(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE)
    invoke("push", "questions.jsonl")
    fake.add("questions", "cl-1", input={"messages": []}, expectedOutput="x")
    fake.add("questions", "cl-2", input="No answer?")
    fake.add("questions", "cl-3", input={"question": "Why?"}, expectedOutput="So.", metadata={"note": "hm"})
    item(fake, "leave")["metadata"] = {"case": "leave", "weight": "heavy"}
    write(replace(LEAVE, facts=(("30",),)))
    assert invoke("push", "questions.jsonl")["written"] == []
    told = invoke("pull", "questions")
    assert told["written"] == ["cl-3"]
    assert len(told["unusable"]) == 3
    assert "the item 'leave' in Langfuse: 'weight' is 'heavy'" in " ".join(told["unusable"])
    assert read()["leave"].facts == (("30",),)


def test_a_copy_made_there_is_a_case_of_its_own(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE)
    invoke("push", "questions.jsonl")
    parts = {name: item(fake, "leave")[name] for name in ("input", "expectedOutput", "metadata")}
    fake.add("questions", "cl-1", **parts)
    assert invoke("pull", "questions")["written"] == ["cl-1"]
    assert read() == {"leave": LEAVE, "cl-1": replace(LEAVE, id="cl-1")}


def test_many_items_come_in_pages(invoke: Invoke, fake: FakeDatasets) -> None:
    write(*[replace(LEAVE, id=f"q{number}") for number in range(60)])
    invoke("push", "questions.jsonl")
    assert len(fake.items) == 60
    assert invoke("push", "questions.jsonl")["written"] == []
    assert fake.requests[-4:] == ["GET /api/public/v2/datasets/questions", *["GET /api/public/dataset-items"] * 3]


def test_a_case_of_what_not_everyone_may_read_stays_here(invoke: Invoke, fake: FakeDatasets) -> None:
    facts = {"history_readers": [["user:ada"]]}
    open_spool(load_settings()).add_trace(
        Trace(
            id="a" * 32,
            name="ask",
            started_at=1,
            ended_at=2,
            status="ok",
            input="?",
            output="!",
            attributes=facts,
            steps=(),
        )
    )
    write(FULL, LEAVE)
    told = invoke("push", "questions.jsonl")
    assert (told["written"], told["withheld"]) == (["leave"], [FULL.id])
    with Path("plumbline.toml").open("a") as file:
        file.write('restricted = "full"\n')
    assert invoke("push", "questions.jsonl")["written"] == [FULL.id]


def test_a_server_that_fails_midway_is_gone_on_with(invoke: Invoke, fake: FakeDatasets) -> None:
    write(LEAVE, MOON)
    fake.status, fake.refuse_after = 503, 4
    with pytest.raises(DeliveryError, match="answered 503: not today") as refused:
        invoke("push", "questions.jsonl")
    assert SECRET_KEY not in str(refused.value)
    assert list(fake.items) == ["questions:leave"]
    fake.status = 200
    assert invoke("push", "questions.jsonl")["written"] == ["moon"]


def test_without_keys_it_says_so(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGFUSE_SECRET_KEY")
    write(LEAVE)
    with pytest.raises(ConfigError, match="no Langfuse keys are set"):
        invoke("push", "questions.jsonl")


def test_lines_that_do_not_change_stay_as_they_are() -> None:
    text = '{"question": "a?",  "id": "a", "expected": "x"}\n\n{"id": "b", "question": "b?", "expected": "y"}'
    taken = {"b": Case(id="b", question="B?", expected="y"), "c": Case(id="c", question="c?", expected="z")}
    first, blank, *rest = rewritten(text, taken, []).splitlines()
    assert (first, blank) == (text.splitlines()[0], "")
    assert [read_case(line, where="it") for line in rest] == list(taken.values())
    assert rewritten(text, {}, ["a", "b"]) == ""


SIDE = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SIDE, SIDE, SIDE)
def test_no_change_is_ever_overwritten(here: dict[str, str], there: dict[str, str], base: dict[str, str]) -> None:
    changes = compare(here, there, base=base)
    for one in {*here, *there}:
        is_same, is_ours = here.get(one) == there.get(one), here.get(one) != base.get(one)
        is_theirs = there.get(one) != base.get(one)
        assert (one in changes.here) == (not is_same and is_ours and not is_theirs)
        assert (one in changes.there) == (not is_same and is_theirs and not is_ours)
        assert (one in changes.clashing) == (not is_same and is_ours and is_theirs)
    # Once a side has taken what is new to it, nothing but the clashes is left.
    after = {one: digest for one, digest in there.items() if one not in changes.here}
    after |= {one: here[one] for one in changes.here if one in here}
    again = compare(here, after, base=settled(base, here, after))
    assert again.here == ()
    assert set(again.there) == set(changes.there)
