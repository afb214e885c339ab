"""A data set in BEIR's form: corpus.jsonl, queries.jsonl and qrels/NAME.tsv.

Thakur et al., BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models (2021).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from evals.imports.files import json_lines, numbered, safe_name, write_document
from evals.imports.sample import Sample
from rag.case import Case, Split
from rag.errors import InputError

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class _Line(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(alias="_id", min_length=1)
    title: str | None = ""
    text: str = ""


def beir(folder: Path, documents: Path, *, judged: str, split: Split, sample: Sample) -> Iterator[Case]:
    """Write every document of the corpus, then tell the cases of `qrels/{judged}.tsv`, all or a sample of them.

    All documents with a grade above zero are sources. What is not in the corpus, or empty, is no source; a query
    without any is left out. Raises InputError, which names file and line, and StoreError.
    """
    relevant = _judged(folder / "qrels" / f"{judged}.tsv")
    chosen = {name: relevant[name] for name in sample.of(relevant)}
    wanted = {document for names in chosen.values() for document in names}
    there = _write_documents(folder / "corpus.jsonl", documents, wanted)
    for query in json_lines(folder / "queries.jsonl", _Line):
        found = [document for document in chosen.get(query.id, ()) if document in there]
        if found and query.text.strip():
            yield Case(
                id=query.id,
                question=query.text.strip(),
                sources=tuple(f"{documents.name}/{_file(document)}" for document in found),
                tags=(folder.name,),
                split=split,
                origin="imported",
            )


def _judged(file: Path) -> Mapping[str, list[str]]:
    """The relevant documents of each query."""
    relevant: dict[str, list[str]] = {}
    for number, line in numbered(file):
        parts = line.split("\t") if "\t" in line else line.split()
        # TREC's form has a fourth column, the second, which tells nothing.
        if len(parts) not in (3, 4) or not _NUMBER.fullmatch(parts[-1].strip()):
            if number == 1:
                continue
            seen = f"{file}, line {number}: {line.strip()[:80]!r}"
            raise InputError(seen, expected="a query, a document and a grade", remedy="mend that line")
        query, document, grade = parts[0].strip(), parts[-2].strip(), float(parts[-1])
        if grade > 0:
            relevant.setdefault(query, []).append(document)
    return relevant


def _write_documents(corpus: Path, folder: Path, wanted: Collection[str]) -> set[str]:
    """Write all of the corpus; which of the wanted ones are in it."""
    there: set[str] = set()
    for document in json_lines(corpus, _Line):
        title, text = " ".join((document.title or "").split()), document.text.strip()
        if title or text:
            write_document(folder, _file(document.id), "\n\n".join(filter(None, [title and f"# {title}", text])) + "\n")
            there |= {document.id} & set(wanted)
    return there


def _file(document: str) -> str:
    return f"{safe_name(document)}.md"
