"""How much memory an ingest takes: of all its processes together, at the worst moment.

Memory is what the system can't take back. Pages of the index that are mapped from disk are told beside it: they fill
what is free, and go when something else needs it.

`random_vectors.py` takes the place of the model, so that this takes minutes and not hours; `filling` tells what it is
with the local model. The text is words of the example handbook, drawn at random.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import psutil

from evals.bench.cold import environment, plumb_command
from evals.bench.figures import Line, Measured, Note
from evals.bench.project import HANDBOOK, new_project, require_examples
from rag.errors import PlumbError

BAR_MB = 1500.0
CHUNKS = 100_000
CHUNKS_A_DOCUMENT = 100
WORDS_A_CHUNK = 90
LARGE_TEXT_MB = 200
PDF_PAGES = 1000
LINES_A_PAGE = 50
SETTINGS = {
    "PLUMB_ROLES__EMBED": "llama_index:evals.bench.random_vectors.RandomVectors",
    # Its tokens are guessed, and too many: chunks as long as those of the local model.
    "PLUMB_INGEST__CHUNK_TOKENS": "280",
}
_LOOK_S = 0.1


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Megabytes against the bar: many documents, and a quarter of them; a large text; a long PDF."""
    require_examples()
    documents = limit or CHUNKS // CHUNKS_A_DOCUMENT
    megabytes, pages = min(limit or LARGE_TEXT_MB, LARGE_TEXT_MB), min(limit or PDF_PAGES, PDF_PAGES)
    few = _peak_of(lambda folder: _write_documents(folder, documents // 4 or 1))
    many = _peak_of(lambda folder: _write_documents(folder, documents))
    yield _against_bar(f"{documents:,} documents of about {CHUNKS_A_DOCUMENT} chunks", many)
    yield Measured(
        name="over a quarter of them", value=many.held / few.held, reference=1.0, against="flat", is_bar=False
    )
    yield _against_bar(f"a text of {megabytes} MB", _peak_of(lambda folder: _write_text(folder, megabytes)))
    if find_spec("reportlab") is None:
        yield Note(text="no long PDF: reportlab is not installed")
        return
    yield _against_bar(f"a PDF of {pages:,} pages", _peak_of(lambda folder: _write_pdf(folder, pages)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peak:
    """The most that some processes held together, in megabytes, and the most with what was mapped from disk."""

    held: float = 0.0
    mapped: float = 0.0


def _against_bar(name: str, peak: _Peak) -> Measured:
    note = f"{peak.mapped:,.0f} MB with what is mapped from disk"
    return Measured(name=name, value=peak.held, reference=BAR_MB, against="the bar", unit="MB", highest=True, note=note)


def _peak_of(write: Callable[[Path], None]) -> _Peak:
    """That of `plumb ingest` and its processes while it takes what was written."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        new_project(project)
        (project / "documents").mkdir()
        write(project / "documents")
        said = project / "said.txt"
        with said.open("w") as output:
            running = subprocess.Popen(
                [*plumb_command(), "ingest", "documents"],
                cwd=project,
                env={**environment(), **SETTINGS},
                stdout=output,
                stderr=output,
            )
        peak = _Peak()
        while running.poll() is None:
            held, mapped = _memory_mb(running.pid)
            peak = _Peak(held=max(peak.held, held), mapped=max(peak.mapped, mapped))
            time.sleep(_LOOK_S)
        if running.returncode:
            raise PlumbError(f"plumb ingest failed: {said.read_text()[-500:]}", expected="exit code 0")
        return peak


def _memory_mb(pid: int) -> tuple[float, float]:
    """What a process and all below it hold now, without and with pages of files, which count for each process."""
    own = everything = 0
    try:
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            memory = process.memory_info()
            own, everything = own + memory.rss - memory.shared, everything + memory.rss
    except psutil.NoSuchProcess:  # it ended meanwhile
        pass
    return own / 1e6, everything / 1e6


def _paragraphs(seed: int) -> Iterator[str]:
    words = np.array(" ".join(file.read_text(encoding="utf-8") for file in sorted(HANDBOOK.rglob("*.md"))).split())
    draw = np.random.default_rng(seed)
    while True:
        yield " ".join(draw.choice(words, WORDS_A_CHUNK))


def _write_documents(folder: Path, number: int) -> None:
    paragraphs = _paragraphs(1)
    for document in range(number):
        text = "\n\n".join(islice(paragraphs, CHUNKS_A_DOCUMENT))
        (folder / f"{document}.md").write_text(f"# Document {document}\n\n{text}\n", encoding="utf-8")


def _write_text(folder: Path, megabytes: int) -> None:
    written, paragraphs = 0, _paragraphs(2)
    with (folder / "large.txt").open("w", encoding="utf-8") as file:
        while written < megabytes * 1_000_000:
            written += file.write(f"{next(paragraphs)}\n\n")


def _write_pdf(folder: Path, pages: int) -> None:
    from reportlab.pdfgen import canvas

    paragraphs, sheet = _paragraphs(3), canvas.Canvas(str(folder / "long.pdf"))
    for _ in range(pages):
        for line in range(LINES_A_PAGE):
            sheet.drawString(50, 800 - 15 * line, next(paragraphs)[:90])
        sheet.showPage()
    sheet.save()
