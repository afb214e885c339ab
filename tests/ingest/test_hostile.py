"""Hostile documents through a whole run: refused by a limit with a name, the others read, nothing else touched."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import hostile_files as hostile
import pytest
from command_line import Plumb, failed
from site_server import Answer, Site, running

from ingest.pipeline import ingest
from ingest.progress import Document, Report
from rag.index import open_index
from rag.settings import load_settings
from rag.terminal import CONTROL

PACK = Path(os.environ.get("PLUMB_TEST_DATA", "unset"), "6_security_judge.tar.xz")
SECRET = "canary-5b1f0c"
# What is said of each file that is refused; of the files that are not named here, all are read.
REFUSED = {
    "bait.eml": "nested too deeply",
    "bait.html": "Document is empty",
    "blank.txt": "is empty",
    "bomb-count.eml": "ingest.max_archive_files = 60",
    "bomb-count.zip": "ingest.max_archive_files = 60",
    "bomb-deep.zip": "packed too deep",
    "bomb-in-one-another.eml": "nested too deeply",
    "bomb-inside.eml": "ingest.max_unpacked_mb = 5",
    "bomb-laughs.xml": "Maximum entity amplification",
    "bomb-nested.zip": "ingest.max_unpacked_mb = 5",
    "bomb-quadratic.xml": "Maximum entity amplification",
    "bomb-ratio.zip": "ingest.max_unpacked_mb = 5",
    "bomb-sheet.xlsx": "ingest.max_unpacked_mb = 5",
    "deep.html": "holds no text",
    "deep.json": "nested too deeply",
    "deep.md": "holds no text",
    "deep.rst": "nested too deeply",
    "deep.xml": "Excessive depth",
    "empty.md": "is empty",
    "empty.pdf": "is empty",
    "entity.docx": "can't be read",
    "loop.pdf": "damaged at page 1",
    "noise.doc": "can't be read",
    "noise.epub": "not a zip file",
    "noise.msg": "not an Outlook",
    "noise.zip": "not a zip file",
    "one-line.csv": "field larger than field limit",
    "pages.pdf": "ingest.max_pages = 20",
    "picture.docx": "not a zip file",
    "program.pdf": "no PDF",
    "program.xlsx": "not a zip file",
    "sparse.txt": "ingest.max_file_mb = 3",
    "entity.epub": "can't be read",
    "form-in-itself.pdf": "holds no text",
    "zeros.txt": "holds zero bytes",
}


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that must not be asked for anything, or whose pages are asked for."""
    with running() as found:
        yield found


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that nobody may read: where the file system tells, by the time of its last reading."""
    file = tmp_path / "outside" / "canary.md"
    file.parent.mkdir()
    file.write_text(f"# {SECRET}\n\nNobody reads this.\n")
    os.utime(file, (1, 1))
    return file


def configure(project: Path, text: str) -> None:
    (project / "plumbline.toml").write_text(f'[roles]\nanswer = "scripted:quote"\nembed = "scripted:words"\n{text}')


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def texts(project: Path) -> dict[str, str]:
    """The text that was stored of each document."""
    store = open_index(load_settings(project / "plumbline.toml")).store
    found: dict[str, str] = {}
    for chunk in store.chunks():
        found[chunk.uri] = found.get(chunk.uri, "") + chunk.indexed_text + "\n"
    store.close()
    return found


def refusals(project: Path, *places: str | Path) -> dict[str, str]:
    """What the documents that a run could not read were refused for."""
    events = list(ingest(places, settings=load_settings(project / "plumbline.toml")))
    assert isinstance(events[-1], Report)
    failed = [event for event in events if isinstance(event, Document) and event.outcome == "failed"]
    return {Path(document.uri).name: document.reason for document in failed}


def test_hostile_files(project: Path, corpus: Path, site: Site, canary: Path, tmp_path: Path) -> None:
    configure(project, hostile.LIMITS)
    write(corpus, hostile.bombs() | hostile.lying() | hostile.endless() | hostile.archives_with_paths(canary))
    write(corpus, hostile.pointing(canary, site.url))
    hostile.special_files(corpus, canary.parent, canary)
    with (corpus / "sparse.txt").open("wb") as file:
        file.truncate(10_000_000_000)
    (project / ".plumb").mkdir()
    before = outside_of_data(tmp_path)
    refused = refusals(project, corpus)
    assert outside_of_data(tmp_path) == before
    assert canary.stat().st_atime == 1
    assert site.asked == []
    assert {name: reason for name, reason in refused.items() if REFUSED.get(name, "no") not in reason} == {}
    assert REFUSED.keys() == refused.keys()
    read = texts(project)
    assert SECRET not in str(read)
    assert "30 working days" in read["docs/hr/leave.md"]
    assert {uri for uri in read if "link" in Path(uri).stem} == {"docs/link.zip", "docs/linked.docx"}


def outside_of_data(folder: Path) -> dict[Path, int]:
    """When each file and folder was changed, but for the data folder."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*") if ".plumb" not in path.parts}


