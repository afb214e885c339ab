"""Every document of the formats pack through the public door: how many are read, and how many of their words.

The documents are the test files of unstructured and docling; docling's expected Markdown is what words are counted
against.
"""

from __future__ import annotations

import html
import re
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from evals.bench.figures import Line, Measured, Note
from evals.bench.packs import found_pack, skipped
from ingest.isolate.messages import Job, Part, Refused, Setup
from ingest.isolate.process import ParsingProcess
from rag.sections import Ingest
from rag.settings import Settings
from rag.types import Chunk

PACK = "5_docs_formats.tar.xz"
TIMEOUT_S = 180.0
RECALL = 0.95
BARS = ("docx", "html", "pdf")
SAME = {"htm": "html", "jpeg": "jpg", "tif": "tiff", "text": "txt"}
REASONS = 3
_LICENCE = "LICENSE"


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """What became of the documents of each format, at most `limit` a format; the mean word recall against the bars."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(pack) as archive:
            archive.extractall(folder, filter="data")
        yield from _measured(Path(folder), limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a document ended: its text, or why it was refused, or how it broke the process that read it."""

    end: Literal["parsed", "refused", "broke"]
    text: str
    seconds: float


def outcome(process: ParsingProcess, file: Path) -> Outcome:
    """What the product makes of a file, in a process as an ingest has it."""
    began = time.perf_counter()
    *_, last = messages = list(process.messages(Job(path=file, uri=file.name, source="")))
    seconds = time.perf_counter() - began
    if isinstance(last, Refused):
        return Outcome(end="broke" if last.is_broken else "refused", text=_reason(last, file), seconds=seconds)
    chunks = [chunk for message in messages if isinstance(message, Part) for chunk in message.chunks]
    return Outcome(end="parsed", text="\n".join(_texts(chunks)), seconds=seconds)


def documents(folder: Path) -> list[Path]:
    """The files below, without licences and expected output, by format and name."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != _LICENCE)
    return sorted((file for file in files if "groundtruth" not in file.parts), key=lambda file: (kind(file), file))


def kind(file: Path) -> str:
    """The format by the ending."""
    ending = file.suffix.lower().removeprefix(".") or "no ending"
    return SAME.get(ending, ending)


def expected(file: Path) -> Path | None:
    """The Markdown that docling expects of a document in a folder `sources`, if there is one."""
    if "sources" not in file.parts:
        return None
    at = len(file.parts) - 1 - file.parts[::-1].index("sources")
    folder = Path(*file.parts[:at], "groundtruth", *file.parts[at + 1 : -1])
    named = (folder / f"{file.name}.md", folder / f"{file.stem}.md")
    return next((path for path in named if path.is_file()), None)


def words(text: str) -> Counter[str]:
    """How often each word stands in a text: letters and digits, in lower case."""
    return Counter(re.findall(r"[^\W_]+", text.lower()))


def plain(markdown: str) -> str:
    """Markdown without comments, pictures, addresses of links, tags, escapes and entities."""
    text = re.sub(
        r"<!--.*?-->|!\[[^\]]*\]\([^)]*\)|(?<=\])\([^)]*\)|</?[a-zA-Z][^<>]*>", " ", markdown, flags=re.DOTALL
    )
    return html.unescape(re.sub(r"\\(?=[^\w\s])", "", text))


def recall(found: str, markdown: str) -> float:
    """The share of the expected words that were found, each as often as it is expected."""
    wanted = words(plain(markdown))
    return (wanted & words(found)).total() / wanted.total() if wanted else 1.0


def _measured(folder: Path, limit: int | None) -> Iterator[Line]:
    files = documents(folder)
    left_out = sum(file.is_file() for file in folder.rglob("groundtruth/**/*"))
    yield Note(text=f"{len(files)} documents; {left_out} files are expected output and no documents")
    ends: Counter[str] = Counter()
    settings = Settings(ingest=Ingest(parse_timeout_s=TIMEOUT_S))
    with closing(ParsingProcess(Setup(settings=settings, max_tokens=settings.ingest.chunk_tokens))) as process:
        process.start()  # imports are no part of the first document's time
        for name, group in groupby(files, key=kind):
            outcomes = {file: outcome(process, file) for file in list(group)[:limit]}
            ends.update(found.end for found in outcomes.values())
            yield from _lines(name, outcomes)
    total, well = ends.total(), ends["parsed"] + ends["refused"]
    yield Measured(
        name="read, or refused with a reason",
        value=well / total if total else None,
        reference=1.0,
        against="the bar",
        note=f"{ends['parsed']} parsed, {ends['refused']} refused, {total - well} broke, of {total}",
    )


def _lines(name: str, outcomes: dict[Path, Outcome]) -> Iterator[Line]:
    """A format in one line, its bar in another."""
    parsed = [file for file, outcome in outcomes.items() if outcome.end == "parsed"]
    shares = [
        recall(outcomes[file].text, path.read_text(encoding="utf-8")) for file in parsed if (path := expected(file))
    ]
    longest = max(outcomes, key=lambda file: outcomes[file].seconds)
    mean = sum(shares) / len(shares) if shares else None
    yield Note(
        text="; ".join(
            (
                f"{name}: {len(parsed)} of {len(outcomes)} parsed",
                *_reasons(list(outcomes.values())),
                *([] if mean is None else [f"word recall {mean:.3f} (n = {len(shares)})"]),
                f"longest {outcomes[longest].seconds:.1f} s ({longest.name})",
            )
        )
    )
    if name in BARS:
        yield Measured(name=f"{name}: mean word recall", value=mean, reference=RECALL, against="the bar")


def _texts(chunks: Sequence[Chunk]) -> Iterator[str]:
    """The text of a document, its title and each heading once."""
    yield chunks[0].title
    before: tuple[str, ...] = ()
    for chunk in chunks:
        yield from (heading for heading in chunk.headings if heading not in before)
        yield chunk.text
        before = chunk.headings


def _reason(refused: Refused, file: Path) -> str:
    return refused.reason.removeprefix(file.name).removeprefix(": ").partition(";")[0].strip()


def _reasons(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What kept documents from being read, the most frequent first."""
    for end in ("refused", "broke"):
        reasons = Counter(re.sub(r"\d[\d,]*", "#", outcome.text) for outcome in outcomes if outcome.end == end)
        if reasons:
            told = ", ".join(f"{count} x {reason[:80]}" for reason, count in reasons.most_common(REASONS))
            more = f", and {len(reasons) - REASONS} other reasons" if len(reasons) > REASONS else ""
            yield f"{reasons.total()} {end} ({told}{more})"
