"""Other datasets as cases, and their documents as files that the sources match."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.dataset import load_dataset, write_dataset
from evals.imports.beir import beir
from evals.imports.files import safe_name
from evals.imports.sample import Sample
from evals.imports.squad import squad
from evals.imports.table import table
from evals.metrics import is_source
from ingest.pipeline import ingest
from rag.case import Case
from rag.case_history import changes
from rag.errors import InputError
from rag.search import Searcher
from rag.settings import Settings, load_settings

CORPUS = [
    {"_id": "MED/1", "title": "Whales", "text": "Whales are mammals of the sea."},
    {"_id": "2", "title": "", "text": "The moon circles the earth."},
    {"_id": "3", "title": "", "text": " "},
]
QUERIES = [
    {"_id": "q1", "text": "Which animals are mammals of the sea?"},
    {"_id": "q2", "text": "What circles the earth?"},
    {"_id": "q3", "text": "Which of them is empty?"},
    {"_id": "q4", "text": "Never judged?"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\tMED/1\t2\nq1\t2\t0\nq2\t2\t1\nq2\tgone\t1\nq3\t3\t1\n"
PARAGRAPH = {
    "context": "The moon is far away. It circles the earth once a month.",
    "qas": [
        {
            "id": "a",
            "question": "How often does the moon circle the earth?",
            "answers": [{"text": "once a month", "answer_start": 43}, {"text": "monthly", "answer_start": 43}],
        },
        {"id": "b", "question": "Who painted it?", "answers": [], "is_impossible": True},
    ],
}


def lines(file: Path, rows: list[dict[str, str]]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sea"
    (made / "qrels").mkdir(parents=True)
    lines(made / "corpus.jsonl", CORPUS)
    lines(made / "queries.jsonl", QUERIES)
    (made / "qrels" / "test.tsv").write_text(QRELS)
    return made


def read_beir(folder: Path, documents: Path, sample: Sample = Sample()) -> list[Case]:  # noqa: B008
    return list(beir(folder, documents, judged="test", split="dev", sample=sample))


def settings(root: Path) -> Settings:
    (root / "plumbline.toml").write_text('[roles]\nanswer = "scripted:quote"\nembed = "scripted:words"\n')
    return load_settings(root / "plumbline.toml")


def test_beir_s_sources_are_found_once_its_documents_are_in_the_index(folder: Path, tmp_path: Path) -> None:
    cases = read_beir(folder, tmp_path / "corpus")
    assert [(case.id, case.split, case.origin, case.tags) for case in cases] == [
        ("q1", "dev", "imported", ("sea",)),
        ("q2", "dev", "imported", ("sea",)),
    ]
    assert len(cases[1].sources) == 1
    made = settings(tmp_path)
    list(ingest([tmp_path / "corpus"], settings=made))
    for case in cases:
        best = Searcher.from_settings(made).search(case.question)[0]
        assert is_source(best.chunk.uri, case.sources[0])
    assert sorted(file.name for file in (tmp_path / "corpus").iterdir()) == ["2.md", "MED_1-9cb9111a.md"]


def test_a_sample_is_the_same_for_the_same_seed(folder: Path, tmp_path: Path) -> None:
    numbers = range(1000)
    drawn = list(Sample(limit=10, seed=1).of(numbers))
    assert drawn == sorted(drawn) == list(Sample(limit=10, seed=1).of(numbers))
    assert drawn != list(Sample(limit=10, seed=2).of(numbers))
    assert list(Sample(limit=2000).of(numbers)) == list(numbers)
    # Each has the same chance: the mean of many draws is near the middle.
    means = [sum(Sample(limit=10, seed=seed).of(numbers)) / 10 for seed in range(200)]
    assert 460 < sum(means) / 200 < 540
    # The corpus is whole, however few are asked.
    assert len(read_beir(folder, tmp_path / "corpus", Sample(limit=1, seed=1))) <= 1
    assert len(list((tmp_path / "corpus").iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("corpus.jsonl", '{"_id": "1", "text": "x"}\n{"text": "x"}\n', r"corpus\.jsonl, line 2: _id: Field required"),
        ("queries.jsonl", "\n\nnonsense\n", r"queries\.jsonl, line 3: it: Invalid JSON"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\t2\n", r"test\.tsv, line 2: 'q1.*; expected a query"),
    ],
)
def test_a_bad_line_of_beir_is_named(folder: Path, tmp_path: Path, name: str, text: str, said: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=said):
        read_beir(folder, tmp_path / "corpus")
    (folder / name).unlink()
    with pytest.raises(InputError, match="can't read"):
        read_beir(folder, tmp_path / "corpus")


def test_squad_s_answers_are_facts_and_the_sentence_is_evidence(tmp_path: Path) -> None:
    file = tmp_path / "dev-v2.json"
    file.write_text(json.dumps({"data": [{"title": "The_moon", "paragraphs": [PARAGRAPH]}]}))
    asked, impossible = squad(file, tmp_path / "moon", split="test", sample=Sample())
    assert asked.facts == (("once a month", "monthly"),)
    assert (asked.sources, asked.tags) == (("moon/The_moon/000.md",), ("dev-v2",))
    assert asked.evidence == ("It circles the earth once a month.",)
    assert (impossible.answerable, impossible.expects, impossible.conversation) == (False, False, asked.conversation)
    assert (tmp_path / "moon" / "The_moon" / "000.md").read_text().startswith("# The moon\n\nThe moon is far")
    file.write_text('{"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "1"}]}]}]}')
    with pytest.raises(InputError, match=r"dev-v2\.json: data\.0\.paragraphs\.0\.qas\.0\.question: Field required"):
        list(squad(file, tmp_path / "moon", split="test", sample=Sample()))


def read_table(file: Path, text: str, columns: dict[str, str] | None = None) -> list[Case]:
    file.write_text(text, encoding="utf-8-sig")
    return list(table(file, columns=columns or {}, split="dev", sample=Sample()))


def test_a_table_s_columns_are_mapped_by_name(tmp_path: Path) -> None:
    text = (
        "Nr;Frage;facts;sources;answerable;weight;tags\r\n"
        '1;"Wie viele Tage, und wann?";28|achtundzwanzig;"a.md; b.md";;2.5;"hr;de"\r\n'
        ";;;;;;\r\n"
        ";Wer malte den Mond?;;;no;;\r\n"
    )
    first, second = read_table(tmp_path / "fragen.csv", text, {"id": "Nr", "question": "Frage"})
    assert (first.id, first.question, first.facts) == ("1", "Wie viele Tage, und wann?", (("28", "achtundzwanzig"),))
    assert (first.sources, first.weight, first.tags, first.split) == (("a.md", "b.md"), 2.5, ("hr", "de"), "dev")
    assert (second.id, second.answerable, second.origin) == ("fragen-3", False, "imported")


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("q,facts\nA?,x\n", {}, r"has the columns q, facts; expected one called question"),
        ("question,facts\nA?,x\n", {"question": "q"}, r"--column question=q; expected one of id, question"),
        ("question,facts\nA?,x\n", {"fact": "facts"}, r"--column fact=facts"),
        ("question,facts\nA?,x\nB?,\n", {}, r"t\.csv, line 3; expected facts, sources"),
        ("question,facts,weight\nA?,x,much\n", {}, r"line 2: weight is 'much'"),
        ("question,facts,weight\nA?,x,-1\n", {}, r"line 2: 'weight' is -1"),
        ("question,answerable\nA?,perhaps\n", {}, r"line 2: answerable is 'perhaps'"),
        ('question,facts\n"A?,x\n', {}, r"can't be read: unexpected end of data"),
        ("", {}, r"has the columns none"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, text: str, columns: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_table(tmp_path / "t.csv", text, columns)


def test_a_dataset_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file, case = tmp_path / "new" / "cases.jsonl", Case(id="a", question="Q?", facts=(("x",),))
    with pytest.raises(InputError, match="the id 'a' comes twice"):
        write_dataset(file, [case, case], did="import")
    with pytest.raises(InputError, match="no cases were found"):
        write_dataset(file, [], did="import")
    assert not list(file.parent.iterdir())
    assert write_dataset(file, [case], did="import csv t.csv") == 1
    assert load_dataset(file).cases == (case,)
    assert [(one.did, one.after) for one in changes(file)] == [("import csv t.csv", load_dataset(file).sha256)]
    with pytest.raises(InputError, match="is there; expected a new file"):
        write_dataset(file, [case], did="import")


def test_names_stay_and_stay_apart() -> None:
    assert safe_name("MED-10.a") == "MED-10.a"
    names = {safe_name(one) for one in ("a/b", "a b", "../a", "ä", "a" * 500, "a" * 501, "..", "")}
    assert len(names) == 8
    assert all("/" not in name and not name.startswith(".") and len(name) < 120 for name in names)
