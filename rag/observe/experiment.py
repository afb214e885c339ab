"""Answers of an eval run as Langfuse finds them: an experiment is made of the spans that name it, and of nothing else.

The attributes are those of Langfuse's own client (langfuse 5, `run_experiment`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from langfuse import LangfuseOtelSpanAttributes as Name

from rag.observe.spans.build import root_id

# The environment in which Langfuse's own client keeps experiments apart from what users asked.
ENVIRONMENT = "sdk-experiment"


def experiment_id(project_id: str, dataset_id: str, name: str) -> str:
    """The id that the server, too, makes of an experiment's project, dataset and name."""
    told = ["langfuse-experiment-v1", project_id, dataset_id, name]
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_every_span(trace_id: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """What each span of the trace says of its experiment: `experiment` {id, name, dataset_id, item_id, metadata {}}."""
    told = facts.get("experiment")
    if not isinstance(told, Mapping):
        return {}
    return {
        Name.ENVIRONMENT: ENVIRONMENT,
        Name.EXPERIMENT_ID: str(told["id"]),
        Name.EXPERIMENT_NAME: str(told["name"]),
        Name.EXPERIMENT_METADATA: json.dumps(told.get("metadata", {}), ensure_ascii=False),
        Name.EXPERIMENT_DATASET_ID: str(told["dataset_id"]),
        Name.EXPERIMENT_ITEM_ID: str(told["item_id"]),
        Name.EXPERIMENT_ITEM_ROOT_OBSERVATION_ID: root_id(trace_id),
    }


def of_root(facts: Mapping[str, Any]) -> dict[str, str]:
    """What the root alone says: what was `expected`."""
    expected = facts.get("expected")
    return {Name.EXPERIMENT_ITEM_EXPECTED_OUTPUT: expected} if isinstance(expected, str) else {}
