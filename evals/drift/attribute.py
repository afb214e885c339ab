"""What can have changed the answers: model, prompt, index, settings or code, as both times recorded them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evals.drift.observation import Circumstances, Said

Of = Literal["model", "prompt", "index", "settings", "code"]
# Settings that reach a canary's call, beside its role, its prompt and its sampling.
REACHING = ("providers.", "candidates.", "local.", "llama_index.")
# Told as the model and as the prompt.
TOLD = ("roles.", "generate.prompt")
_HOW: Mapping[Of, str] = {
    "prompt": "ask again with the old prompt",
    "settings": "ask again with the old settings",
    "code": "ask again with the old version of plumb",
    "index": "ask again with the old version of the index live",
    "model": "ask again with the old model, if it is still served",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that differs between two times. `is_ours` is false where a server changed it."""

    of: Of
    what: str
    before: str
    after: str
    is_ours: bool = True

    @property
    def told(self) -> str:
        """For people: 'resolved model a → b'."""
        return f"{self.what} {self.before or 'none'} → {self.after or 'none'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What may be the cause, in words, and how to find out where that can't be told."""

    because: str
    to_tell: str = ""


def model_changes(before: Sequence[Said], after: Sequence[Said]) -> list[Change]:
    """Who answered: mostly another candidate, or one of them as another version, or with another fingerprint."""
    ours, theirs = _by_asked(before), _by_asked(after)
    if not (ours and theirs):
        return []
    found = []
    first, second = (max(sides, key=lambda name: len(sides[name])) for sides in (ours, theirs))
    if first != second:
        found.append(Change(of="model", what="model", before=first, after=second))
    for name in (name for name in ours if name in theirs):
        found += _versions(ours[name], theirs[name])
    return list(dict.fromkeys(found))


def stood_in(before: Sequence[Said], after: Sequence[Said]) -> str:
    """Which candidates answered in the place of the usual one, where that differs; '' where it does not."""
    counts = [{name: len(said) for name, said in _by_asked(side).items()} for side in (before, after)]
    if set(counts[0]) == set(counts[1]) or not all(counts):
        return ""
    told = (", ".join(f"{name} {count}" for name, count in sorted(side.items())) for side in counts)
    return " → ".join(told)


def _by_asked(said: Sequence[Said]) -> dict[str, list[Said]]:
    """The answers by the candidate that was asked for them: one that stands in for another is not that one changed."""
    found: dict[str, list[Said]] = {}
    for one in said:
        if not one.error:
            found.setdefault(one.requested_model, []).append(one)
    return found


def _versions(before: Sequence[Said], after: Sequence[Said]) -> Iterator[Change]:
    """What a server says of one candidate: another model behind the name, another fingerprint."""
    resolved = [_named(side, "resolved_model") for side in (before, after)]
    prints = [_named(side, "fingerprint") for side in (before, after)]
    if resolved[0] != resolved[1]:
        old, new = map(_all, resolved)
        yield Change(of="model", what="resolved model", before=old, after=new, is_ours=False)
    # A server may answer from several machines: only a fingerprint that was never seen before is news.
    if prints[0] and set(prints[1]) - set(prints[0]):
        old, new = map(_all, prints)
        yield Change(of="model", what="fingerprint", before=old, after=new, is_ours=False)


def our_changes(before: Circumstances, after: Circumstances, *, searches: bool) -> list[Change]:
    """What of ours differs and reaches the answers; `searches` says whether the index does."""
    found = [
        Change(of="model", what=f"roles.{role}", before=_all(old), after=_all(new))
        for role, old, new in _pairs(before.models, after.models)
    ]
    found += [Change(of="prompt", what=name, before=old or "", after=new or "")
              for name, old, new in _pairs(before.prompts, after.prompts)]  # fmt: skip
    found += list(_settings(before, after))
    if searches and before.index != after.index:
        found.append(Change(of="index", what="index", before=before.index, after=after.index))
    if before.code_version != after.code_version:
        found.append(Change(of="code", what="plumb", before=before.code_version, after=after.code_version))
    return found


def aside(before: Circumstances, after: Circumstances) -> list[str]:
    """Names of settings that differ, though they reach no canary."""
    pairs = _pairs(dict(_flat(before.config)), dict(_flat(after.config)))
    return [name for name, _, _ in pairs if not name.startswith((*REACHING, *TOLD))]


def attribute(model: Sequence[Change], ours: Sequence[Change]) -> Attribution:
    """What the changes of answers can be put down to."""
    suspects = [*model, *(change for change in ours if change.of != "model" or not model)]
    kinds: list[Of] = list(dict.fromkeys(change.of for change in suspects))
    told = "; ".join(f"{change.of}: {change.told}" for change in suspects)
    if not kinds:
        return Attribution(because="model (unannounced): nothing of ours differs, and the server names the same model")
    if len(kinds) == 1:
        by_server = kinds == ["model"] and not any(change.is_ours for change in suspects)
        return Attribution(because=f"{told}{' (nothing of ours differs)' if by_server else ''}")
    ways = "; or ".join(_HOW[kind] for kind in kinds if kind != "model" or any(c.is_ours for c in model))
    rest = kinds[0] if len(kinds) == 1 else "what is left then"
    return Attribution(
        because=f"can't be told apart: {told}",
        to_tell=f"{ways}: compared with this reference, a change that is gone was of that; {rest} is of the others",
    )


def _settings(before: Circumstances, after: Circumstances) -> Iterator[Change]:
    for name in ("temperature", "max_tokens"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(of="settings", what=name, before=f"{old:g}", after=f"{new:g}")
    if not (before.config and after.config):
        if before.config_hash != after.config_hash:
            yield Change(of="settings", what="settings", before=before.config_hash, after=after.config_hash)
        return
    for name, old, new in _pairs(dict(_flat(before.config)), dict(_flat(after.config))):
        if name.startswith(REACHING):
            yield Change(of="settings", what=name, before=_short(old), after=_short(new))


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Names whose values differ, with both."""
    names = dict.fromkeys([*before, *after])
    return [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _named(said: Sequence[Said], name: str) -> tuple[str, ...]:
    return tuple(sorted({str(getattr(one, name)) for one in said if not one.error and getattr(one, name)}))


def _all(names: Sequence[str] | None) -> str:
    return ", ".join(names or ())


def _short(value: Any) -> str:
    return "unset" if value is None else str(value)[:60]