def test_work_that_would_not_end_is_ended(project: Path, corpus: Path) -> None:
    configure(project, "[ingest]\nparse_timeout_s = 3\nparse_memory_mb = 300\n")
    (corpus / "z-bait.rst").write_bytes(b"*a " * 100_000)
    (corpus / "z-unpacks.pdf").write_bytes(hostile.unpacking_pdf())
    refused = refusals(project, corpus)
    assert "longer than ingest.parse_timeout_s = 3" in refused["z-bait.rst"]
    assert "ingest.parse_memory_mb = 300" in refused["z-unpacks.pdf"]
    assert len(texts(project)) == 3


def test_a_document_of_too_many_chunks_is_refused(project: Path, corpus: Path) -> None:
    configure(project, "[ingest]\nmax_chunks = 100\n")
    (corpus / "long.md").write_text("\n\n".join("word " * 150 for _ in range(101)))
    assert "at most ingest.max_chunks = 100" in refusals(project, corpus)["long.md"]
    assert len(texts(project)) == 3


def test_hostile_names_do_not_reach_the_terminal(plumb: Plumb, project: Path, corpus: Path) -> None:
    empty = {f"empty-{os.fsdecode(name)}": b"" for name in hostile.NAMES}
    write(corpus, {os.fsdecode(name): b"Bring a coat.\n" for name in hostile.NAMES} | empty)
    result = plumb("ingest", "docs")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert len(lines) == len(empty)
    assert all(line.startswith("plumb: skipped docs/empty-") and "is empty" in line for line in lines)
    shown = [
        plumb(*command) for command in (["library", "list"], ["library", "failed"], ["search", "coat"], ["traces"])
    ]
    assert [done.returncode for done in shown] == [0] * 4
    assert [CONTROL.findall(done.stdout + done.stderr) for done in (result, *shown)] == [[]] * 5
    again = json.loads(plumb("ingest", "docs", "--json").stdout)
    assert (again["unchanged"], again["failed"]) == (3 + len(hostile.NAMES), len(empty))


WEB = "[ingest.web]\nallow_private = true\ndelay_s = 0\ntotal_s = 2\nretries = 0\nmax_mb = 1\n"


def test_hostile_sites(project: Path, corpus: Path, site: Site) -> None:
    configure(project, WEB)
    site.page("/good", "Good", "An honest page.")
    site.redirect("/metadata", "http://169.254.169.254/latest")
    site.redirect("/file", "file:///etc/passwd")
    site.redirect("/round", "/round")
    site.answers["/endless"] = Answer(headers={"content-type": "text/html"}, drip=True)
    site.answers["/large"] = Answer(body=b"word " * 400_000, headers={"content-type": "text/plain"})
    site.sitemap("/sitemap.xml", "/good", "/metadata", "/file", "/round", "/endless", "/large")
    refused = refusals(project, corpus, f"{site.url}/sitemap.xml")
    said = {
        "metadata": "169.254.169.254",
        "file": "no web address",
        "round": "ingest.web.max_redirects = 5",
        "endless": "ingest.web.total_s",
        "large": "ingest.web.max_mb",
    }
    assert {name: reason for name, reason in refused.items() if said[name] not in reason} == {}
    assert refused.keys() == said.keys()
    assert len(texts(project)) == 4


def test_private_addresses_are_not_asked(plumb: Plumb, project: Path, site: Site) -> None:
    site.page("/good", "Good")
    line = failed(plumb("ingest", f"{site.url}/good"), code=1)
    assert "ingest.web.allow_private" in line
    assert site.asked == []


@pytest.mark.skipif(not PACK.is_file(), reason="PLUMB_TEST_DATA names no folder with the pack of attacks")
def test_known_attacks(project: Path, tmp_path: Path) -> None:
    with tarfile.open(PACK) as pack:
        pack.extractall(tmp_path / "pack", filter="data")
    refused = refusals(project, tmp_path / "pack" / "security")
    assert refused.keys() == {"cyclic.xml", "external.xml", "external_file.xml", "quadratic.xml", "xmlbomb.xml"}
    read = {Path(uri).name for uri in texts(project)}
    assert {"dtd.xml", "simple.xml", "xmlbomb2.xml", "access_shell_commands.json", "web_html_js.json"} <= read
