"""CoSQA: what people type into a search engine, to the Python function that does it.

Huang et al., CoSQA: 20,000+ Web Queries for Code Search and Question Answering (2021): 6,267 functions, 500 queries of
the development set. Words say little here: the lexical leg is weak.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from evals.bench.collection import Collection
from rag.errors import InputError


def unpack(pack: Path, folder: Path, *, documents: Path) -> Collection:
    """Extract the collection below `folder`, and its functions into `documents`, as text files."""
    with tarfile.open(pack) as archive:
        archive.extractall(folder, filter="data")
    documents.mkdir(exist_ok=True)
    source = folder / "cosqa"
    try:
        functions = json.loads((source / "code_idx_map.txt").read_text(encoding="utf-8"))
        for code, number in functions.items():
            (documents / f"{number}.txt").write_text(code + "\n", encoding="utf-8")
        asked = json.loads((source / "cosqa-retrieval-dev-500.json").read_text(encoding="utf-8"))
        questions = {one["idx"]: one["doc"] for one in asked}
        relevant = {one["idx"]: {f"{functions[one['code']]}.txt": 1} for one in asked}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected="CoSQA's JSON") from None
    return Collection(documents=documents, questions=questions, relevant=relevant)
