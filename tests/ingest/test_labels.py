"""Who may read a document and how it is labelled: by rules, by files beside it, by its source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Plumb, failed, fine, parsed

from ingest.cli import print_report
from ingest.labels import NOTHING
from ingest.library import Library
from ingest.pipeline import ingest
from ingest.progress import Document, Report
from ingest.reading import labelled
from rag.engine import Engine
from rag.errors import ConfigError
from rag.index import open_index
from rag.observe.restricted import visible
from rag.search import Searcher
from rag.settings import Settings, load_settings
from rag.types import PUBLIC, Chunk, Scope, Turn

RULES = """
[[ingest.labels]]
documents = "docs/**"
fields = { team = "all", year = 2026 }

[[ingest.labels]]
documents = "docs/hr/**"
readers = ["group:people"]
fields = { team = "people" }
"""
PEOPLE = Scope(groups=("people",))


def add(project: Path, text: str) -> Settings:
    config = project / "plumbline.toml"
    config.write_text(config.read_text() + text)
    return load_settings(config)


def run(settings: Settings, place: str = "docs") -> tuple[list[Document], Report]:
    *documents, report = list(ingest([settings.root / place], settings=settings))[1:]
    assert isinstance(report, Report)
    return [one for one in documents if isinstance(one, Document)], report


def chunks(settings: Settings) -> dict[str, Chunk]:
    """The first chunk of each document."""
    store = open_index(settings).store
    return {chunk.uri: chunk for chunk in store.chunks() if not chunk.position}


def found(settings: Settings, scope: Scope) -> set[str]:
    return {hit.chunk.uri for hit in Searcher.from_settings(settings).search("leave days travel", scope=scope)}


@pytest.fixture
def ruled(project: Path, corpus: Path) -> Settings:
    settings = add(project, RULES)
    run(settings)
    return settings


def test_the_last_rule_that_matches_and_says_something_counts(ruled: Settings) -> None:
    made = chunks(ruled)
    assert made["docs/hr/leave.md"].readers == ("group:people",)
    assert made["docs/hr/leave.md"].fields == {"team": "people", "year": 2026}
    assert made["docs/travel.md"].readers == ("everyone",)
    assert made["docs/travel.md"].fields == {"team": "all", "year": 2026}


def test_who_may_not_read_a_document_never_finds_it(ruled: Settings) -> None:
    others = {"docs/travel.md", "docs/limits.csv"}
    assert found(ruled, PUBLIC) == found(ruled, Scope(user="ada", groups=("legal",))) == others
    assert found(ruled, PEOPLE) == {*others, "docs/hr/leave.md"}


def test_a_changed_rule_changes_documents_and_embeds_nothing(ruled: Settings, project: Path) -> None:
    assert run(ruled)[1].unchanged == 3
    config = project / "plumbline.toml"
    config.write_text(config.read_text().replace("group:people", "user:ada"))
    documents, report = run(load_settings(config))
    assert [(one.uri, one.outcome) for one in documents if one.outcome != "unchanged"] == [
        ("docs/hr/leave.md", "replaced")
    ]
    assert report.embedded == 0
    assert "docs/hr/leave.md" not in found(ruled, PEOPLE)
    assert "docs/hr/leave.md" in found(ruled, Scope(user="ada"))


def test_files_beside_a_document_say_more_than_rules(ruled: Settings, corpus: Path) -> None:
    (corpus / "folder.meta.toml").write_text('readers = ["group:staff"]\n[fields]\nteam = "folder"\n')
    (corpus / "hr" / "leave.md.meta.toml").write_text("readers = []\nfields = { signed = 2026-03-01, draft = true }\n")
    _, report = run(ruled)
    assert (report.replaced, report.added, report.ignored) == (3, 0, {})
    made = chunks(ruled)
    assert made["docs/travel.md"].readers == ("group:staff",)
    assert made["docs/hr/leave.md"].readers == ()
    expected = {"team": "folder", "year": 2026, "signed": "2026-03-01", "draft": "true"}
    assert made["docs/hr/leave.md"].fields == expected
    assert found(ruled, PEOPLE) == set()
    (corpus / "hr" / "leave.md.meta.toml").unlink()
    run(ruled, "docs/hr/leave.md")
    assert chunks(ruled)["docs/hr/leave.md"].readers == ("group:staff",)


@pytest.mark.parametrize(
    "text",
    [
        "readers = ",
        'readers = "everyone"',
        'readers = ["ada"]',
        "access = []",
        "[fields]\npath = 1",
        "[fields]\na-b = 1",
        "[fields]\na = {}",
        "\xff",
        "x = 1\n" * 20_000,
    ],
)
def test_a_document_of_which_nobody_knows_who_may_read_it_is_not_taken(project: Path, corpus: Path, text: str) -> None:
    (corpus / "hr" / "folder.meta.toml").write_text(text, encoding="latin-1")
    settings = load_settings(project / "plumbline.toml")
    documents, report = run(settings)
    assert (report.added, report.failed) == (2, 1)
    (refused,) = [one for one in documents if one.outcome == "failed"]
    assert "folder.meta.toml" in refused.reason
    assert "docs/hr/leave.md" not in chunks(settings)
    (corpus / "hr" / "folder.meta.toml").unlink()
    assert run(settings)[1].added == 1


def test_what_nothing_is_said_of_is_for_whom_the_setting_names(project: Path, corpus: Path) -> None:
    settings = add(project, "\n[ingest]\nreaders = []\n")
    run(settings)
    assert {chunk.readers for chunk in chunks(settings).values()} == {()}
    assert found(settings, Scope(user="ada", groups=("people",))) == set()


@pytest.mark.parametrize(
    "text",
    [
        '[[ingest.labels]]\ndocuments = "a"\nreaders = ["ada"]',
        '[[ingest.labels]]\ndocuments = "a"\nfields = { path = "x" }',
        "[ingest]\nreaders = ['x']",
    ],
)
def test_a_rule_that_names_nobody_is_refused(project: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"readers|path"):
        add(project, f"\n{text}\n")


def test_a_source_tells_readers_and_fields(project: Path) -> None:
    metadata = {"acl": ["user:ada"], "team": "red", "odd key": 1}
    documents = [
        {"text": "Ada's plan.", "id_": "plan", "metadata": metadata},
        {"text": "Whose is it?", "id_": "unclear", "metadata": {"acl": None}},
    ]
    (project / "told.py").write_text(
        "from llama_index.core import Document\nfrom llama_index.core.readers.base import BaseReader\n"
        "class Told(BaseReader):\n    def load_data(self):\n"
        f"        return [Document(**one) for one in {documents!r}]\n"
    )
    settings = add(project, '\n[llama_index]\nreaders_key = "acl"\n')
    import sys

    sys.path.insert(0, str(project))
    try:
        list(ingest(["reader:told.Told"], settings=settings))
    finally:
        sys.path.remove(str(project))
    made = {uri.rpartition("/")[2]: (chunk.readers, chunk.fields) for uri, chunk in chunks(settings).items()}
    assert made == {"plan": (("user:ada",), {"team": "red"}), "unclear": ((), {})}


def test_a_picture_is_still_drawn_from_a_labelled_document(ruled: Settings) -> None:
    record = Library(ruled).manifest.records()["docs/hr/leave.md"]
    assert record.hash.startswith(f"{record.content} ")
    assert " " not in record.content


def test_commands_find_within_a_scope(plumb: Plumb, ruled: Settings) -> None:
    def uris(*options: str) -> set[str]:
        return {hit["uri"] for hit in parsed(plumb("search", "leave days travel", "--json", *options))}

    others = {"docs/travel.md", "docs/limits.csv"}
    assert uris() == others
    assert uris("--as", "group:people") == {*others, "docs/hr/leave.md"}
    assert uris("--as", "group:people", "--where", "team=people") == {"docs/hr/leave.md"}
    assert uris("--where", "path=docs/hr") == set()
    asked = "How many days of annual leave do full-time employees have?"
    answer = parsed(plumb("ask", asked, "--json", "--as", "user:ada", "--as", "group:people"))
    assert "30 working days" in answer["text"]
    refused = parsed(plumb("ask", asked, "--json", "--where", "path=docs/hr"))
    assert refused["abstained"]
    assert "leave.md" not in json.dumps(refused)
    assert "as a reader" in failed(plumb("ask", asked, "--as", "ada"), code=2)
    assert "condition" in failed(plumb("search", asked, "--where", "team"), code=2)
    shown = fine(plumb("library", "show", "docs/hr/leave.md"))
    assert "for group:people; team = people; year = 2026" in shown


def test_others_see_no_text_of_a_trace_with_a_passage_that_is_not_theirs(ruled: Settings) -> None:
    engine = Engine.from_settings(ruled)
    asked = "How many days of annual leave do full-time employees have?"
    answer = engine.ask(asked, scope=Scope(user="ada", groups=("people",)))
    trace = engine.spool.trace(answer.trace_id)
    assert trace.attributes["user_id"] == "ada"
    assert visible(trace, PEOPLE) == trace
    hidden = visible(trace, PUBLIC)
    assert "30 working" not in json.dumps([hidden.input, hidden.output, dict(hidden.attributes)], default=str)
    assert "30 working" not in str(hidden.steps)
    assert hidden.attributes["withheld"] is True
    # What came before in the conversation stands in its prompts.
    turn = Turn(question=asked, answer=answer.text, readers=answer.readers)
    later = engine.ask("Who pays for a private car?", history=[turn])
    assert visible(engine.spool.trace(later.trace_id), PUBLIC).output is None
    alone = engine.ask("Who pays for a private car?")
    assert visible(engine.spool.trace(alone.trace_id), PUBLIC).output == alone.text


def test_a_llama_index_program_stays_within_its_scope(ruled: Settings) -> None:
    engine = Engine.from_settings(ruled)
    for scope, expected in ((PUBLIC, False), (PEOPLE, True)):
        nodes = engine.as_retriever(scope=scope).retrieve("annual leave")
        assert any(node.metadata["uri"] == "docs/hr/leave.md" for node in nodes) is expected
        response = engine.as_query_engine(scope=scope).query("annual leave of full-time employees")
        assert any(node.metadata["uri"] == "docs/hr/leave.md" for node in response.source_nodes) is expected


def test_labels_do_not_depend_on_which_folder_was_named(project: Path, tmp_path: Path) -> None:
    settings, hr = load_settings(project / "plumbline.toml"), tmp_path / "share" / "hr"
    hr.mkdir(parents=True)
    (hr / "wages.md").write_text("# Wages\n\nThey rise in May.\n")
    (hr.parent / "folder.meta.toml").write_text('readers = ["group:board"]\n')
    for place in (hr.parent, hr, hr / "wages.md"):
        list(ingest([place], settings=settings))
        assert [chunk.readers for chunk in chunks(settings).values()] == [("group:board",)]


@pytest.mark.parametrize(("readers", "stays"), [('["group:board"]', False), ('["everyone", "group:board"]', True)])
def test_what_cannot_be_read_any_more_is_not_shown_to_those_who_may_not_read_it(
    project: Path, corpus: Path, readers: str, *, stays: bool
) -> None:
    settings = load_settings(project / "plumbline.toml")
    run(settings)
    (corpus / "travel.md").write_bytes(b"\x00" * 100)
    for _ in range(2):
        assert run(settings)[1].failed == 1
        assert "docs/travel.md" in found(settings, PUBLIC)
    (corpus / "travel.md.meta.toml").write_text(f"readers = {readers}\n")
    told = next(one.reason for one in run(settings)[0] if one.outcome == "failed")
    assert ("taken out" in told) is not stays
    assert ("docs/travel.md" in found(settings, PUBLIC)) is stays


def test_a_name_too_long_for_a_file_of_labels_has_none(project: Path, corpus: Path) -> None:
    (corpus / f"{'a' * 250}.md").write_text("# Long\n\nA long name.\n")
    assert run(load_settings(project / "plumbline.toml"))[1].added == 4


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_no_store_keeps_is_no_field(project: Path, corpus: Path, number: str) -> None:
    (corpus / "travel.md.meta.toml").write_text(f"[fields]\nrate = {number}\n")
    settings = load_settings(project / "plumbline.toml")
    assert (run(settings)[1].failed, "docs/travel.md" in chunks(settings)) == (1, False)


@pytest.mark.parametrize(
    ("uri", "readers"),
    [
        ("https://wiki.example.com/board/x", ("group:board",)),
        ("https://wiki.example.com/%62oard/x", ("group:board",)),
        ("https://wiki.example.com/boards/x", ("everyone",)),
        ("%62oard/x", ("everyone",)),
    ],
)
def test_an_address_is_for_the_same_readers_however_it_is_spelt(uri: str, readers: tuple[str, ...]) -> None:
    rules = [
        {"documents": f"{place}board/**", "readers": ["group:board"]} for place in ("https://wiki.example.com/", "")
    ]
    settings = Settings.model_validate({"ingest": {"labels": rules}})
    assert labelled(uri, NOTHING, settings).readers == readers


def test_a_rule_that_no_document_is_meant_by_is_told(
    project: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert corpus.is_dir()
    rules = ["docs/hr/**", "docs/hrr/**", "**/LIMITS.csv"]
    told = "".join(f'[[ingest.labels]]\ndocuments = "{rule}"\nreaders = ["group:people"]\n' for rule in rules)
    report = run(add(project, told))[1]
    assert report.unmatched == ("docs/hrr/**", "**/LIMITS.csv")
    print_report(report)
    assert "meant by the rule 'docs/hrr/**' of ingest.labels" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", ["Folder.meta.toml", "Travel.md.meta.toml", "travel.meta.toml", "travel.md.META.toml"])
def test_a_file_of_labels_that_labels_nothing_is_told(project: Path, corpus: Path, name: str) -> None:
    (corpus / name).write_text('readers = ["group:board"]\n')
    (corpus / "folder.meta.toml").write_text("")
    (corpus / "limits.csv.meta.toml").write_text("")
    assert run(load_settings(project / "plumbline.toml"))[1].ignored == {".meta.toml beside no such document": 1}
