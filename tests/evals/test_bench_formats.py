"""The formats benchmark on a made pack: what is counted, and that no document stops it."""

from __future__ import annotations

import io
import tarfile
from contextlib import closing
from pathlib import Path

import docx
import pytest

from evals.bench.__main__ import main
from evals.bench.formats import PACK, expected, kind, outcome, recall
from ingest.isolate.messages import Setup
from ingest.isolate.process import ParsingProcess
from rag.sections import Ingest
from rag.settings import Settings

FILES = {
    "docling/html/sources/sub/a.html": "<h1>Whales</h1><p>Whales are mammals.</p>",
    "docling/html/groundtruth/sub/a.html.md": "# Whales\n\nWhales are [mammals](https://x.example) &amp; large.\n",
    "docling/md/sources/b.md": "The moon circles the earth.",
    "docling/md/groundtruth/b.md": "The moon circles the earth.",
    "docling/md/groundtruth/gone.md": "No source.",
    "docling/LICENSE": "MIT",
    "unstructured/c.xyz": "?",
    "unstructured/d.md": "",
    "unstructured/e.htm": "<p>One more page.</p>",
}


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("PLUMB_TEST_DATA", str(folder))
    return folder


def pack(folder: Path) -> None:
    with tarfile.open(folder / PACK, "w:xz") as archive:
        for name, text in FILES.items():
            info = tarfile.TarInfo(f"docs/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


def test_skipped_without_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats"]) == 0
    assert f"skipped: no {PACK}" in capsys.readouterr().out


def test_every_document_goes_through_the_public_door(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(data)
    assert main(["formats"]) == 1
    printed = capsys.readouterr().out
    assert "5 documents; 3 files are expected output and no documents" in printed
    assert "html: 2 of 2 parsed; word recall 0.800 (n = 1); longest" in printed
    assert "html: mean word recall: 0.8 = 0.84 x the bar, at least 0.95 - MISSED" in printed
    assert "md: 1 of 2 parsed; 1 refused (1 x is empty); word recall 1.000 (n = 1); longest" in printed
    assert "xyz: 0 of 1 parsed; 1 refused (1 x the extension '.xyz' is unknown); longest" in printed
    assert "at least 1 - met; 3 parsed, 2 refused, 0 broke, of 5" in printed


def test_the_limit_bounds_each_format(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(data)
    main(["formats", "--limit", "1"])
    assert "html: 1 of 1 parsed" in capsys.readouterr().out


def test_a_document_that_hangs_or_is_gone_does_not_stop_the_others(tmp_path: Path) -> None:
    good, slow, gone = tmp_path / "a.md", tmp_path / "b.docx", tmp_path / "c.md"
    good.write_text("# Title\n\n## Part\n\nOne.\n")
    docx.Document().save(str(slow))
    settings = Settings(ingest=Ingest(parse_timeout_s=0.5))
    with closing(ParsingProcess(Setup(settings=settings, max_tokens=160))) as process:
        assert outcome(process, gone).end == "refused"
        assert outcome(process, good).text == "Title\nPart\nOne."
        assert outcome(process, slow).end == "broke"  # its parser takes longer to load
        assert outcome(process, good).end == "parsed"


def test_words_by_hand() -> None:
    markdown = "# A _b_\n<!-- image -->\n![c](d.png) [e](https://f.example) <u>g</u> h\\_i &lt;j"
    assert recall("a b e g h i j", markdown) == 1.0
    assert recall("a a a b", "a a b b") == 0.75
    assert recall("", "") == 1.0


def test_expected_output_is_found_by_name(tmp_path: Path) -> None:
    source, wanted = tmp_path / "sources" / "a.docx", tmp_path / "groundtruth" / "a.md"
    for path in (source, wanted):
        path.parent.mkdir()
        path.touch()
    assert expected(source) == wanted
    assert expected(tmp_path / "sources" / "b.docx") is None
    assert expected(tmp_path / "a.docx") is None
    assert [kind(Path(name)) for name in ("a.JPEG", "a.htm", "LICENSE")] == ["jpg", "html", "no ending"]
