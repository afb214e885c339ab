"""What the documentation says is so: commands run, settings load, pages are computed, links lead somewhere."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evals.dataset import load_dataset
from evals.metrics import METRICS
from evals.records import Run
from rag.case import Case
from rag.commands.reference import commands_page, settings_page
from rag.embed import make_embedder
from rag.errors import MissingExtra
from rag.llm import make_llm
from rag.settings import load_settings

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A computed page holds usage lines, no commands to run.
COMPUTED = ("commands.md", "configuration.md")
# Commands that stay open, or fetch gigabytes: looked up in the computed help instead of run.
LOOKED_UP = ("plumb ui", "plumb models pull", "plumb eval schedule")
# A page with a project of its own: test_loop.py.
ALONE = ("loop.md",)
SHELL = ("set", ".", "export")
TYPED = "How many days of annual leave does a full-time employee have?\nAnd in the year one joins?\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in one of these languages, the README's first."""
    return [
        Block(page=page.name, language=found[1], text=found[2])
        for page in PAGES
        if page.name not in COMPUTED
        for found in FENCED.finditer(page.read_text(encoding="utf-8"))
        if found[1] in languages
    ]


def commands() -> list[str]:
    """Every command line of the pages once, in order, without its prompt and comment."""
    told = [block for block in blocks("console", "sh") if block.page not in ALONE]
    lines = [line for block in told for line in block.text.splitlines()]
    typed = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.startswith("$ ")]
    return list(dict.fromkeys(shlex.join(words) for words in typed)) or pytest.fail("no commands found")


def is_run(command: str) -> bool:
    """Whether a command is run here, not only looked up."""
    return plain(command).startswith("plumb ") and not plain(command).startswith(LOOKED_UP)


def plain(command: str) -> str:
    """A command without the folder of its program."""
    return command.removeprefix(".venv/bin/")


def environment() -> dict[str, str]:
    """The variables of the machine without ours and anybody's keys, with scripted models."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLUMB_", "LANGFUSE_"))}
    return {**kept, "PLUMB_ROLES__ANSWER": "scripted:quote", "PLUMB_ROLES__EMBED": "scripted:words", "NO_COLOR": "1"}


def call(arguments: list[str], folder: Path, *, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader stands in: a folder with the examples."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


@pytest.fixture(scope="module")
def outcomes(clone: Path) -> Mapping[str, subprocess.CompletedProcess[str]]:
    """Every command that is run, one after the other as the pages have them, and what came of it."""
    return {command: outcome(command, clone) for command in commands() if is_run(command)}


def outcome(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one `plumb` command; ID stands for the trace of the newest answer."""
    words = shlex.split(plain(command))[1:]
    if "ID" in words:
        rows = json.loads(call(["-m", "rag.cli", "traces", "--json", "--limit", "1000"], folder).stdout)
        newest = next(row["id"] for row in rows if is_live_answer(row))
        words = [newest[:6] if word == "ID" else word for word in words]
    return call(["-m", "rag.cli", *words], folder, typed=TYPED if words == ["chat"] else "")


def is_live_answer(row: Mapping[str, Any]) -> bool:
    """Whether somebody asked it, and was answered."""
    return row["name"] == "ask" and not row["abstained"] and not row["session"].startswith("eval:")


@pytest.mark.parametrize("command", [command for command in commands() if is_run(command)])
def test_a_command_runs(command: str, outcomes: Mapping[str, subprocess.CompletedProcess[str]]) -> None:
    done = outcomes[command]
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()


@pytest.mark.parametrize("command", [command for command in commands() if not is_run(command)])
def test_another_command_names_what_exists(command: str) -> None:
    program, *arguments = shlex.split(plain(command))
    match program:
        case "plumb":
            assert_options(command, arguments)
        case "make":
            for target in arguments:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"no target {target}"
        case "docker":
            assert_compose(arguments)
        case "python":
            assert arguments[0] == "-m"
            assert find_spec(arguments[1])
        case _:
            assert program in SHELL
            assert_variables(arguments)


def assert_options(command: str, arguments: list[str]) -> None:
    title = next(name for name in LOOKED_UP if plain(command).startswith(name))
    _, _, after = (ROOT / "docs" / "commands.md").read_text().partition(f"\n## {title}\n")
    text, _, _ = after.partition("\n## ")
    assert text
    assert all(option in text for option in arguments if option.startswith("-"))


def assert_compose(arguments: list[str]) -> None:
    assert arguments[0] == "compose"
    text = (ROOT / "docker-compose.yml").read_text()
    profile = dict(pairwise(arguments)).get("--profile")
    assert profile is None or f"profiles: [{profile}]" in text
    _, _, services = " ".join(arguments).partition(" up ")
    for service in (word for word in services.split() if not word.startswith("-")):
        assert re.search(rf"^  {service}:$", text, re.MULTILINE), f"no service {service}"


