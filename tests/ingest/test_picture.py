"""A cited passage on the picture of its page: from the document to the PNG, through a real index."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Plumb, fine, parsed
from PIL import Image
from test_pdf import chapter, pdf

from ingest.isolate.process import ParsingProcess
from ingest.parse.fragments import Fragment, box_of
from ingest.picture import passage_picture
from ingest.pipeline import ingest
from rag.errors import DocumentError
from rag.search import Searcher
from rag.settings import Settings, load_settings
from rag.types import Chunk


@pytest.fixture
def manual(project: Path) -> Path:
    """A PDF of two pages in the project's documents."""
    (project / "docs").mkdir()
    path = project / "docs" / "manual.pdf"
    path.write_bytes(pdf(chapter, pages=2))
    return path


@pytest.fixture
def told(project: Path, manual: Path) -> Settings:
    settings = load_settings(project / "plumbline.toml")
    list(ingest([manual.parent], settings=settings))
    return settings


def found(settings: Settings, question: str) -> Chunk:
    searcher = Searcher.from_settings(settings)
    hit = searcher.search(question)[0]
    searcher.index.store.close()
    return hit.chunk


def test_a_passage_is_marked_where_it_stands(told: Settings) -> None:
    chunk = found(told, "chapter 2 sea manuals")
    assert (chunk.page, len(chunk.boxes)) == (2, 1)
    picture = Image.open(io.BytesIO(passage_picture(chunk, settings=told)))
    left, bottom, right, top = chunk.boxes[0]
    middle = picture.getpixel((int(left + right), int(1600 - 2 * top) + 2))
    assert picture.size == (1200, 1600)
    assert bottom < 605 < top + 10
    assert middle != (255, 255, 255)
    assert picture.getpixel((5, 5)) == (255, 255, 255)


def test_a_part_of_the_page_holds_the_passage(told: Settings) -> None:
    chunk = found(told, "chapter 2 sea manuals")
    whole = Image.open(io.BytesIO(passage_picture(chunk, settings=told)))
    part = Image.open(io.BytesIO(passage_picture(chunk, settings=told, is_part=True)))
    top = chunk.boxes[0][3]
    upper = int(1600 - 2 * top - 0.12 * 1600)
    assert (part.width, part.height < whole.height / 2) == (1200, True)
    assert (
        part.crop((0, 1, 1200, part.height)).tobytes()
        == whole.crop((0, upper + 1, 1200, upper + part.height)).tobytes()
    )


def test_a_passage_beyond_its_page_is_drawn_all_the_same(told: Settings) -> None:
    chunk = found(told, "chapter 2 sea manuals")
    for box in ((0.0, -900.0, 9.0, -800.0), (0.0, 9000.0, 9.0, 9100.0), (0.0, -9000.0, 9.0, 9000.0)):
        drawn = passage_picture(replace(chunk, boxes=(box,)), settings=told, is_part=True)
        assert Image.open(io.BytesIO(drawn)).width == 1200


def test_the_command_writes_the_picture_of_a_chunk(plumb: Plumb, told: Settings, project: Path) -> None:
    chunk = parsed(plumb("library", "chunks", "docs/manual.pdf", "--json"))[0]
    assert len(chunk["boxes"][0]) == 4
    assert "docs/manual.pdf, page 1" in fine(plumb("library", "picture", chunk["id"], "-o", "page.png"))
    assert (project / "page.png").read_bytes().startswith(b"\x89PNG")
    for unknown in ("../etc", "00000000-0000-0000-0000-000000000000"):
        refused = plumb("library", "picture", unknown, "-o", "no.png")
        assert refused.returncode == 2
        assert "the index holds no chunk" in refused.stderr


def test_a_document_that_changed_or_went_is_not_drawn(told: Settings, manual: Path) -> None:
    chunk = found(told, "chapter 2 sea manuals")
    manual.write_bytes(pdf(chapter, pages=3))
    with pytest.raises(DocumentError, match=r"docs/manual\.pdf changed since it was read; .*ingest it again"):
        passage_picture(chunk, settings=told)
    manual.unlink()
    with pytest.raises(DocumentError, match="is not here as it was"):
        passage_picture(chunk, settings=told)


def test_only_what_was_ingested_is_read(told: Settings, tmp_path: Path) -> None:
    chunk = found(told, "chapter 2 sea manuals")
    (tmp_path / "secret.pdf").write_bytes(pdf(chapter))
    for uri in ("../secret.pdf", str(tmp_path / "secret.pdf"), "docs/../../secret.pdf"):
        with pytest.raises(DocumentError, match="is not here as it was"):
            passage_picture(replace(chunk, uri=uri), settings=told)


def test_a_page_that_hangs_or_is_not_there_is_told(told: Settings) -> None:
    chunk = found(told, "chapter 2 sea manuals")
    with pytest.raises(DocumentError, match="no page 9; expected 1 to 2"):
        passage_picture(replace(chunk, page=9), settings=told)
    hasty = told.model_copy(update={"ingest": told.ingest.model_copy(update={"parse_timeout_s": 1e-9})})
    with pytest.raises(DocumentError, match=r"took longer than ingest\.parse_timeout_s"):
        passage_picture(chunk, settings=hasty)


@pytest.mark.parametrize("sides", [(0, 9), (9, 2**31 - 1)])
def test_a_picture_that_would_unpack_to_more_is_refused(
    told: Settings, monkeypatch: pytest.MonkeyPatch, sides: tuple[int, int]
) -> None:
    chunk = found(told, "chapter 2 sea manuals")
    lie = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"".join(side.to_bytes(4) for side in sides)
    monkeypatch.setattr(ParsingProcess, "_awaited", lambda *_: lie)
    with pytest.raises(DocumentError, match="broke its parser"):
        passage_picture(chunk, settings=told)


def test_text_has_no_place_on_a_page(told: Settings, project: Path) -> None:
    (project / "docs" / "note.md").write_text("# Note\n\nThe sea is blue.\n")
    with zipfile.ZipFile(project / "docs" / "packed.zip", "w") as archive:
        archive.writestr("inner.pdf", pdf(chapter))
    list(ingest([project / "docs"], settings=told))
    searcher = Searcher.from_settings(told)
    placed = {hit.chunk.uri for hit in searcher.search("sea", limit=20) if hit.chunk.boxes}
    assert placed == {"docs/manual.pdf"}
    with pytest.raises(DocumentError, match="has no place on a page"):
        passage_picture(found(told, "the sea is blue"), settings=told)


@pytest.mark.parametrize("side", [float("inf"), float("-inf"), float("nan")])
def test_text_that_a_damaged_page_puts_nowhere_has_no_place(side: float) -> None:
    def fragment(right: float) -> Fragment:
        return Fragment(
            text="a", page=1, left=0, right=9, bottom=0, top=9, size=9, bold=False, box=(0.0, 0.0, right, 9.0)
        )

    assert box_of([fragment(8.04)]) == (0.0, 0.0, 8.0, 9.0)
    assert box_of([fragment(8.0), fragment(side)]) is None
