"""Which traces are wanted: the conditions of a list, as SQL over the columns that a trace is kept with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from rag.observe.codec import utf8

Rated = Literal["", "up", "down", "any", "none"]
Status = Literal["", "ok", "failed", "abandoned"]
RATED: tuple[Rated, ...] = get_args(Rated)
STATUS: tuple[Status, ...] = get_args(Status)

# A condition that is None, '' or False holds for all.
WHERE = """
    (:name = '' OR t.name = :name)
AND (:rated = '' OR CASE :rated WHEN 'up' THEN up = 1 WHEN 'down' THEN up = 0 WHEN 'any' THEN up IS NOT NULL
     ELSE up IS NULL END)
AND (:status = '' OR t.status = :status)
AND (NOT :abstained OR t.abstained = 1)
AND (NOT :unsupported OR (t.supported_share < 1 AND t.abstained = 0))
AND (:slower_than_s IS NULL OR t.duration_ms > :slower_than_s * 1000)
AND (:dearer_than IS NULL OR t.cost > :dearer_than)
AND (:model = '' OR instr(lower(t.models), lower(:model)) > 0)
AND (:prompt = '' OR instr(' ' || t.prompts || ' ', :prompt) > 0)
AND (:index_version = '' OR t.index_version = :index_version OR t.index_version LIKE '% ' || :index_version)
AND (:user IS NULL OR t.user = :user)
AND (:tag = '' OR EXISTS (SELECT 1 FROM json_each(t.tags) WHERE value = :tag))
AND (:since IS NULL OR t.started_at >= :since)
AND (:until IS NULL OR t.started_at < :until)
AND (:text = '' OR instr(lower(t.question), lower(:text)) > 0 OR instr(lower(t.answer), lower(:text)) > 0
     OR instr(lower(CASE WHEN json_valid(t.body) THEN json_extract(t.body, '$.output') END), lower(:text)) > 0)
AND (:is_live IS NULL OR :is_live = (t.session NOT LIKE 'eval:%'))
AND (NOT :is_complaint OR (t.abstained = 0 AND t.supported_share < 1) OR EXISTS (
    SELECT 1 FROM feedback f WHERE f.trace_id = t.id
    AND (f.up = 0 OR f.reasons != '[]' OR f.correction != '' OR instr(f.citations, 'false') > 0)))
AND (:is_decided IS NULL OR :is_decided = EXISTS (
    SELECT 1 FROM triage d WHERE d.trace_id = t.id AND d.state != 'new' AND d.decided_at > coalesce(
        (SELECT max(changed_at) FROM feedback f WHERE f.trace_id = t.id), 0)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions that all hold; one that is not given holds for every trace.

    `rated` 'down' is rated down by somebody, 'any' rated at all. `unsupported` are answers of which not every claim is
    supported; `is_complaint` are these, and answers that somebody found fault with in any way. `is_decided` are
    those that were decided on in triage since anybody said something of them. `is_live` are those that people asked,
    where it is False those of eval runs. `model` is a part of a model's name, `prompt` an id, or id and version:
    'answer@2'. Costs are in the currency of the prices, `since` and `until` Unix seconds, `user` '' whoever gave no
    name, `tag` a whole tag.
    """

    name: str = ""
    rated: Rated = ""
    status: Status = ""
    abstained: bool = False
    unsupported: bool = False
    slower_than_s: float | None = None
    dearer_than: float | None = None
    model: str = ""
    prompt: str = ""
    index_version: str = ""
    user: str | None = None
    tag: str = ""
    since: float | None = None
    until: float | None = None
    text: str = ""
    is_live: bool | None = None
    is_complaint: bool = False
    is_decided: bool | None = None

    @property
    def values(self) -> Mapping[str, Any]:
        """What `WHERE` is filled with; texts that SQLite can't hold find nothing."""
        given = asdict(self)
        clean = {name: utf8(value) for name, value in given.items() if isinstance(value, str)}
        # A prompt's id alone is meant with any version.
        prompt = clean["prompt"] and f" {clean['prompt']}{' ' if '@' in self.prompt else '@'}"
        return {**given, **clean, "prompt": prompt}