def assert_variables(arguments: list[str]) -> None:
    settings = (ROOT / "docs" / "configuration.md").read_text()
    for name in (word.partition("=")[0] for word in arguments if "=" in word):
        assert f"`{name}`" in settings


def test_plain_commands_of_a_page_are_all_classified() -> None:
    # A line without a prompt would never be run: only output may look like that, and these pages show none here.
    for block in blocks("console", "sh"):
        assert all(line.startswith("$ ") for line in block.text.splitlines()), block


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.page)
def test_python_runs(
    block: Block,
    clone: Path,
    outcomes: Mapping[str, subprocess.CompletedProcess[str]],  # after the commands
) -> None:
    assert outcomes
    done = call(["-c", block.text], clone)
    assert done.returncode == 0, done.stderr
    assert "28 working days" in done.stdout, done.stdout


def assert_taken(given: Mapping[str, Any], loaded: Mapping[str, Any]) -> None:
    """Every value of a file is the value in force."""
    for key, value in given.items():
        if isinstance(value, dict):
            assert_taken(value, loaded[key])
        elif isinstance(value, list) and isinstance(value[0], dict):
            for one, other in zip(value, loaded[key], strict=True):
                assert_taken(one, other)
        else:
            assert loaded[key] == value, key


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.text.split("\n")[1])
def test_settings_load_and_name_models_that_can_be_made(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "plumbline.toml"
    config.write_text(block.text)
    settings = load_settings(config)
    given = tomllib.loads(block.text)
    for provider in (settings.provider("openai"), *settings.providers.values()):
        monkeypatch.setenv(provider.api_key_env, "a-key")
    assert_taken(given, settings.model_dump(mode="json"))
    roles = given.get("roles", {})
    for name in settings.roles.candidates("answer") if "answer" in roles else ():
        if name.startswith("llama_index:"):
            with pytest.raises(MissingExtra, match="install it"):  # the reader was told to install its package
                make_llm(settings, name, role="answer")
        else:
            assert make_llm(settings, name, role="answer").name == name
    if "embed" in roles:
        assert make_embedder(settings).name == roles["embed"]


def test_the_documented_json_has_the_keys_of_the_real_one(
    outcomes: Mapping[str, subprocess.CompletedProcess[str]],
) -> None:
    [block] = [block for block in blocks("json") if block.page == "README.md"]
    [real] = [done.stdout for command, done in outcomes.items() if command.startswith("plumb ask --json")]
    assert shape(json.loads(block.text)) == shape(json.loads(real))


def shape(value: Any) -> Any:
    """The keys of a JSON value, down to its leaves; a list is what its first item is."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return None


@pytest.mark.parametrize(("name", "page"), [("commands.md", commands_page), ("configuration.md", settings_page)])
def test_a_computed_page_is_current(name: str, page: Any) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), "run: make docs"


def test_the_evals_page_shows_cases_metrics_and_run_as_they_are(tmp_path: Path) -> None:
    [cases] = [block.text for block in blocks("json") if block.page == "evals.md"]
    (tmp_path / "questions.jsonl").write_text(cases)
    assert len(load_dataset(tmp_path / "questions.jsonl").cases) == 3
    keys, metrics, run = (first_column(table) for table in tables(ROOT / "docs" / "evals.md"))
    assert keys == {field.name for field in dataclasses.fields(Case)}
    assert metrics == {metric.name for metric in METRICS}
    assert run == {field.name for field in dataclasses.fields(Run)}


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    groups = [project["project"]["dependencies"], *extras, *project["dependency-groups"].values()]
    wanted = {re.split(r"[^\w.-]", line)[0] for group in groups for line in group if isinstance(line, str)}
    explained = {row.split("|")[1].strip() for table in tables(ROOT / "docs" / "dependencies.md") for row in table}
    assert explained == wanted


def tables(page: Path) -> Iterator[list[str]]:
    """The rows of each table of a page, without its head."""
    for found in re.finditer(r"(?:^\|.*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield found[0].splitlines()[2:]


def first_column(rows: list[str]) -> set[str]:
    """The names in code spans of the first cells."""
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def links() -> Iterator[tuple[Path, str]]:
    """The page and target of every link and picture that is no web address."""
    for page in [*PAGES, ROOT / "examples" / "README.md"]:
        text = re.sub(r"`[^`\n]*`", "", FENCED.sub("", page.read_text(encoding="utf-8")))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not target.startswith(("http://", "https://")):
                yield page, target


@pytest.mark.parametrize(("page", "target"), list(links()), ids=lambda value: getattr(value, "name", value))
def test_a_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    assert file.exists()
    assert not anchor or anchor in anchors(file)


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have on code hosts."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    found = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert found
    assert found[1] == version


def test_ci_runs_what_the_readme_names() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert {"set -euo pipefail", "make lint", "make test"} <= set(lines)
