"""Filling an index on a Ray cluster of two nodes: the same result as on one machine, through losses too."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import docx
import psutil
import pytest
from qdrant_server import FakeQdrant, running

from ingest.library import Library
from ingest.manifest import Failure, Record
from ingest.pipeline import ingest
from rag.errors import ConfigError, MissingExtra
from rag.settings import Settings, load_settings

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
COLLECTION = "plumbline-v1"
NODE = {"num_cpus": 2, "node_ip_address": "127.0.0.1", "include_dashboard": False}
CONFIG = """
[roles]
embed = "scripted:words"
[store]
kind = "server"
url = "{url}"
[ingest]
parse_memory_mb = 140
[ingest.ray]
address = "{address}"
"""


def write(folder: Path, name: str, *, paragraphs: int, stamp: str = "first") -> None:
    texts = [f"Paragraph {p} of {name}, {stamp}. " + "word " * 60 for p in range(paragraphs)]
    (folder / name).write_text("\n\n".join([f"# About {name}", *texts]))


def write_documents(folder: Path) -> None:
    """Good ones, one that takes many parts, broken ones, and one that takes its parser down."""
    folder.mkdir(parents=True)
    for number in range(90):
        write(folder, f"{number}.md", paragraphs=3)
    write(folder, "long.md", paragraphs=400)
    (folder / "limits.csv").write_text("city,limit\nBerlin,140 EUR\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (folder / "empty.md").write_text("")
    (folder / "greedy.docx").write_bytes(greedy())


@cache
def greedy() -> bytes:
    """A document whose parser needs more memory than CONFIG allows; made once, as it holds the time."""
    document, file = docx.Document(), io.BytesIO()
    document.add_paragraph("Some text.")
    document.save(file)
    return file.getvalue()


def change_documents(folder: Path) -> None:
    """Some change, some go, one comes, one can't be read any more, one can."""
    write(folder, "1.md", paragraphs=9, stamp="second")
    write(folder, "long.md", paragraphs=300, stamp="second")
    write(folder, "new.md", paragraphs=2)
    write(folder, "empty.md", paragraphs=1)
    (folder / "2.md").unlink()
    (folder / "broken.pdf").unlink()
    (folder / "3.md").write_text("")


