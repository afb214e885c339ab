"""What visitors add: names that lead nowhere, limits, who may read it, and how the run goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import MakeProject, Visitor, open_page

from ingest.library import Library
from ingest.progress import Document
from rag.engine import Engine
from rag.errors import InputError
from rag.settings import Settings, load_settings
from rag.types import Scope
from ui.adding import told
from ui.filling import Filling, State
from ui.uploads import NAME_BYTES, Upload, safe_name, store

ADDED = b"Bicycles\n\nThe blue bicycle of the company stands in the cellar of building nine.\n"
ASKED = "Where does the blue bicycle of the company stand?"
ADA, BOB = Scope(user="ada"), Scope(user="bob")


def over(filling: Filling) -> State:
    deadline = time.monotonic() + 60
    while not filling.state.is_over and time.monotonic() < deadline:
        time.sleep(0.02)
    return filling.state


def added(settings: Settings, name: str = "bikes.txt", *, user: str = "ada", data: bytes = ADDED) -> State:
    owner = f"user:{user}" if user else "browser:1"
    return over(Filling(store([Upload(name=name, data=data)], settings, owner=owner, user=user), settings))


def found(settings: Settings, scope: Scope) -> list[str]:
    return [hit.chunk.uri for hit in Engine.from_settings(settings).search(ASKED, scope=scope)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.PDF", "report.pdf"),
        ("../../etc/cron.d/x.txt", "x.txt"),
        ("C:\\Users\\ada\\plan.docx", "plan.docx"),
        ("/abs/.hidden.md", "hidden.md"),
        ("Übersicht (2), neu.html", "Übersicht (2), neu.html"),
        ("a*?[b]\x00\n.txt", "a_b_.txt"),
        ("....txt", "document.txt"),
    ],
)
def test_a_name_is_made_safe(name: str, expected: str) -> None:
    assert safe_name(name) == expected


@pytest.mark.parametrize(
    "name", ["", "x", ".txt", "run.sh", "folder.meta.toml", "leave.txt.meta.toml", "page.html/..", "x.txt\x00.exe"]
)
def test_what_is_no_document_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="kind that can't be read"):
        safe_name(name)


@given(st.text(max_size=300), st.sampled_from([".txt", ".PDF", ".md"]))
def test_no_name_leaves_its_folder(stem: str, ending: str) -> None:
    try:
        name = safe_name(stem + ending)
    except InputError:
        return
    folder = Path("folder").absolute()
    assert (folder / name).resolve().parent == folder
    assert not name.startswith(".")
    assert len(name.encode()) <= NAME_BYTES + 5
    assert safe_name(name) == name


def test_what_a_visitor_adds_is_that_visitors_alone(make_project: MakeProject) -> None:
    make_project(config='[ui]\nupload = true\nuser_header = "x-user"\n', documents={})
    settings = load_settings()
    state = added(settings)
    assert state.report
    assert (state.report.added, state.problem) == (1, "")
    assert len(found(settings, ADA)) == 1
    assert found(settings, BOB) == []
    assert found(settings, Scope()) == []
    # The same name of another's is another document.
    added(settings, user="bob", data=ADDED.replace(b"nine", b"ten"))
    assert len(found(settings, ADA)) == len(found(settings, BOB)) == 1
    assert found(settings, ADA) != found(settings, BOB)


def test_a_setting_lets_everyone_read_it(make_project: MakeProject) -> None:
    make_project(config='[ui]\nupload = true\nupload_readers = "everyone"\n[ingest]\nreaders = []\n', documents={})
    settings = load_settings()
    added(settings)
    assert len(found(settings, BOB)) == 1


def test_a_visitor_without_a_name_adds_by_the_rules_for_all(make_project: MakeProject) -> None:
    make_project(config="[ui]\nupload = true\n", documents={})
    settings = load_settings()
    added(settings, user="")
    assert len(found(settings, Scope())) == 1


def test_a_name_with_quotes_is_one_reader(make_project: MakeProject) -> None:
    make_project(config="[ui]\nupload = true\n", documents={})
    settings, odd = load_settings(), 'ada"]\nreaders = ["everyone'
    state = added(settings, user=odd)
    assert state.report
    assert state.report.failed == 0
    assert len(found(settings, Scope(user=odd))) == 1
    assert found(settings, Scope()) == []


def test_what_is_sent_again_takes_the_place_of_the_first(make_project: MakeProject) -> None:
    make_project(config="[ui]\nupload = true\n", documents={})
    settings = load_settings()
    added(settings)
    state = added(settings, data=ADDED.replace(b"nine", b"twelve"))
    assert state.report
    assert (state.report.added, state.report.replaced) == (0, 1)


def test_limits_are_told_before_anything_is_kept(make_project: MakeProject) -> None:
    folder = make_project(config="[ui]\nupload = true\nupload_file_mb = 1\nupload_files = 2\n", documents={})
    settings = load_settings()
    small, large = Upload(name="a.txt", data=b"a"), Upload(name="b.txt", data=b"b" * 1_000_001)
    for sent, words in (
        ([small, large], "1,000,001 bytes"),
        ([small, Upload(name="b.txt", data=b""), Upload(name="c.txt", data=b"")], "3 files at once"),
        ([small, Upload(name="x/a.txt", data=b"")], "two files are called 'a.txt'"),
    ):
        with pytest.raises(InputError, match=words):
            store(sent, settings, owner="user:ada", user="ada")
    assert not (folder / ".plumb" / "uploads").exists()


def test_a_file_that_can_not_be_read_is_told_and_the_others_are_taken(make_project: MakeProject) -> None:
    make_project(config="[ui]\nupload = true\n", documents={})
    settings = load_settings()
    sent = [Upload(name="bikes.txt", data=ADDED), Upload(name="broken.pdf", data=b"%PDF-1.7 nothing")]
    state = over(Filling(store(sent, settings, owner="user:ada", user="ada"), settings))
    assert {one.outcome for one in state.done} == {"added", "failed"}
    assert next(one.reason for one in state.done if one.outcome == "failed")
    assert state.problem == ""


def test_another_run_is_waited_for(make_project: MakeProject) -> None:
    make_project(config="[ui]\nupload = true\n", documents={})
    settings = load_settings()
    paths = store([Upload(name="bikes.txt", data=ADDED)], settings, owner="user:ada", user="ada")
    with Library(settings).turn.taken(wait_s=5):
        filling = Filling(paths, settings)
        deadline = time.monotonic() + 20
        while filling.state.waits_s is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "Another run fills the index" in told(filling.state, time.monotonic())
        assert not filling.state.is_over
    assert over(filling).report


def test_a_wait_that_takes_too_long_is_a_line(make_project: MakeProject) -> None:
    make_project(config="[ui]\nupload = true\n[ingest]\nwait_s = 0.1\n", documents={})
    settings = load_settings()
    with Library(settings).turn.taken(wait_s=5):
        assert "another run fills this index" in added(settings).problem


def test_the_time_left_is_that_of_those_before() -> None:
    first = Document(uri="a.txt", outcome="added", chunks=3)
    state = State(documents=4, began=100.0)
    assert told(state, 102.0) == "0 of 4 read"
    assert told(State(documents=4, began=100.0, done=(first,)), 102.0) == "1 of 4 read, about 6 s left"


@pytest.mark.parametrize(
    ("options", "user", "expected"),
    [
        ("", "", False),
        ("", "ada", False),
        ("upload = true", "", True),
        ('upload = true\nuser_header = "x-user"', "", False),
        ('upload = true\nuser_header = "x-user"', "ada", True),
    ],
)
def test_the_form_is_there_only_where_a_setting_and_a_name_allow_it(
    make_project: MakeProject, visitor: Visitor, options: str, user: str, *, expected: bool
) -> None:
    make_project(config=f"[ui]\n{options}\n", documents={})
    visitor.headers["x-user"] = user
    page = open_page()
    assert not page.exception
    assert bool([one for one in page.expander if one.label == "Add documents"]) is expected
