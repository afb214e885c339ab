"""The rules of the house, checked on the tree itself."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag import types

ROOT = Path(__file__).parents[1]
PACKAGES = ("rag", "ingest", "ui", "evals")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# The runner of the third line, evals/run.py, asks the engine, which opens them.
RUNNERS = {
    "ingest/pipeline.py",
    *(f"rag/{name}.py" for name in ("engine", "gather", "draft", "asking", "weigh", "strategy/choose")),
}
LONGEST_FILE = 450
HEAVY = ("numpy", "openai", "streamlit", "langfuse", "qdrant_client", "qdrant_edge", "llama_index", "openvino")
FORBIDDEN_WORDS = re.compile(r"Manager|Helper|Util|Base$|Base[A-Z]")
# Names of package registries' hosts, and folders that exist on one machine only. Put together here, so that this
# file does not hold what it looks for.
PLACES = re.compile(
    "|".join(
        [
            r"pypi\.org",
            r"files\.pythonhosted" + r"\.org",
            r"registry\.npm" + r"js",
            "/ro" + "ot/",
            r"(?<![\w.~-])/wo" + r"rk/",
            r"(?<![\w.~-])/tm" + r"p/",
        ]
    )
)
TEXT_KINDS = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".json", ".jsonl", ".css", ".html", ".csv", ".cfg", ""}


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def tracked() -> list[Path]:
    """The files of the project: what git knows or would take."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this tree is no git repository")
    listed = subprocess.run(
        [git, "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_arrows_point_one_way() -> None:
    command = str(Path(sys.executable).with_name("lint-imports"))
    run = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert " 0 broken" in run.stdout


def test_nothing_imports_the_front_door() -> None:
    assert [named(file) for file in SOURCES if "rag.cli" in imports(file)] == []


def test_only_the_runners_open_spans() -> None:
    opened = {
        named(file)
        for file in SOURCES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step"
    }
    assert opened == RUNNERS


def test_signatures_are_plain() -> None:
    told = [
        f"{named(file)}:{node.lineno} {node.name}" for file in SOURCES for node in functions(file) if node.args.kwarg
    ]
    assert told == []


def test_functions_take_few_parameters() -> None:
    told = [
        f"{named(file)}:{node.lineno} {node.name}"
        for file in SOURCES
        for node in functions(file)
        if len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs) > 6 and not is_command(node)
    ]
    assert told == []


def is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is a command: its parameters are the options that a user may name."""
    return any(arg.annotation and "typer." in ast.unparse(arg.annotation) for arg in node.args.args)


def test_files_are_short() -> None:
    assert {
        named(file): length
        for file in [*SOURCES, *TESTS]
        if (length := len(file.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    } == {}


def test_classes_are_named_for_what_they_are() -> None:
    names = [
        f"{named(file)} {node.name}"
        for file in SOURCES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ClassDef) and FORBIDDEN_WORDS.search(node.name)
    ]
    assert names == []


def test_everything_public_says_what_it_is() -> None:
    """A module, class or function without a leading underscore has a docstring."""
    silent = [
        f"{named(file)}:{getattr(node, 'lineno', 1)}"
        for file in SOURCES
        for node in _public(tree(file))
        if not ast.get_docstring(node) and file.read_text(encoding="utf-8").strip()
    ]
    assert silent == []


def _public(module: ast.Module) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef]:
    yield module
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def test_package_files_hold_no_logic() -> None:
    """An __init__.py imports, and at most chooses a backend: a `match`, no loops, no classes but protocols."""
    loops = [
        named(file)
        for file in SOURCES
        if file.name == "__init__.py" and "prompts" not in file.parts
        for node in ast.walk(tree(file))
        if isinstance(node, ast.For | ast.While | ast.ClassDef)
    ]
    assert loops == []


def test_what_flows_is_frozen() -> None:
    flowing = [
        value
        for _, value in inspect.getmembers(types, inspect.isclass)
        if value.__module__ == types.__name__ and dataclasses.is_dataclass(value)
    ]
    assert len(flowing) > 15
    for value in flowing:
        options = value.__dataclass_params__  # type: ignore[attr-defined]
        assert options.frozen, value
        assert "__slots__" in vars(value), value
        assert all(field.kw_only for field in dataclasses.fields(value)), value


def test_no_place_of_one_machine_and_no_registry_is_named() -> None:
    told = [
        f"{named(file)}:{number} {line.strip()[:80]}"
        for file in tracked()
        if file.suffix in TEXT_KINDS
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if PLACES.search(line)
    ]
    assert told == []


def test_images_are_pinned_and_the_page_is_no_root() -> None:
    compose, docker = (ROOT / "docker-compose.yml").read_text(), (ROOT / "Dockerfile").read_text()
    images = re.findall(r"^(?:    image:|FROM) (\S+)$", f"{compose}\n{docker}", re.MULTILINE)
    assert len(images) == 8
    assert [image for image in images if not re.search(r":\D*\d", image)] == []
    assert 'user: "${PLUMB_UID:-1000}:${PLUMB_GID:-1000}"' in compose
    assert docker.rpartition("\nUSER ")[2].split()[0] == "plumb"


def test_comments_say_little() -> None:
    """Of all lines of the packages at most six in a hundred are comments."""
    comments = lines = 0
    for file in SOURCES:
        lines += len(file.read_text(encoding="utf-8").splitlines())
        with file.open("rb") as source:
            comments += sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(source.readline))
    assert comments / lines < 0.06


def test_tests_are_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    names = [file.name for file in TESTS if file.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def run_python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout


def test_the_front_door_opens_fast() -> None:
    code = f"import sys, rag.cli; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    assert run_python(code).strip() == "[]"


@pytest.mark.parametrize("module", ["rag.types", "rag.errors", "rag.settings", "rag.weights", "rag.prompts"])
def test_light_parts_stay_light(module: str) -> None:
    code = f"import sys, {module}; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    assert run_python(code).strip() == "[]"


def test_every_command_tells_how_it_is_used() -> None:
    known = run_python("import typer.main, rag.cli as c\n" + LIST_COMMANDS).splitlines()
    assert "ask" in known
    assert "models pull" in known
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(_help, known))
    for name, run in zip(known, runs, strict=True):
        assert (run.returncode, run.stderr) == (0, ""), name
        assert "Usage: plumb" in run.stdout, name


LIST_COMMANDS = """
def walk(command, path):
    for name, child in sorted(getattr(command, "commands", {}).items()):
        print(*path, name)
        walk(child, [*path, name])
walk(typer.main.get_command(c.app), [])
"""


def _help(command: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "rag.cli", *command.split(), "--help"]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)
