"""Settings changed by dotted key: for one command, and in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import ConfigError
from rag.overrides import current, read_changes, write_changes
from rag.settings import load_settings

TOLD = """# how we search
[retrieve]
limit = 5  # few
[roles]
answer = "scripted:a.json"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plumbline.toml"
    path.write_text(TOLD)
    return path


def test_a_value_is_toml_or_a_text_without_quotes() -> None:
    told = ["retrieve.limit=6", "roles.answer=openai:gpt-5-mini", 'roles.judge = ["a:b", "c:d"]', "cache.enabled=false"]
    assert read_changes(told) == {
        "retrieve.limit": 6,
        "roles.answer": "openai:gpt-5-mini",
        "roles.judge": ["a:b", "c:d"],
        "cache.enabled": False,
    }
    for nothing in ("retrieve.limit", "=5", ""):
        with pytest.raises(ConfigError, match="changes nothing; expected KEY=VALUE"):
            read_changes([nothing])


def test_settings_with_a_change_are_those_that_the_changed_file_gives(file: Path) -> None:
    changes = read_changes(["retrieve.limit=6", "generate.max_tokens=300"])
    for_once = load_settings(file, changes=changes)
    assert (for_once.retrieve.limit, for_once.generate.max_tokens) == (6, 300)
    assert load_settings(file).retrieve.limit == 5
    write_changes(file, changes)
    assert load_settings(file) == for_once
    assert load_settings(file).config_hash() == for_once.config_hash()
    assert "# how we search" in file.read_text()
    assert "# few" in file.read_text()


def test_what_was_there_comes_back(file: Path) -> None:
    changes = {"retrieve.limit": 6, "generate.max_tokens": 300}
    before = current(file, list(changes))
    assert before == {"retrieve.limit": 5}
    write_changes(file, changes)
    write_changes(file, before, without=[key for key in changes if key not in before])
    assert load_settings(file).retrieve.limit == 5
    assert "max_tokens" not in file.read_text()


def test_a_change_that_a_variable_overrules_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMB_RETRIEVE__LIMIT", "7")
    with pytest.raises(ConfigError, match=r"PLUMB_RETRIEVE__LIMIT is set and wins over a change of retrieve\.limit"):
        load_settings(file, changes={"retrieve.limit": 6})


def test_an_unknown_key_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'retrieve\.limits'"):
        load_settings(file, changes={"retrieve.limits": 6})
