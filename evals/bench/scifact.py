"""SciFact: claims to the abstracts that bear on them.

Wadden et al., Fact or Fiction: Verifying Scientific Claims (2020), in the split of BEIR: 5,183 abstracts, 300 claims.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import tarfile
import tokenize
from pathlib import Path

from evals.bench.collection import Collection
from rag.errors import InputError

PACK = "2_retrieval_scifact_xquad_cosqa.tar.xz"


def unpack(pack: Path, folder: Path, *, documents: Path) -> Collection:
    """Extract the collection below `folder`, and its abstracts into `documents`, as Markdown files."""
    with tarfile.open(pack) as archive:
        archive.extractall(folder, filter="data")
    source = folder / "scifact"
    try:
        _write_documents(source / "corpus_train.csv", documents)
        topics = _topics(source / "topics.beir-v1.0.0-scifact.test.tsv.gz")
        relevant = _relevant(source / "qrels.beir-v1.0.0-scifact.test.txt")
    except (OSError, ValueError, KeyError, SyntaxError, tokenize.TokenError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected="SciFact as BEIR has it") from None
    return Collection(documents=documents, questions=topics, relevant=relevant)


def _write_documents(table: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            abstract = " ".join(_sentences(row["abstract"]))
            (folder / f"{int(row['doc_id'])}.md").write_text(f"# {row['title']}\n\n{abstract}\n", encoding="utf-8")


def _sentences(literal: str) -> list[str]:
    """The strings of a list that was printed without commas, so that Python would run its sentences together."""
    tokens = tokenize.generate_tokens(io.StringIO(literal).readline)
    return [str(ast.literal_eval(token.string)) for token in tokens if token.type == tokenize.STRING]


def _topics(file: Path) -> dict[str, str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        pairs = (line.rstrip("\n").split("\t", 1) for line in lines)
        return dict(pairs)


def _relevant(file: Path) -> dict[str, dict[str, int]]:
    relevant: dict[str, dict[str, int]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        topic, _, document, grade = line.split()
        relevant.setdefault(topic, {})[f"{document}.md"] = int(grade)
    return relevant
