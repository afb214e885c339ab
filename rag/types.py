"""Everything that flows through Plumbline: frozen, keyword-only, without behaviour beyond derived values."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
StepKind = Literal["chain", "retriever", "embedding", "generation", "evaluator", "span"]
Outcome = Literal["answered", "failed", "slow", "broken", "busy", "skipped"]
Support = Literal["supported", "partly", "contradicted", "unsupported"]
# Why there is no answer: the passages hold none, the check does not confirm it, or what it rests on says something else
# than was asked. '' for an answer.
Abstention = Literal["", "missing", "unconfirmed", "beside"]
# What may be wrong with an answer.
Reason = Literal["wrong", "not-in-sources", "outdated", "incomplete", "off-topic", "too-slow", "unsafe"]
# What somebody did with an answer, which is no rating of it.
Signal = Literal["regenerated", "rephrased", "edited", "copied", "opened"]
# What became of a bad answer: nobody decided yet, it is an eval case, it was mended, it stays.
Decision = Literal["new", "case", "fixed", "wontfix"]
# What a document says of itself besides its text: `team = "people"`. Dates are ISO 8601 text, truths 'true' or 'false'.
FieldValue = str | int | float | tuple[str, ...]
# A place on a page as it is shown: left, bottom, right, top, in points from its lower left corner.
Box = tuple[float, float, float, float]

# The reader of a document that anybody may read.
EVERYONE = "everyone"
_CHUNKS = uuid.UUID("6f0c1a52-9c1e-5d0b-8f57-3d4f2a1b7c90")


def place_name(page: int | None, headings: Sequence[str]) -> str:
    """A place in a document for people: the page, then the heading path."""
    return ", ".join(part for part in (f"page {page}" if page else "", " › ".join(headings)) if part)


def chunk_id(uri: str, revision: str, position: int) -> str:
    """The UUID of a chunk: the same for the same place in the same revision of a document."""
    return str(uuid.uuid5(_CHUNKS, f"{uri}\n{revision}\n{position}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A passage of a document, small enough for the embedder's window.

    `id` is a UUID derived from document, revision and position (`chunk_id`). `page` counts from 1 and is None where the
    format has no pages. `position` is the chunk's place in its document, from 0. `parent` are the positions of the
    first and the last chunk of the larger passage that this one was cut out of; None where there is none. `boxes` are
    the places of its text on the page, where the format has places. `readers` are who may find it: 'everyone',
    'user:NAME', 'group:NAME'. `fields` are what its document is labelled with.
    """

    id: str
    uri: str
    title: str
    headings: tuple[str, ...]
    page: int | None
    position: int
    text: str
    revision: str
    parent: tuple[int, int] | None = None
    boxes: tuple[Box, ...] = ()
    readers: tuple[str, ...] = (EVERYONE,)
    fields: Mapping[str, FieldValue] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the passage stands, for people: heading path or page."""
        return place_name(self.page, self.headings)

    @property
    def label(self) -> str:
        """What stands above the passage: the title of its document and its headings."""
        return " › ".join(dict.fromkeys((self.title, *self.headings)))

    @property
    def indexed_text(self) -> str:
        """The text that is embedded and searched: the label, then the passage."""
        return f"{self.label}\n{self.text}" if self.label else self.text


def chunk_from(fields: Mapping[str, Any]) -> Chunk:
    """A chunk whose tuples became lists on their way; raises KeyError or TypeError for anything else."""
    parent = fields.get("parent")
    boxes = tuple(tuple(box) for box in fields.get("boxes", ()))
    headings, parent = tuple(fields["headings"]), tuple(parent) if parent else None
    readers = tuple(fields.get("readers", (EVERYONE,)))
    return Chunk(**{**fields, "headings": headings, "parent": parent, "boxes": boxes, "readers": readers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A document as it was at one time: its name, a digest of its content and of how it was made, how many chunks."""

    uri: str
    digest: str
    chunks: int

    @property
    def chunk_ids(self) -> Iterator[str]:
        """The ids of its chunks, in order."""
        return (chunk_id(self.uri, self.digest, position) for position in range(self.chunks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a field of a document must be: one of `values` for '=', none of them for '!=', else beyond the only one.

    `field` is a name among `Chunk.fields`, or 'path' for a document or a folder above it. A field with several values
    is what any of them is; one that is missing is nothing, so it passes '!=' and no other.
    """

    field: str
    operator: Literal["=", "!=", "<", "<=", ">", ">="]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Who asks and where: a search finds nothing else than what this person may read and all conditions hold for.

    `user` '' is nobody in particular, who finds what everyone may read.
    """

    user: str = ""
    groups: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()

    @property
    def readers(self) -> tuple[str, ...]:
        """As whom the person reads: a document is theirs to read if one of these is among its readers."""
        own = (f"user:{self.user}",) if self.user else ()
        return EVERYONE, *own, *(f"group:{group}" for group in self.groups)


# Nobody in particular, everywhere.
PUBLIC = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparse:
    """A sparse vector: token indices and their weights, the same length."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """The two vectors of one text: dense (the embedder's dimension, unit length) and lexical (BM25 weights)."""

    dense: tuple[float, ...]
    lexical: Sparse


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A found chunk. `scores` holds the score of every stage by name; `score` is the last stage's.

    `ranks` are its places after each stage, from 1.
    """

    chunk: Chunk
    score: float
    scores: Mapping[str, float]
    ranks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A hit as the model saw it: numbered from 1, its text perhaps trimmed to the budget."""

    marker: int
    text: str
    hit: Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a chat prompt."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """An earlier question of a conversation and its answer; `readers` is that of the Answer, None if unknown."""

    question: str
    answer: str
    readers: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one or more model calls; `cached` of the `prompt` tokens came from the provider's cache."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Sum two usages."""
        return Usage(
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            cached=self.cached + other.cached,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A model of a chain that was asked, or passed over, for one generation.

    `outcome` is 'answered'; 'failed' before its first token; 'slow', as that did not come in time; 'broken' after it;
    'busy', as no place became free; or 'skipped', as it failed too often just before, or the budget can't pay it.
    `reason` says it for people. `tries` are the calls made, `first_token_ms` and `total_ms` count from when this
    model's turn began. `cost` is None where it is unknown, as that of tokens which a broken or slow
    call may have taken; a failed call is taken as free.
    """

    model: str
    outcome: Outcome
    reason: str
    tries: int
    first_token_ms: float | None
    total_ms: float
    cost: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A finished model call: what was asked for, who answered, what it cost.

    `requested_model` is 'provider:model' from the settings; `resolved_model` and `fingerprint` are what the
    server said. Times in milliseconds; `first_token_ms` is None when no token came. `chances` tells how likely each
    of the wanted choices was to begin the reply, together 1; it is empty where none was wanted or the server did not
    tell. `cost` is that of all attempts, in the currency of the prices; None when a price or the number
    of tokens is unknown. `attempts` are the models asked, in order, the one that answered last; empty for a model
    outside a chain.
    """

    text: str
    requested_model: str
    resolved_model: str
    fingerprint: str | None
    finish_reason: str | None
    usage: Usage
    first_token_ms: float | None
    total_ms: float
    chances: Mapping[str, float] = field(default_factory=dict)
    cost: float | None = None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage the answer rests on, with the words that carry it.

    `quote` stands word for word in the passage; `supported` tells whether every claim citing it is supported.
    """

    marker: int
    uri: str
    page: int | None
    headings: tuple[str, ...]
    quote: str
    supported: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence of the answer and how it stands up; `reason` says what is missing when it does not.

    `cited` are the passages that the model named, `markers` those that are cited after the check. `judge` is the model
    whose second opinion made it supported, '' where the rules decided.
    """

    text: str
    markers: tuple[int, ...]
    support: Support
    score: float
    reason: str
    cited: tuple[int, ...] = ()
    judge: str = ""

    @property
    def repaired(self) -> bool:
        """Whether the model named passages and others are cited instead."""
        return bool(self.cited and self.markers) and not set(self.cited) >= set(self.markers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The check of an answer, claim by claim."""

    claims: tuple[Claim, ...]

    @property
    def supported(self) -> bool:
        """True when every claim is supported; an answer without claims is not."""
        return bool(self.claims) and all(claim.support == "supported" for claim in self.claims)

    @property
    def supported_share(self) -> float | None:
        """Supported claims over all claims; None when there are none."""
        if not self.claims:
            return None
        return sum(claim.support == "supported" for claim in self.claims) / len(self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of one question. `models` maps a role to the model that really answered.

    `query` is what was searched for: the question, or a follow-up made to stand alone; of one that is given again, its
    own words. `history_readers` are those who may read what was said before, where it was not for everyone.
    `cost` is that of all model calls, in the currency of the prices; None when that of one is unknown.
    `given_before` is the trace of an earlier answer that is given again; '' for a new one.
    """

    question: str
    text: str
    abstention: Abstention
    citations: tuple[Citation, ...]
    verdict: Verdict
    passages: tuple[Passage, ...]
    hits: tuple[Hit, ...]
    usage: Usage
    cost: float | None
    models: Mapping[str, str]
    trace_id: str
    timings_ms: Mapping[str, float]
    given_before: str = ""
    query: str = ""
    history_readers: tuple[tuple[str, ...], ...] = ()

    @property
    def abstained(self) -> bool:
        """Whether the text tells why there is no answer."""
        return bool(self.abstention)

    @property
    def readers(self) -> tuple[tuple[str, ...], ...]:
        """Who may read what was said before, what was found and what the answer rests on, each list of readers once.

        One that is given again rests on passages that need not be among the hits.
        """
        read = (*self.hits, *(passage.hit for passage in self.passages))
        return tuple(dict.fromkeys((*self.history_readers, *(hit.chunk.readers for hit in read))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One timed part of a trace. Times are Unix seconds; ids are hex, 16 digits, as OpenTelemetry has them."""

    id: str
    parent_id: str | None
    name: str
    kind: StepKind
    started_at: float
    ended_at: float
    attributes: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What happened from a question to its answer, or in one ingest run. `id` is hex, 32 digits."""

    id: str
    name: Literal["ask", "search", "ingest", "eval"]
    started_at: float
    ended_at: float
    status: Literal["ok", "failed", "abandoned"]
    input: Any
    output: Any
    attributes: Mapping[str, Any]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What one person says of an answer; `user` is empty for whoever gave no name.

    `up` is the thumb, None where there is none or it was taken back; `correction` the answer that would have been
    right; `citations` are thumbs by marker. `created_at` is when the person first said something, in Unix seconds;
    `changed_at` when the file of traces last heard something else from them: it alone sets that.
    """

    trace_id: str
    user: str = ""
    up: bool | None = None
    reasons: tuple[Reason, ...] = ()
    comment: str = ""
    correction: str = ""
    citations: Mapping[int, bool] = field(default_factory=dict)
    created_at: float = 0.0
    changed_at: float = field(default=0.0, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said, or all was taken back."""
        return self.up is None and not (self.reasons or self.comment or self.correction or self.citations)
