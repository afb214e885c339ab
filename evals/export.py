"""Judged answers as training data: chats to learn from, pairs to prefer by, cut in two without leaks.

The formats are OpenAI's: chats for supervised fine-tuning (`messages`), pairs for direct preference optimization
(`input`, `preferred_output`, `non_preferred_output`), whose outputs are one turn of the assistant.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from evals.judged import Found, Judged
from evals.sides import question_key, sides
from evals.stored import check_replaceable
from rag.claims import MARKER
from rag.durable import replace_text
from rag.errors import StoreError
from rag.types import Message

Kind = Literal["chat", "pairs"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HELD_OUT = "-test"
PROVENANCE = ".provenance.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A line of training data: what the model reads, what it should say and, of a pair, what not.

    `why` tells how that is known; `of` are the judged answers it is made of, the good one first.
    """

    messages: tuple[Message, ...]
    good: str
    bad: str
    why: str
    of: tuple[Judged, ...]

    @property
    def is_uncited(self) -> bool:
        """Whether it would teach a model to leave its citations out: a person's correction without any."""
        return self.good == self.of[0].correction and not MARKER.search(self.good)

    @property
    def line(self) -> dict[str, Any]:
        """The example in OpenAI's format."""
        told, good = [asdict(one) for one in self.messages], {"role": "assistant", "content": self.good}
        if not self.bad:
            return {"messages": [*told, good]}
        return {
            "input": {"messages": told, "tools": [], "parallel_tool_calls": True},
            "preferred_output": [good],
            "non_preferred_output": [{"role": "assistant", "content": self.bad}],
        }

    def provenance(self, key: bytes) -> dict[str, Any]:
        """Where it comes from; persons and conversations are told by a hash that takes the key to make."""
        return {"why": self.why, "answers": [_origin(one, key) for one in self.of]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The examples to learn from and those held out; how many were taken and left out, by reason.

    `uncited` of those taken are corrections without citations.
    """

    learn: tuple[Example, ...]
    held_out: tuple[Example, ...]
    taken: Mapping[str, int]
    left_out: Mapping[str, int]
    uncited: int


def make(kind: Kind, found: Found, *, share: float = 1.0, cited: bool = False) -> Made:
    """The examples of the judged answers, of which about `share` are to learn from, the rest held out.

    With `cited` corrections without citations are left out.

    Whole conversations are on one side, and so are all that ask the same question, directly or through others.
    """
    left_out = Counter(found.left_out)
    examples = _chats(found.judged, left_out) if kind == "chat" else _pairs(found.judged, left_out)
    once = list({(one.messages, one.good, one.bad): one for one in reversed(examples)}.values())[::-1]
    left_out["said already"] += len(examples) - len(once)
    uncited = sum(one.is_uncited for one in once)
    if cited:
        left_out["without citations"] += uncited
        once, uncited = [one for one in once if not one.is_uncited], 0
    is_held_out = sides([_marks(one) for one in once], share=share)
    return Made(
        learn=tuple(one for one, held in zip(once, is_held_out, strict=True) if not held),
        held_out=tuple(one for one, held in zip(once, is_held_out, strict=True) if held),
        taken=dict(Counter(one.why for one in once)),
        left_out={reason: number for reason, number in sorted(left_out.items()) if number},
        uncited=uncited,
    )


def write(made: Made, out: Path, *, is_split: bool) -> list[Path]:
    """Write the lines, and beside them where each comes from; returns the files.

    Raises StoreError, and InputError for a file of something else.
    """
    for path in (out, held_out_path(out)) if is_split else (out,):
        check_replaceable(path, _is_line, what="training data")
    # Drawn anew each time and kept nowhere: names that are guessed can't be tried, and exports can't be joined.
    files, key = [], secrets.token_bytes(32)
    for path, examples in ((out, made.learn), (held_out_path(out), made.held_out)):
        if path == out or is_split:
            files += [_write(path, [one.line for one in examples])]
            told = [{"line": number, **one.provenance(key)} for number, one in enumerate(examples, 1)]
            files += [_write(path.with_name(path.name.removesuffix(path.suffix) + PROVENANCE), told)]
    return files


def held_out_path(out: Path) -> Path:
    """Where the held out lines go: beside the others."""
    return out.with_name(f"{out.stem}{HELD_OUT}{out.suffix}")


def _chats(judged: Sequence[Judged], left_out: Counter[str]) -> list[Example]:
    examples = []
    for one in judged:
        if _is_corrected(one):
            examples.append(_example(one, good=one.correction, why="corrected"))
        elif reason := _not_accepted(one):
            left_out[reason] += 1
        else:
            examples.append(_example(one, good=one.answer, why="rated up"))
    return examples


def _pairs(judged: Sequence[Judged], left_out: Counter[str]) -> list[Example]:
    """Of each answer with a correction that one; of each other bad one, each good answer to the same question."""
    good: dict[str, list[Judged]] = {}
    for one in judged:
        if not (one.correction or _not_accepted(one)):
            good.setdefault(question_key(one.query), []).append(one)
    examples, used = [], set()
    for one in judged:
        if _is_corrected(one):
            made = [_example(one, good=one.correction, bad=one.answer, why="rated down and corrected")]
        elif one.is_down and not one.is_up:
            better = good.get(question_key(one.query), [])
            made = [_example(up, good=up.answer, bad=one.answer, why="one up, one down", of=(up, one)) for up in better]
        else:
            continue
        fit = [example for example in made if example.bad and example.bad != example.good]
        used |= {each.trace_id for example in fit for each in example.of}
        examples += fit
    left_out["without a counterpart"] += sum(one.trace_id not in used for one in judged)
    return examples


def _is_corrected(one: Judged) -> bool:
    """A correction says that the answer was wrong, unless somebody liked it and nobody disliked it."""
    return bool(one.correction) and (one.is_down or not one.is_up)


def _not_accepted(one: Judged) -> str:
    """Why an answer without a correction is none to learn from; '' when it is one."""
    if one.is_down:
        return "rated up and down" if one.is_up else "rated down"
    return "declined" if one.is_declined or not one.answer else ""


def _example(one: Judged, *, good: str, why: str, bad: str = "", of: tuple[Judged, ...] = ()) -> Example:
    return Example(messages=one.messages, good=good, bad=bad, why=why, of=of or (one,))


def _marks(example: Example) -> list[str]:
    """What ties an example to others: its conversations and its questions."""
    sessions = [f"session {one.session}" for one in example.of if one.session]
    return [*sessions, *(f"question {question_key(one.query)}" for one in example.of)]


def _origin(one: Judged, key: bytes) -> dict[str, Any]:
    return {
        "trace_id": one.trace_id,
        "asked_at": datetime.fromtimestamp(one.asked_at, UTC).isoformat(timespec="seconds"),
        "model": one.model,
        "prompt": one.prompt,
        "index": one.index_version,
        "session": _hashed(one.session, key),
        "rated_by": [_hashed(name, key) for name in one.raters],
    }


def _hashed(name: str, key: bytes) -> str:
    """16 hex digits; '' for whoever gave no name."""
    return hmac.new(key, name.encode(), "sha256").hexdigest()[:16] if name else ""


def _is_line(line: bytes) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and ("messages" in found or "preferred_output" in found)


def _write(path: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    except OSError as error:
        raise StoreError(
            f"can't write {path}: {error.strerror}", expected="a place for the lines", remedy="name another with --out"
        ) from None
    return path
