"""A change comes into force through the gate, or not at all; it is taken back at a word."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from limits_project import write_project
from prompt_server import FakePrompts, running
from typer import Typer
from typer.testing import CliRunner, Result

from evals import promotion
from evals.baselines import baselines, find_run
from evals.change import Change
from evals.cli import app as eval_app
from evals.decisions import decisions, decisions_path
from evals.promote_cli import promote
from evals.promotion import promotions
from ingest.pipeline import ingest
from rag.errors import ConfigError, InputError
from rag.observe import ship
from rag.observe.account import Account
from rag.prompts import load_prompt
from rag.prompts.server import PromptServer
from rag.settings import Settings, load_settings
from rag.versions import Versions

Promote = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The project of 80 questions; its run with the old model is the baseline."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    list(ingest([tmp_path / "docs"], settings=settings))
    for command in (["run", "limits.jsonl"], ["baseline", "main", "latest"]):
        done = CliRunner().invoke(eval_app, command)
        assert done.exit_code == 0, done.output
    return settings


@pytest.fixture
def promoted() -> Promote:
    app = Typer()
    app.command()(promote)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_what_fails_the_gate_changes_nothing(project: Settings, promoted: Promote) -> None:
    before = (project.root / "plumbline.toml").read_text()
    for model, code, verdict in (("bad", 1, "fail"), ("near", 3, "inconclusive")):
        done = promoted("--set", f"roles.answer=scripted:{model}.json")
        assert done.exit_code == code, done.output
        assert "nothing was changed" in done.output
        assert [one.verdict for one in decisions(decisions_path(project))][-1] == verdict
    assert (project.root / "plumbline.toml").read_text() == before
    assert promotions(project) == []


def test_what_passes_is_in_force_and_is_the_baseline_until_it_is_taken_back(
    project: Settings, promoted: Promote
) -> None:
    file = project.root / "plumbline.toml"
    before, baseline = file.read_text(), baselines(project)["main"]
    assert promoted("--set", "retrieve.limit=6", "--dry-run").exit_code == 0
    assert file.read_text() == before
    told = json.loads(promoted("--set", "retrieve.limit=6", "--set", "cache.enabled=false", "--json").stdout)
    assert told["decision"]["verdict"] == "pass"
    assert (load_settings().retrieve.limit, load_settings().cache.enabled) == (6, False)
    assert baselines(project)["main"].run_id == told["decision"]["run"]
    assert find_run(project, "main").config_hash == load_settings().config_hash()
    assert "retrieve.limit = 6; cache.enabled = False  in force" in promoted("--history").output
    assert "taken back" in promoted("--rollback").output
    assert (load_settings(), baselines(project)["main"].run_id) == (project, baseline.run_id)
    assert [one.state for one in promotions(project)] == ["taken back"]
    with pytest.raises(InputError, match="nothing was promoted that is in force"):
        raise promoted("--rollback").exception or AssertionError


def test_the_latest_run_is_told_to_be_a_trial_where_another_system_answers(
    project: Settings, promoted: Promote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(eval_app, arguments)
        assert isinstance(result.exception, SystemExit | None)
        return result.stderr

    assert (said("gate"), said("baseline", "same")) == ("", "")
    promoted("--set", "roles.answer=scripted:bad.json")
    told = "roles.answer scripted:bad.json, in force is roles.answer scripted:old.json\n"
    for command in (("gate",), ("gate", "--json"), ("baseline", "other")):
        (line,) = said(*command).splitlines()
        assert line.startswith("plumb: 'latest' is a trial run, ")
        assert f"{line}\n".endswith(told)
    assert said("gate", find_run(project, "latest").id) == ""
    # What changes no answer makes no trial of it, and what was promoted is in force.
    assert promoted("--set", "retrieve.limit=6").exit_code == 0
    monkeypatch.setenv("PLUMB_TRACE__SLOW_S", "1")
    assert said("gate") == ""
    list(ingest([project.root / "docs"], settings=project, version="v2"))
    CliRunner().invoke(eval_app, ["run", "limits.jsonl", "--index", "v2"])
    assert said("gate").endswith(": index plumbline v2, in force is index plumbline v1\n")
    # A machine that only holds runs against each other needs no index.
    monkeypatch.setenv("PLUMB_STORE__KIND", "server")
    monkeypatch.setenv("PLUMB_STORE__URL", "nonsense://here")
    assert ", in force is store.kind server" in said("gate")


def test_a_version_of_the_index_is_promoted(project: Settings, promoted: Promote) -> None:
    versions = Versions(project)
    list(ingest([project.root / "docs"], settings=project, version="v2"))
    assert promoted("--index", "v2").exit_code == 0
    assert versions.live() == "v2"
    assert find_run(project, "main").index.name.endswith("v2")
    promoted("--rollback")
    assert versions.live() == "v1"
    unknown = promoted("--index", "v9").exception
    assert isinstance(unknown, InputError)


def test_what_somebody_changed_since_is_not_taken_back(project: Settings, promoted: Promote) -> None:
    assert promoted("--set", "retrieve.limit=6").exit_code == 0
    file = project.root / "plumbline.toml"
    file.write_text(file.read_text().replace("limit = 6", "limit = 7"))
    with pytest.raises(InputError, match=r"retrieve\.limit in .* is 7, not what was promoted; expected 6"):
        raise promoted("--rollback").exception or AssertionError
    assert load_settings().retrieve.limit == 7


def test_a_change_that_was_begun_is_taken_back(
    project: Settings, promoted: Promote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(promotion, "set_baseline", crash)
    promoted("--set", "retrieve.limit=6")
    assert [one.state for one in promotions(project)] == ["begun"]
    assert load_settings().retrieve.limit == 6
    monkeypatch.undo()
    monkeypatch.chdir(project.root)
    assert promoted("--rollback").exit_code == 0
    assert load_settings() == project


def test_nothing_is_promoted_on_what_was_true_before(project: Settings, promoted: Promote) -> None:
    assert promoted("--set", "retrieve.limit=6", "--dry-run").exit_code == 0
    run, decision = find_run(project, "latest"), [*decisions(decisions_path(project))][-1]
    file = project.root / "plumbline.toml"
    file.write_text(file.read_text() + "\n[cache]\nenabled = true\n")
    changed = load_settings()
    with pytest.raises(InputError, match=r"what the settings come to is .* by now"):
        promotion.promote(changed, Change(settings={"retrieve.limit": 6}), run, file, decision)
    assert load_settings() == changed


def test_options_that_mean_two_things_are_refused(project: Settings, promoted: Promote) -> None:
    for arguments in (("--rollback", "--dry-run"), ("--history", "--rollback"), ("--rollback", "--set", "a.b=1")):
        assert isinstance(promoted(*arguments).exception, ConfigError)
    assert "gate.margin decides on changes" in str(promoted("--set", "gate.margin=1.0").exception)


def test_there_must_be_something_to_change(project: Settings, promoted: Promote) -> None:
    for arguments, said in (
        ((), "nothing is to change; expected --set, --index or --prompt"),
        (
            ("--set", "retrieve.limits=6"),
            "unknown setting 'retrieve.limits' in --set retrieve.limits=...; expected a known key",
        ),
        (("--prompt", "answer@candidate"), "generate.prompt is 'answer-cited'; expected langfuse:answer@production"),
    ):
        error = promoted(*arguments).exception
        assert isinstance(error, ConfigError)
        assert said in str(error)


def test_the_questions_of_the_baseline_are_asked_wherever_one_stands(
    project: Settings, promoted: Promote, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "below").mkdir()
    monkeypatch.chdir(project.root / "below")
    assert CliRunner().invoke(eval_app, ["run", "../limits.jsonl", "--tag", "hotel"]).exit_code == 0
    assert CliRunner().invoke(eval_app, ["baseline", "main", "latest"]).exit_code == 0
    monkeypatch.chdir(project.root)
    told = json.loads(promoted("--set", "retrieve.limit=6", "--json").stdout)
    # The part of them that was asked then.
    assert told["decision"]["cases"] == 10


@pytest.fixture
def prompts(project: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePrompts]:
    """A server whose prompt answers in the project of now; the baseline was asked with it."""
    with running() as fake:
        create(fake, "production")
        monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-test")
        monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-test")
        monkeypatch.setenv("PLUMB_LANGFUSE__HOST", fake.url)
        # Traces are not what this server takes.
        monkeypatch.setattr(ship, "ship_detached", lambda _: None)
        file = project.root / "plumbline.toml"
        file.write_text(file.read_text().replace('"answer-cited"', '"langfuse:answer-cited@production"'))
        for command in (["run", "limits.jsonl"], ["baseline", "main", "latest"]):
            assert CliRunner().invoke(eval_app, command).exit_code == 0
        yield fake


def create(fake: FakePrompts, label: str, *, more: str = "") -> None:
    """A version of the shipped prompt that this label points to."""
    shipped = load_prompt("answer-cited")
    first, *others = shipped.messages
    said = replace(first, content=f"{first.content}{more}")
    with PromptServer(Account(host=fake.url, public_key="pk", secret_key="sk", timeout_s=5)) as server:
        server.create(replace(shipped, messages=(said, *others)), labels=[label])


def test_a_prompt_is_promoted_by_its_label(prompts: FakePrompts, promoted: Promote) -> None:
    labels = prompts.labels["answer-cited"]
    create(prompts, "candidate", more=" Be brief.")
    assert promoted("--prompt", "answer-cited@candidate", "--dry-run").exit_code == 0
    assert labels["production"] == 1
    # The copy on the disk is of the version before: a run is asked with what the label points to when it begins.
    create(prompts, "candidate", more=" Be very brief.")
    done = promoted("--prompt", "answer-cited@candidate")
    assert done.exit_code == 0, done.output
    assert labels["production"] == 3
    assert find_run(load_settings(), "main").prompts[0].version == "langfuse-3"
    assert promoted("--rollback").exit_code == 0
    assert labels["production"] == 1
    assert find_run(load_settings(), "main").prompts[0].version == "langfuse-1"


def test_a_prompt_that_nobody_has_is_told_before_anything_is_asked(prompts: FakePrompts, promoted: Promote) -> None:
    error = promoted("--prompt", "answer-cited@none").exception
    assert isinstance(error, InputError)
    assert "the server has no prompt answer-cited@none" in str(error)
    assert prompts.labels["answer-cited"]["production"] == 1
