"""FeedbackQA: questions of users about COVID-19, to the passage of a public site that answers them.

Li, Sharma, Lu, Cheung and Reddy, Using Interactive Feedback to Improve the Accuracy and Explainability of
Question-Answering Systems Post-Deployment (2022): passages of the CDC and the UK government, questions of the test set.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.bench.collection import Collection
from rag.errors import InputError

PACK = "4_feedbackqa_cdc_uk.tar.xz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one person said of a passage as the answer to a question: Excellent, Acceptable, ...; and why."""

    rating: str
    comment: str


def unpack(pack: Path, folder: Path, *, documents: Path, site: str) -> Collection:
    """Extract the collection below `folder`, and the passages of a site, CDC or UK, into `documents`, as Markdown."""
    with tarfile.open(pack) as archive:
        archive.extractall(folder, filter="data")
    documents.mkdir(exist_ok=True)
    try:
        told = json.loads((folder / "feedbackqa" / site / "test.json").read_text(encoding="utf-8"))
        for passage in told["passages"]:
            text = _markdown(passage["reference"])
            (documents / f"{passage['passage_id']}.md").write_text(text, encoding="utf-8")
        relevant: dict[str, dict[str, int]] = {}
        for one in told["examples"]:
            relevant.setdefault(one["question"], {})[f"{one['passage_id']}.md"] = 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected="FeedbackQA's JSON") from None
    return Collection(documents=documents, questions={question: question for question in relevant}, relevant=relevant)


def opinions(folder: Path, *, site: str) -> dict[tuple[str, str], list[Opinion]]:
    """What people said, by the question and the file of the passage, of an extracted collection's test set."""
    said: dict[tuple[str, str], list[Opinion]] = {}
    try:
        for row in json.loads((folder / "feedbackqa" / site / "feedback_test.json").read_text(encoding="utf-8")):
            pairs = zip(row["rating"], row["feedback"], strict=True)
            heard = [Opinion(rating=rating, comment=comment.strip()) for rating, comment in pairs]
            said[row["question"], f"{row['passage']['passage_id']}.md"] = heard
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{PACK} can't be used: {error}", expected="FeedbackQA's ratings") from None
    return said


def _markdown(reference: Mapping[str, Any]) -> str:
    names = filter(None, [reference.get("page_title"), *(reference.get("section_headers") or [])])
    headings = [f"{'#' * min(depth, 6)} {' '.join(str(name).split())}" for depth, name in enumerate(names, 1)]
    return "\n\n".join([*headings, reference["section_content"] or ""]) + "\n"
