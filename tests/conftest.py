"""Every test runs alone: no variables of the machine, an empty folder to stand in, no network but loopback."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from prompt_server import FakePrompts
from prompt_server import running as prompts_running

Plumb = Callable[..., subprocess.CompletedProcess[str]]

CONFIG = '[roles]\nanswer = "scripted:quote"\nembed = "scripted:words"\n'
LEAVE = """\
# Annual leave

Full-time employees have 30 working days of annual leave a year.
Part-time employees have leave in proportion to their hours.

## Carrying over

Up to 5 days may be carried over until 31 March of the next year.
"""
TRAVEL = """\
# Travel

The company pays 0.38 EUR per kilometre for a private car.
Train tickets are booked in second class through the travel portal.
"""
LIMITS = "city,hotel limit per night\nBerlin,140 EUR\nParis,180 EUR\nZurich,210 EUR\n"

FOREIGN = ("LANGFUSE_", "OPENAI_", "QDRANT_", "HF_", "PIP_")
# prctl(2) and capabilities(7): what lets root write where the rights of a file forbid it.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def foreign(name: str) -> bool:
    """Whether a variable of the machine would change what a test sees."""
    return name.startswith(FOREIGN) or (name.startswith("PLUMB_") and not name.startswith("PLUMB_TEST_"))


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings, keys or colours of the machine; the current folder is the test's own."""
    for name in [name for name in os.environ if foreign(name)]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a plumbline.toml that names scripted models; its index is empty."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "plumbline.toml").write_text(CONFIG)
    return folder


@pytest.fixture
def corpus(project: Path) -> Path:
    """Three small documents in the project: two in Markdown, one a table."""
    folder = project / "docs"
    (folder / "hr").mkdir(parents=True)
    (folder / "hr" / "leave.md").write_text(LEAVE)
    (folder / "travel.md").write_text(TRAVEL)
    (folder / "limits.csv").write_text(LIMITS)
    return folder


@pytest.fixture
def filled(project: Path, corpus: Path) -> Path:
    """The project with its documents in the index."""
    from ingest.pipeline import ingest
    from rag.settings import load_settings

    list(ingest([corpus], settings=load_settings(project / "plumbline.toml")))
    return project


@pytest.fixture
def fake_prompts(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePrompts]:
    """A Langfuse server on the loopback that keeps prompts, with its keys set."""
    with prompts_running() as found:
        monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-test")
        monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-test")
        monkeypatch.setenv("PLUMB_LANGFUSE__HOST", found.url)
        yield found


@pytest.fixture
def plumb(project: Path) -> Plumb:
    """Run the real command line in the project, as a process of its own."""

    def run(
        *arguments: str | Path,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        cwd: Path = project,
        bound_by_rights: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rag.cli", *map(str, arguments)],
            input=stdin,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
            preexec_fn=give_up_override if bound_by_rights else None,
        )

    return run


def give_up_override() -> None:
    """Let the rights of files bind the process that follows, although root starts it."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture(scope="session")
def rights_bind(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where even a process that gave up its privileges can write into a read-only folder."""
    folder = tmp_path_factory.mktemp("rights")
    folder.chmod(0o500)
    command = [sys.executable, "-c", f"open({str(folder / 'x')!r}, 'w')"]
    tried = subprocess.run(command, capture_output=True, check=False, preexec_fn=give_up_override)
    if tried.returncode == 0:
        pytest.skip("file rights do not bind this user")
