"""Datasets: what is accepted, what is refused and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import made

from evals.dataset import load_dataset, select, write_dataset
from evals.records import load_run, save_run
from rag.errors import InputError
from rag.types import Turn

EXAMPLES = Path(__file__).parents[2] / "examples" / "questions.jsonl"
GOOD = '{"id": "a", "question": "Why?", "facts": [["x"]]}'


def test_the_examples_load() -> None:
    dataset = load_dataset(EXAMPLES)
    assert dataset.name == "questions"
    assert len(dataset.sha256) == 64
    assert len(dataset.cases) == 60
    assert sum(case.answerable for case in dataset.cases) == 45
    assert len(select(dataset, split="dev").cases) == 20
    follow_up = next(case for case in dataset.cases if case.id == "q18")
    assert follow_up.history[0] == Turn(
        question="How much annual leave do I have in a full-time job?",
        answer="28 working days a year; one extra day after five completed years of service and three after ten.",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 3: Invalid JSON"),
        ("[]", "line 3: []; expected an object"),
        ('{"id": "b", "facts": [["x"]]}', "line 3 has no 'question'; expected the keys id, question, history"),
        ('{"id": "b", "question": "?", "fact": []}', "line 3 has an unknown key 'fact'; expected the keys id"),
        ('{"id": "b", "question": " ", "facts": [["x"]]}', "line 3: 'question' is ' '"),
        (
            '{"id": "b", "question": "?", "facts": ["x"]}',
            "line 3: 'facts.0' is 'x'; expected a valid array: each fact is a list of its wordings, as in"
            ' "facts": [["20", "twenty"]]; mend that line',
        ),
        (
            '{"id": "b", "question": "?", "facts": [[20]]}',
            "line 3: 'facts.0.0' is 20; expected a valid string: each fact",
        ),
        ('{"id": "b", "question": "?", "facts": [[]]}', "line 3: 'facts.0' is []"),
        (
            '{"id": "b", "question": "?", "facts": [["x"]], "split": "train"}',
            "expected 'dev' or 'test'",
        ),
        ('{"id": "b", "question": "?", "answerable": "no"}', "line 3: 'answerable' is 'no'"),
        ('{"id": "b", "question": "?"}', "line 3; expected facts, sources, evidence or an expected answer"),
        ('{"id": "b", "question": "?", "answerable": false, "sources": ["x"]}', "expected no facts, sources, evidence"),
    ],
)
def test_a_bad_line_is_named_with_what_was_expected(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(f"{GOOD}\n\n{line}\n")
    with pytest.raises(InputError) as caught:
        load_dataset(file)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_datasets(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    with pytest.raises(InputError, match=r"can't read .*No such file"):
        load_dataset(file)
    file.write_text("\n \n")
    with pytest.raises(InputError, match="holds no cases"):
        load_dataset(file)
    file.write_text(f"{GOOD}\n{GOOD}\n")
    with pytest.raises(InputError, match="the id 'a' twice"):
        load_dataset(file)
    file.write_bytes(GOOD.encode() + b"\n\xff\n")
    with pytest.raises(InputError, match="line 2 is not UTF-8"):
        load_dataset(file)


def test_a_mark_windows_ends_and_line_separators_inside_strings_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("Why", "Why\u2028so").encode() + b"\r\n")
    assert load_dataset(file).cases[0].question == "Why\u2028so?"


def test_selecting() -> None:
    dataset = load_dataset(EXAMPLES)
    assert {case.split for case in select(dataset, split="test", tags=["pdf"]).cases} == {"test"}
    assert [case.id for case in select(dataset, limit=2).cases] == ["q01", "q02"]
    assert all({"mail", "slide"} & set(case.tags) for case in select(dataset, tags=["mail", "slide"]).cases)
    with pytest.raises(InputError, match=r"no case fits split any, tags nonsense; .*near-miss"):
        select(dataset, tags=["nonsense"])


def test_a_file_is_written_whole_or_not_at_all_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "q.new").write_text("mine")
    case = load_dataset(EXAMPLES).cases[0]
    for cases, said in (([], "no cases"), ([case, case], "comes twice")):
        with pytest.raises(InputError, match=said):
            write_dataset(tmp_path / "q.jsonl", cases, did="import")
    assert list(tmp_path.iterdir()) == [tmp_path / "q.new"]
    assert write_dataset(tmp_path / "q.jsonl", [case], did="import") == 1
    assert (tmp_path / "q.new").read_text() == "mine"
    assert load_dataset(tmp_path / "q.jsonl").cases == (case,)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("Ko\u0308ln m² (1), b.c", "Köln m² (1), b.c"),
        ("what's\nnew?", "what_s_new_"),
        ("\udcff", "_"),
        ("ü" * 120, "ü" * 75),
    ],
)
def test_the_name_of_any_file_makes_an_id_that_a_run_may_have(tmp_path: Path, stem: str, name: str) -> None:
    file = tmp_path / f"{stem}.jsonl"
    file.write_text(GOOD)
    dataset = load_dataset(file)
    assert dataset.name == name
    save_run(made(f"2026-01-01T000000.000Z-{name}", dataset.cases), tmp_path / "run.json")
    assert load_run(tmp_path / "run.json").id.endswith(name)
