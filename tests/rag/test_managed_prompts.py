"""Prompts kept in Langfuse: the last good one answers, whatever the server does, and a trial takes its share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prompt_server import FakePrompts, running

from rag.engine import Engine
from rag.errors import ConfigError
from rag.observe.account import Account
from rag.prompts import load_prompt, prompt_text, read_prompt
from rag.prompts.choice import AnswerPrompts, fetching
from rag.prompts.managed import ManagedPrompt, managed
from rag.prompts.server import PromptServer
from rag.sections import Generate, LangfuseServer
from rag.settings import Settings, load_settings

SYSTEM = ("system", "Answer from the passages, in {{ language }}; a price is $ 5.")
USER = ("user", "{{passages}}\n\nQ: {{question}}")


@pytest.fixture
def fake() -> Iterator[FakePrompts]:
    with running() as found:
        yield found


def account(fake: FakePrompts, *, timeout_s: float = 5) -> Account:
    return Account(host=fake.url, public_key="pk-lf-test", secret_key="sk-lf-test", timeout_s=timeout_s)


def made(fake: FakePrompts | None, folder: Path, told: str = "langfuse:answer@production") -> ManagedPrompt:
    wanted = managed(told)
    assert wanted
    return ManagedPrompt(wanted, copies=folder / "prompts", own=None, fetch=fetching(account(fake) if fake else None))


def eventually(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


def test_a_prompt_goes_there_and_back_unchanged(fake: FakePrompts) -> None:
    shipped = load_prompt("answer")
    with PromptServer(account(fake)) as server:
        assert server.create(shipped, labels=["production"]) == 1
        found = server.get("answer", label="production")
    there = fake.versions["answer"][0]
    assert all("$" not in one["content"] for one in there)
    assert "{{passages}}" in there[-1]["content"]
    assert found
    values = {name: f"<{name}>" for name in ("passages", "history", "question", "language")}
    assert found.render(values) == shipped.render(values)
    assert found.version == "langfuse-1"


def test_what_only_looks_like_a_placeholder_is_text(fake: FakePrompts) -> None:
    fake.add("answer", SYSTEM, ("user", "{{question}} costs $5 or ${x}"), label="production")
    with PromptServer(account(fake)) as server:
        found = server.get("answer", label="production")
    assert found
    _, user = found.render({"question": "Q", "language": "English"})
    assert user.content == "Q costs $5 or ${x}"


def test_what_is_not_there_is_none(fake: FakePrompts) -> None:
    with PromptServer(account(fake)) as server:
        assert server.get("answer", label="production") is None


def test_the_file_answers_until_the_server_did_and_the_copy_after_a_restart(fake: FakePrompts, tmp_path: Path) -> None:
    prompt = made(fake, tmp_path)
    assert prompt.current == load_prompt("answer")
    fake.add("answer", SYSTEM, USER, label="production")
    prompt.refresh()
    first = prompt.current
    assert (first.version, first.id) == ("langfuse-1", "answer")
    fake.status = 503
    prompt.refresh()
    assert prompt.current == first
    assert made(None, tmp_path).current == first
    fake.status = 200
    fake.add("answer", SYSTEM, ("user", "{{question}} {{passages}}"), label="production")
    prompt.refresh()
    assert prompt.current.version == "langfuse-2"


def test_a_pinned_prompt_is_fetched_once_more_and_stays(fake: FakePrompts, tmp_path: Path) -> None:
    prompt = made(fake, tmp_path)
    fake.add("answer", SYSTEM, USER, label="production")
    prompt.pin()
    assert prompt.current.version == "langfuse-1"
    fake.add("answer", SYSTEM, ("user", "{{question}} {{passages}}"), label="production")
    prompt.refresh()
    assert prompt.current.version == "langfuse-1"
    assert made(None, tmp_path).current.version == "langfuse-1"


def test_without_a_file_a_copy_or_a_server_there_is_no_prompt(fake: FakePrompts, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no prompt 'mine' with the label 'production'"):
        made(None, tmp_path, "langfuse:mine")
    fake.add("mine", SYSTEM, USER, label="production")
    assert made(fake, tmp_path, "langfuse:mine").current.version == "langfuse-1"
    with pytest.raises(ConfigError, match="langfuse:NAME@LABEL"):
        managed("langfuse:")


@pytest.mark.parametrize(
    "bad",
    [
        ("user", "{{passages}} {{question}} {{nobody}}"),
        ("user", "{{question}}"),
        ("user", "{{passages}} {{question}} {{größe}}"),
        ("developer", "x"),
    ],
)
def test_a_prompt_that_can_not_be_used_changes_nothing(
    fake: FakePrompts, tmp_path: Path, bad: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    prompt = made(fake, tmp_path)
    fake.add("answer", bad, label="production")
    with caplog.at_level(logging.DEBUG, logger="plumbline"):
        prompt.refresh()
        prompt.refresh()
    assert prompt.current == load_prompt("answer")
    assert "answer" in caplog.text
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


def test_a_server_that_hangs_delays_no_question(
    fake: FakePrompts, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-test")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-test")
    settings = load_settings(filled / "plumbline.toml")
    changed = {
        "langfuse": LangfuseServer(host=fake.url, prompt_refresh_s=0.05),
        "generate": settings.generate.model_copy(update={"prompt": "langfuse:answer@production"}),
    }
    fake.hang_s = 30
    began = time.monotonic()
    engine = Engine.from_settings(settings.model_copy(update=changed))
    answer = engine.ask("How many working days of annual leave do full-time employees have?")
    assert time.monotonic() - began < 5
    assert "30 working days" in answer.text
    fake.add("answer", SYSTEM, USER, label="production")
    fake.hang_s = 0
    fake.released.set()
    assert eventually(lambda: engine.prompts[0].version == "langfuse-1")


def test_a_trial_takes_its_share_and_a_session_keeps_its_prompt(tmp_path: Path) -> None:
    own = tmp_path / "prompts"
    own.mkdir()
    (own / "other.md").write_text(prompt_text(replace(load_prompt("answer"), id="other", version="7")))
    generate = Generate(prompts_dir=Path("prompts"), trial_prompt="other", trial_share=0.3)
    prompts = AnswerPrompts(Settings(root=tmp_path, generate=generate))
    drawn = [prompts.of(f"session-{number}").id for number in range(2_000)]
    assert 0.26 < drawn.count("other") / len(drawn) < 0.34
    assert drawn == [prompts.of(f"session-{number}").id for number in range(2_000)]
    assert {prompt.id for prompt in prompts.prompts} == {"answer", "other"}


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    shipped = load_prompt("answer-cited")
    (tmp_path / "copy.md").write_text(prompt_text(shipped))
    found = read_prompt(tmp_path / "copy.md")
    assert found
    assert (found.id, found.version, found.messages) == (shipped.id, shipped.version, shipped.messages)
    assert read_prompt(tmp_path / "none.md") is None
