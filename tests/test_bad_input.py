"""Bad input through the real command line: one line, the right exit code, nothing half-written."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ASKED, Plumb, contents, failed, fine, parsed

SCRIPTED = "[roles]\nanswer = 'scripted:quote'\nembed = 'scripted:x'\n"


@pytest.mark.parametrize(
    ("config", "arguments", "says"),
    [
        ("[store]\nknid = 1\n", ["ask", "x"], "unknown setting 'store.knid'"),
        ("[store\n", ["ask", "x"], "is not TOML"),
        ("\x00", ["search", "x"], "is not TOML"),
        ("[ui]\nport = 'many'\n", ["ask", "x"], "'ui.port'"),
        ("[roles]\nanswer = 'gpt-5'\nembed = 'scripted:x'\n", ["ask", "x"], "roles.answer is 'gpt-5'"),
        ("[roles]\nanswer = 'nosuch:x'\nembed = 'scripted:x'\n", ["ask", "x"], "unknown provider 'nosuch'"),
        ("[roles]\nanswer = 'openai:x'\nembed = 'scripted:x'\n", ["ask", "x"], "OPENAI_API_KEY is not set"),
        ("[roles]\nembed = 'openai:x'\n", ["ingest", "docs"], "OPENAI_API_KEY is not set"),
        ("[roles]\nembed = 'scripted:x'\n[retrieve]\nlanguage = 'x'\n", ["ingest", "docs"], "retrieve.language is 'x'"),
        ("[store]\ncollection = '../../x'\n", ["ingest", "docs"], "'store.collection'"),
        (f"[generate]\nprompts_dir = 'nosuch'\n{SCRIPTED}", ["ask", "x"], "no folder"),
    ],
)
@pytest.mark.usefixtures("corpus")
def test_bad_settings(plumb: Plumb, project: Path, config: str, arguments: list[str], says: str) -> None:
    (project / "plumbline.toml").write_text(config)
    before = untraced(project)
    assert says in failed(plumb(*arguments), code=2)
    assert untraced(project) == before
    assert not (project.parents[1] / "x").exists()


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"PLUMB_NOPE": "1"}, "unknown variable PLUMB_NOPE"),
        ({"PLUMB_STORE__KIND": "cloud"}, "'store.kind'"),
        ({"PLUMB_STORE": "edge"}, "error parsing value"),
        ({"PLUMB_CONFIG": "nosuch.toml"}, "can't read nosuch.toml"),
        ({"PLUMB_STORE__KIND": "server", "PLUMB_STORE__URL": "not a url"}, "store.url is 'not a url'"),
    ],
)
def test_bad_variables(plumb: Plumb, project: Path, env: dict[str, str], says: str) -> None:
    before = contents(project)
    assert says in failed(plumb("search", "leave", env=env), code=2)
    assert contents(project) == before


def test_bad_questions(plumb: Plumb, filled: Path) -> None:
    before = contents(filled)
    assert "the question is empty" in failed(plumb("ask", "  "), code=2)
    assert "has 100,000 characters" in failed(plumb("ask", "x" * 100_000), code=2)
    assert "has 1,000,000 characters" in failed(plumb("search", "-", stdin="x" * 2_000_000), code=2)
    assert "the question is empty" in failed(plumb("search", "-"), code=2)
    assert contents(filled) == before


def test_bad_paths(plumb: Plumb, project: Path) -> None:
    (project / "empty").mkdir()
    before = untraced(project)
    assert "can't read nosuch: No such file" in failed(plumb("ingest", "nosuch"), code=2)
    assert "no documents in empty; expected files ending in " in failed(plumb("ingest", "empty"), code=2)
    assert "can't read nosuch.jsonl" in failed(plumb("eval", "run", "nosuch.jsonl"), code=2)
    for kind in ("csv", "squad", "beir"):
        documents = [] if kind == "csv" else ["--documents", "new"]
        told = failed(plumb("eval", "import", kind, "nosuch", "--out", "new.jsonl", *documents), code=2)
        assert "can't read nosuch" in told
    assert untraced(project) == before


def test_a_wrong_digest(plumb: Plumb, project: Path, corpus: Path) -> None:
    (project / "models").mkdir()
    (project / "models" / "all-MiniLM-L6-v2-int8.onnx").write_bytes(b"not the model")
    env = {"PLUMB_LOCAL__DIR": "models", "PLUMB_ROLES__EMBED": "local:all-minilm-l6-v2"}
    before = untraced(project)
    for arguments in (["search", "x"], ["ask", "x"], ["ingest", "docs"]):
        line = failed(plumb(*arguments, env=env), code=1)
        assert "has SHA-256" in line
        assert "expected 8199be6f699a" in line
        assert "plumb models pull all-minilm-l6-v2" in line
    assert untraced(project) == before


def test_a_model_server_that_is_down(plumb: Plumb, filled: Path) -> None:
    env = {"PLUMB_PROVIDERS__OLLAMA__BASE_URL": "http://127.0.0.1:9/v1"}
    fine(plumb("search", "leave"))  # the engine tidies its own files when they are opened first
    before = untraced(filled)
    line = failed(plumb("ask", ASKED, env={**env, "PLUMB_ROLES__ANSWER": "ollama:x"}), code=1)
    assert "can't reach ollama:x at http://127.0.0.1:9/v1" in line
    (filled / "docs" / "new.md").write_text("# New\n\nA new text.\n")
    failed(plumb("index", "build", env={**env, "PLUMB_ROLES__EMBED": "ollama:x"}), code=1)
    assert untraced(filled) == {**before, "docs/new.md": b"# New\n\nA new text.\n"}
    assert parsed(plumb("traces", "--json", "--limit", "1"))[0]["status"] == "failed"


def test_a_server_that_answers_pages(plumb: Plumb, filled: Path, web_page: str) -> None:
    env = {"PLUMB_STORE__KIND": "server", "PLUMB_STORE__URL": web_page}
    assert "the Qdrant server refused" in failed(plumb("search", "leave", env=env), code=1)
    env = {"PLUMB_ROLES__ANSWER": "ollama:x", "PLUMB_PROVIDERS__OLLAMA__BASE_URL": web_page}
    assert "ollama:x at http://127" in failed(plumb("ask", ASKED, env=env), code=1)


def test_a_data_folder_below_a_file(plumb: Plumb, project: Path, corpus: Path) -> None:
    env = {"PLUMB_DATA_DIR": "plumbline.toml/x"}
    before = contents(project)
    assert "Not a directory" in failed(plumb("ingest", "docs", env=env), code=1)
    assert "the index holds no documents" in failed(plumb("ask", "leave", env=env), code=2)
    assert contents(project) == before


@pytest.mark.usefixtures("rights_bind")
def test_a_read_only_disk(plumb: Plumb, project: Path, corpus: Path) -> None:
    project.chmod(0o555)
    before = contents(project)
    line = failed(plumb("ingest", "docs", bound_by_rights=True), code=1)
    assert "Permission denied" in line
    assert "check the disk and its rights" in line
    failed(plumb("ask", "leave", bound_by_rights=True), code=2)
    failed(plumb("init", "--force", "sub", bound_by_rights=True), code=2)
    assert contents(project) == before


@pytest.mark.usefixtures("rights_bind")
def test_a_disk_that_became_read_only(plumb: Plumb, filled: Path) -> None:
    for path in [filled / ".plumb", *(filled / ".plumb").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (filled / "docs" / "new.md").write_text("# New\n\nA new text.\n")
    before = contents(filled)
    for arguments, code in ((["ingest", "docs"], 1), (["search", "leave"], 1), (["ask", "leave"], 1)):
        line = failed(plumb(*arguments, bound_by_rights=True), code=code)
        assert "Permission denied" in line or "readonly database" in line
    assert contents(filled) == before


def test_a_full_disk(plumb: Plumb, project: Path, corpus: Path, small_disk: Path) -> None:
    line = failed(plumb("ingest", "docs", env={"PLUMB_DATA_DIR": str(small_disk / "data")}), code=1)
    assert "has 0 MB free; expected at least store.min_free_mb = 100; free space there" in line
    assert not (small_disk / "data" / "index" / "plumbline" / "v1" / "store").exists()


def test_a_damaged_index_tells_how_to_go_on(plumb: Plumb, filled: Path) -> None:
    (filled / ".plumb" / "index" / "plumbline" / "v1" / "store" / "plumbline.json").write_text("")
    line = failed(plumb("search", "leave"), code=1)
    assert "ingest again" in line
    shutil.rmtree(filled / ".plumb" / "index" / "plumbline" / "v1" / "store")
    assert "3 added" in fine(plumb("ingest", "docs"))


def test_a_damaged_record_of_traces_costs_no_answer(plumb: Plumb, filled: Path) -> None:
    for file in (filled / ".plumb").glob("traces.db*"):
        file.unlink()
    (filled / ".plumb" / "traces.db").write_text("no database " * 100)
    result = plumb("ask", ASKED)
    assert result.returncode == 0
    assert "30 working days" in result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("plumb: warning: the trace of this answer was not kept")
    failed(plumb("traces"), code=1)


def untraced(folder: Path) -> dict[str, bytes]:
    """Everything below, without the record of traces: a run that fails is meant to leave its trace."""
    found = contents(folder).items()
    return {name: data for name, data in found if name != ".plumb" and not name.startswith(".plumb/traces.db")}


@pytest.fixture
def web_page() -> Iterator[str]:
    """A server that answers everything with a page."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


class _Page(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def _reply(self) -> None:
        body = b"<html>Welcome to the router</html>"
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount or "", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not (mount and umount) or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a disk")
    yield folder
    subprocess.run([umount, str(folder)], check=True)