class Project:
    """A folder with documents, and the server that holds its index."""

    def __init__(self, folder: Path, server: FakeQdrant, *, address: str = "") -> None:
        self.folder, self.server = folder, server
        write_documents(folder / "docs")
        (folder / "plumbline.toml").write_text(CONFIG.format(url=server.url, address=address))

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder / "plumbline.toml")

    def start(self, engine: str, *, before: str = "") -> subprocess.Popen[str]:
        """A run; `before` is code that it carries out first."""
        code = f"{before}\nfrom rag.cli import main\nmain()"
        return subprocess.Popen(
            [sys.executable, "-c", code, "ingest", "docs", "--engine", engine, "--json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ingest(self, engine: str) -> dict[str, Any]:
        """The report of a run, without what differs from run to run."""
        out, errors = self.start(engine).communicate(timeout=170)
        assert out.startswith("{"), errors
        report: dict[str, Any] = json.loads(out)
        return {name: value for name, value in report.items() if name not in ("seconds", "trace_id", "embedded")}

    def points(self) -> dict[str, tuple[Any, Any]]:
        """Every point of the collection, staged ones too: its payload, and its vectors as they arrived."""
        found, _ = self.server.client.scroll(COLLECTION, limit=100_000, with_payload=True)
        return {str(point.id): (point.payload, self.server.vectors[str(point.id)]) for point in found}

    def manifest(self) -> tuple[dict[str, Record], dict[str, Failure], list[Record]]:
        """What it notes, but for the time."""
        manifest = Library(self.settings).manifest
        records = {uri: replace(record, at=0) for uri, record in manifest.records().items()}
        return records, {uri: replace(f, at=0) for uri, f in manifest.failures().items()}, manifest.begun()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster of two nodes on the loopback."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args=NODE)
        made.add_node(**NODE)
        yield made
        made.shutdown()


@pytest.fixture
def cluster(nodes: Any) -> str:
    """Its address."""
    return str(nodes.address)


Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Projects with a server each."""
    with ExitStack() as stack:

        def made(name: str, *, address: str = "") -> Project:
            (tmp_path / name).mkdir()
            return Project(tmp_path / name, stack.enter_context(running()), address=address)

        yield made


@pytest.fixture
def local(make: Make) -> Project:
    """What one machine makes of the documents."""
    project = make("local")
    project.ingest("local")
    return project


def assert_same(one: Project, other: Project) -> None:
    for mine, its in zip(one.manifest(), other.manifest(), strict=True):
        assert mine == its
    assert one.points() == other.points()


def workers(kind: str) -> list[psutil.Process]:
    """The processes below this one that are workers of a kind."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if kind in " ".join(_command(process))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_two_nodes_make_what_one_machine_makes(make: Make, cluster: str, local: Project) -> None:
    far = make("far", address=cluster)
    far.ingest("ray")
    assert set(far.manifest()[1]) == {"docs/broken.pdf", "docs/empty.md", "docs/greedy.docx"}
    assert_same(far, local)
    for project in (far, local):
        change_documents(project.folder / "docs")
    reports = [far.ingest("ray"), local.ingest("local")]
    assert reports[0] == reports[1]
    assert (reports[0]["added"], reports[0]["replaced"], reports[0]["removed"], reports[0]["failed"]) == (2, 2, 1, 2)
    assert_same(far, local)
    # Either engine goes on with what the other made.
    assert far.ingest("local")["unchanged"] == local.ingest("local")["unchanged"] == 92
    assert far.ingest("ray")["unchanged"] == 92
    assert_same(far, local)


def test_a_driver_that_is_killed_is_gone_on_from(make: Make, cluster: str, local: Project) -> None:
    far = make("far", address=cluster)
    run = far.start("ray")
    far.server.before_upsert = lambda number: run.send_signal(signal.SIGKILL) if number == 2 else None
    run.communicate(timeout=170)
    assert run.returncode == -signal.SIGKILL
    live = {payload["uri"] for payload, _ in far.points().values() if payload["mark"] == "live"}
    assert live != {payload["uri"] for payload, _ in local.points().values()}
    far.ingest("ray")
    assert_same(far, local)


def test_a_worker_that_is_lost_is_made_up_for(make: Make, cluster: str, local: Project) -> None:
    far = make("far", address=cluster)
    killed: list[int] = []

    def kill(number: int) -> None:
        if not killed:
            for worker in workers("Stager"):
                worker.kill()
                killed.append(worker.pid)

    far.server.before_upsert = kill
    far.ingest("ray")
    assert killed
    assert_same(far, local)


def test_a_node_that_is_lost_is_made_up_for(make: Make, nodes: Any, local: Project) -> None:
    far, lost = make("far", address=nodes.address), [nodes.add_node(**NODE)]

    def remove(number: int) -> None:
        if lost:
            nodes.remove_node(lost.pop(), allow_graceful=False)

    far.server.before_upsert = remove
    far.ingest("ray")
    assert not lost
    assert_same(far, local)


def test_a_ray_of_its_own_is_closed_to_others(
    make: Make, local: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, temporary = tmp_path_factory.mktemp("home"), Path(tempfile.mkdtemp(prefix="t"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(temporary))
    own, heard, modes = make("own"), set[str](), set[int]()

    def listen(number: int) -> None:
        modes.update(folder.stat().st_mode & 0o777 for folder in temporary.glob("plumb-*"))
        for process in psutil.Process().children(recursive=True):
            heard.update(c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN)

    own.server.before_upsert = listen
    own.ingest("ray")
    assert heard
    assert heard <= set(LOOPBACK)
    assert modes == {0o700}
    # Neither a token nor what Ray wrote of the documents is left behind.
    assert not (home / ".ray").exists()
    assert list(temporary.iterdir()) == []
    temporary.rmdir()
    assert_same(own, local)


def test_what_a_worker_can_not_do_is_one_clear_line(make: Make, cluster: str) -> None:
    other = "import ingest.pipeline\ningest.pipeline.PIPELINE_VERSION = 999"
    out, errors = make("far", address=cluster).start("ray", before=other).communicate(timeout=170)
    assert out == ""
    assert "a node of the cluster runs plumbline-rag" in errors
    assert "install the same version on every node\n" in errors
    assert "Traceback" not in errors


def test_another_version_of_ray_is_one_clear_line(make: Make, cluster: str) -> None:
    out, errors = (
        make("far", address=cluster).start("ray", before="import ray\nray.__version__ = '1'").communicate(timeout=170)
    )
    assert out == ""
    assert "Version mismatch: The cluster was started with: Ray: " in errors
    assert "Traceback" not in errors


def test_a_server_that_goes_down_is_told_and_gone_on_from(make: Make, cluster: str, local: Project) -> None:
    far = make("far", address=cluster)

    def refuse(number: int) -> None:
        if number == 2:
            raise ValueError("out of order")

    far.server.before_upsert = refuse
    out, errors = far.start("ray").communicate(timeout=170)
    assert out == ""
    assert "the Qdrant server refused or can't be reached" in errors
    assert "Traceback" not in errors
    far.ingest("ray")
    assert_same(far, local)


def test_an_index_that_another_folder_tells_of_is_left_alone(make: Make, local: Project) -> None:
    before = local.points()
    (local.folder / ".plumb").rename(local.folder / "elsewhere")
    out, errors = local.start("local").communicate(timeout=170)
    assert out == ""
    assert "expected the data_dir of the machine that filled it" in errors
    assert local.points() == before


def test_what_a_node_does_not_see_is_not_removed(make: Make, cluster: str) -> None:
    from ingest.cluster.fill import _checked
    from ingest.reading import Gone
    from ingest.sources import discover, open_sources

    project = make("far", address=cluster)
    items = discover(
        open_sources([str(project.folder / "docs")], settings=project.settings), known={}, max_documents=99
    )
    item = items[0]
    there = _checked(Gone(uri=item.uri), {item.uri: item}, 1_000_000)
    assert "mount its folder on every node" in there.reason  # type: ignore[union-attr]
    (project.folder / item.uri).unlink()
    assert _checked(Gone(uri=item.uri), {item.uri: item}, 1_000_000) == Gone(uri=item.uri)


def test_the_embedded_store_is_refused(project: Path, corpus: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't be shared by a cluster.*store\.kind = 'server'"):
        list(ingest([corpus], settings=load_settings(project / "plumbline.toml"), engine="ray"))


def test_a_missing_package_names_its_extra(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    project = make("far")
    with pytest.raises(MissingExtra, match=r"plumbline-rag\[ray\]"):
        list(ingest([project.folder / "docs"], settings=project.settings, engine="ray"))


def test_a_cluster_that_is_not_there_is_one_clear_line(make: Make) -> None:
    out, errors = make("far", address="127.0.0.1:9").start("ray").communicate(timeout=170)
    assert out == ""
    assert "the Ray cluster failed or can't be reached" in errors
    assert "ingest.ray.address" in errors
    assert "Traceback" not in errors
