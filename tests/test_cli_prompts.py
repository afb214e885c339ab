"""plumb prompts: files and a Langfuse server kept in step."""

from __future__ import annotations

from pathlib import Path

from command_line import Plumb, failed, fine, parsed
from prompt_server import FakePrompts


def test_a_prompt_is_pushed_changed_pulled_and_labelled(plumb: Plumb, filled: Path, fake_prompts: FakePrompts) -> None:
    assert fine(plumb("prompts", "push", "answer", "--label", "production")).strip() == "answer: version 1, production"
    assert fine(plumb("prompts", "push", "answer")).strip() == "answer: version 1"
    assert fine(plumb("prompts", "diff", "answer")) == ""
    config = filled / "plumbline.toml"
    text = config.read_text()
    config.write_text(f'{text}\n[generate]\nprompt = "langfuse:answer"\nprompts_dir = "prompts"\n')
    fine(plumb("prompts", "pull", "answer"))
    file = filled / "prompts" / "answer.md"
    file.write_text(file.read_text().replace("# user", "# user\nBe brief."))
    shown = plumb("prompts", "diff", "answer")
    assert shown.returncode == 1
    assert "+Be brief." in shown.stdout
    assert fine(plumb("prompts", "push", "answer")).strip() == "answer: version 2"
    fine(plumb("prompts", "label", "answer", "2", "production"))
    assert fake_prompts.labels["answer"]["production"] == 2
    rows = {(row["name"], row["where"]): row for row in parsed(plumb("prompts", "list", "--json"))}
    assert rows["answer", "langfuse"]["answers"] == "production"
    assert rows["rewrite", "shipped"]["answers"] == ""


def test_without_keys_the_list_is_of_files_and_the_rest_says_so(plumb: Plumb, filled: Path) -> None:
    assert "answer-cited" in fine(plumb("prompts", "list"))
    assert "no Langfuse keys are set" in failed(plumb("prompts", "push", "answer"), code=2)


def test_what_the_server_does_not_have_is_one_line(plumb: Plumb, filled: Path, fake_prompts: FakePrompts) -> None:
    assert "no prompt 'answer' with the label 'best'" in failed(
        plumb("prompts", "diff", "answer", "--label", "best"), code=2
    )
