"""A project with 80 questions about limits, and models scripted to answer them well, badly and nearly well."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

CITIES = "Athens Berlin Dublin Lisbon Madrid Oslo Paris Rome Vienna Zurich".split()
KINDS = "breakfast dinner hotel laundry lunch parking taxi train".split()
DECLINED = "NOT IN THE DOCUMENTS"


def write_project(folder: Path) -> None:
    """Documents, questions, scripts and settings."""
    (folder / "docs").mkdir()
    for kind in KINDS:
        lines = [f"The {kind} limit in {city} is {limit(kind, city)} EUR." for city in CITIES]
        (folder / "docs" / f"{kind}.md").write_text(f"# Limits: {kind}\n\n" + "\n\n".join(lines) + "\n")
    (folder / "limits.jsonl").write_text("".join(json.dumps(question(kind, city)) + "\n" for kind, city in asked()))
    for name, lost in {"old": (), "bad": asked()[20:28], "near": (asked()[3], asked()[45])}.items():
        (folder / f"{name}.json").write_text(json.dumps([entry(*one, lost=lost) for one in asked()]))
    (folder / "plumbline.toml").write_text(
        '[roles]\nanswer = "scripted:old.json"\nembed = "scripted:words"\n\n[generate]\nprompt = "answer-cited"\n'
    )


def asked() -> list[tuple[str, str]]:
    """What and where."""
    return [(kind, city) for kind in KINDS for city in CITIES]


def limit(kind: str, city: str) -> int:
    """Different for each."""
    return 100 + 10 * KINDS.index(kind) + CITIES.index(city)


def question(kind: str, city: str) -> dict[str, object]:
    """A line of the dataset."""
    return {
        "id": f"{kind}-{city.lower()}",
        "question": f"What is the {kind} limit in {city}?",
        "facts": [[str(limit(kind, city))]],
        "sources": [f"{kind}.md"],
        "tags": [kind],
    }


def entry(kind: str, city: str, *, lost: Collection[tuple[str, str]]) -> dict[str, str]:
    """What a model says; it declines what it lost."""
    reply = f"The {kind} limit in {city} is {limit(kind, city)} EUR [1]."
    return {"match": f"Question: .*{kind} limit in {city}", "reply": DECLINED if (kind, city) in lost else reply}
