"""A fresh project in a folder, and the examples that come with the repository."""

from __future__ import annotations

from pathlib import Path

from rag.errors import InputError
from rag.settings import CONFIG_NAME, Settings, load_settings

REPOSITORY = Path(__file__).parents[2]
HANDBOOK = REPOSITORY / "examples" / "handbook"
QUESTIONS = REPOSITORY / "examples" / "questions.jsonl"
HELD_OUT = REPOSITORY / "examples" / "questions-held-out.jsonl"
TUNING = REPOSITORY / "examples" / "questions-tuning.jsonl"


def new_project(folder: Path) -> Settings:
    """The default settings of a new project in `folder`; PLUMB_* variables hold here too."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / CONFIG_NAME
    config.touch()
    return load_settings(config)


def require_examples() -> None:
    """Raise InputError where the examples are absent: an installed package has none."""
    if not (HANDBOOK.is_dir() and QUESTIONS.is_file()):
        raise InputError(f"no {HANDBOOK}", expected="a clone of the repository", remedy="run this in a clone")
