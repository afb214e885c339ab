"""SQuAD 2.0: paragraphs as documents, and questions about them, half of which no paragraph answers.

Rajpurkar, Jia and Liang, Know What You Don't Know: Unanswerable Questions for SQuAD (2018). English only.
"""

from __future__ import annotations

import json
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from evals.bench.planted import MEMBER, PACK
from rag.errors import InputError
from rag.sentences import sentences

__all__ = ["PACK"]

SEED, TUNING_SEED = 300, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question about one paragraph, whose file is `document`, below the folder of all.

    `answers` are the gold answers, and `sentences` of the paragraph those which hold one; both are empty where the
    paragraph has no answer.
    """

    id: str
    question: str
    document: str
    answers: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Squad:
    """The paragraphs as Markdown by the name of their file, and all questions."""

    documents: dict[str, str]
    asked: tuple[Asked, ...]


def read_squad(pack: Path) -> Squad:
    """The whole pack; raises InputError for one that holds something else."""
    documents: dict[str, str] = {}
    asked: list[Asked] = []
    try:
        with tarfile.open(pack) as archive, cast(IO[bytes], archive.extractfile(MEMBER)) as file:
            articles = json.load(file)["data"]
        for article in articles:
            for at, paragraph in enumerate(article["paragraphs"]):
                name = f"{article['title']}/{at:03}.md"
                # The title is known to a reader of the article, and the paragraphs take it for granted.
                documents[name] = f"# {article['title'].replace('_', ' ')}\n\n{paragraph['context']}\n"
                asked.extend(_asked(fields, name, paragraph["context"]) for fields in paragraph["qas"])
    except (OSError, ValueError, KeyError, TypeError, tarfile.TarError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected=f"{MEMBER} as SQuAD 2.0 has it") from None
    return Squad(documents=documents, asked=tuple(asked))


def _asked(fields: Any, document: str, context: str) -> Asked:
    answers = () if fields["is_impossible"] else fields["answers"]
    starts = {answer["answer_start"] for answer in answers}
    holding = (context[a:b] for a, b in sentences(context) if any(a <= start < b for start in starts))
    return Asked(
        id=fields["id"],
        question=fields["question"].strip(),
        document=document,
        answers=tuple(dict.fromkeys(answer["text"] for answer in answers)),
        sentences=tuple(holding),
    )


def write_documents(squad: Squad, folder: Path) -> None:
    """Write the paragraphs below `folder`, those of an article in a folder of its title."""
    for name, text in squad.documents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def draw(asked: Sequence[Asked], *, questions: int, seed: int) -> list[Asked]:
    """So many questions, half of them answerable, in mixed order: the same seed draws the same, from any order."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable, not secret
    drawn = []
    for answerable in (True, False):
        pool = sorted((one for one in asked if bool(one.answers) == answerable), key=lambda one: one.id)
        drawn += chance.sample(pool, min(len(pool), questions // 2))
    return chance.sample(drawn, len(drawn))


def parts(asked: Sequence[Asked], *, reported: int, tuning: int) -> tuple[list[Asked], list[Asked]]:
    """The questions that are reported, and others that may be looked at while something is changed."""
    first = draw(asked, questions=reported, seed=SEED)
    taken = {one.id for one in first}
    return first, draw([one for one in asked if one.id not in taken], questions=tuning, seed=TUNING_SEED)
