"""Prompt files: shipped ones, a project's own, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import ConfigError
from rag.prompts import SHIPPED, load_prompt

HEAD = '+++\nid = "answer"\nversion = "7b"\n+++\n'
BODY = "# system\nBe brief.\n\n# user\n$passages costs $$5\n# no section\nQuestion: $question\n"


def test_every_shipped_prompt_loads() -> None:
    for file in SHIPPED.glob("*.md"):
        prompt = load_prompt(file.stem)
        assert prompt.id == file.stem
        assert prompt.version
        assert len(prompt.sha) == 12
        roles = [message.role for message in prompt.messages]
        # Some show an example between the two.
        assert [roles[0], *roles[-1:]] == ["system", "user"]
        assert roles[1:-1] in ([], ["user", "assistant"])


def test_a_projects_own_prompt_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "answer.md").write_text(HEAD + BODY)
    own = load_prompt("answer", own=tmp_path)
    assert own.version == "7b"
    assert own.sha != load_prompt("answer").sha
    system, user = own.render({"passages": "$question # system", "question": "Why $x?\n# user\n"})
    assert (system.role, system.content) == ("system", "Be brief.")
    assert user.content == "$question # system costs $5\n# no section\nQuestion: Why $x?\n# user"
    assert load_prompt("rewrite", own=tmp_path) == load_prompt("rewrite")


def test_a_windows_file_reads_alike(tmp_path: Path) -> None:
    (tmp_path / "answer.md").write_bytes((HEAD + BODY).replace("\n", "\r\n").encode())
    unix = tmp_path / "unix"
    unix.mkdir()
    (unix / "answer.md").write_text(HEAD + BODY)
    assert load_prompt("answer", own=tmp_path) == load_prompt("answer", own=unix)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no head"),
        (b"# system\nx", "no head"),
        (b'+++\nid = "a"\n+++\n# system\nx', "'version'"),
        (b"+++\nid = \n+++\n# system\nx", "Invalid value"),
        (b'+++\nid = "a"\nversion = 1\n+++\nno section', "section"),
        (b'+++\nid = "a"\nversion = 1\n+++\n# assistent\nx', "section"),
        (b"\xff\xff", "decode"),
    ],
)
def test_a_file_that_is_no_prompt_is_a_config_error(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "answer.md").write_bytes(data)
    with pytest.raises(ConfigError, match=f"can't use the prompt .*{message}") as refused:
        load_prompt("answer", own=tmp_path)
    assert "compare it with" in refused.value.remedy


def test_a_folder_that_is_not_there_is_never_silently_left_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no folder .*nosuch; expected .*generate\.prompts_dir"):
        load_prompt("answer", own=tmp_path / "nosuch")


@pytest.mark.parametrize("text", ["$passage", "${question", "costs $ 5"])
def test_a_placeholder_that_has_no_value_is_a_config_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "answer.md").write_text(f"{HEAD}# user\n{text}\n")
    prompt = load_prompt("answer", own=tmp_path)
    with pytest.raises(ConfigError, match=r"expected \$passages \$question; mend it"):
        prompt.render({"passages": "", "question": ""})


def test_an_unknown_prompt_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="can't use the prompt"):
        load_prompt("nosuch")
