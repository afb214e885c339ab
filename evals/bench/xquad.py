"""XQuAD: questions to the paragraph that answers them, the same in many languages.

Artetxe, Ruder and Yogatama, On the Cross-lingual Transferability of Monolingual Representations (2020): 240 paragraphs,
1,190 questions a language.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from evals.bench.collection import Collection
from rag.errors import InputError


def unpack(pack: Path, folder: Path, *, documents: Path, language: str = "en") -> Collection:
    """Extract the collection below `folder`, and its paragraphs into `documents`, as text files."""
    with tarfile.open(pack) as archive:
        archive.extractall(folder, filter="data")
    documents.mkdir(exist_ok=True)
    try:
        articles = json.loads((folder / "xquad" / f"xquad.{language}.json").read_text(encoding="utf-8"))["data"]
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        asked = {}
        for number, paragraph in enumerate(paragraphs):
            (documents / f"{number:03}.txt").write_text(paragraph["context"] + "\n", encoding="utf-8")
            asked.update({one["id"]: (one["question"], f"{number:03}.txt") for one in paragraph["qas"]})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected="XQuAD's JSON") from None
    return Collection(
        documents=documents,
        questions={name: question for name, (question, _) in asked.items()},
        relevant={name: {document: 1} for name, (_, document) in asked.items()},
    )
