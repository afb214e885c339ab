"""Questions grouped by what they are about: each joins the group whose first question is nearest, if near enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rag.embed import Matrix

# By all-MiniLM-L6-v2, of the questions that people asked FeedbackQA's two sites: of two that one passage answers 66 and
# 42 % are as near as this, of two that different passages answer 2.8 and 0.6 %.
SAME_TOPIC = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Questions on one matter, by their places in the list they came in; the first stands for all."""

    places: tuple[int, ...]


def topics(
    questions: Sequence[str], *, embed: Callable[[Sequence[str]], Matrix], nearness: float = SAME_TOPIC
) -> list[Topic]:
    """The groups, the largest first; `nearness` is the least cosine to a group's first question.

    Leader clustering (Hartigan, Clustering Algorithms, 1975): one pass, no number of groups to guess.
    """
    if not questions:
        return []
    vectors = np.asarray(embed(questions), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
    groups: list[list[int]] = []
    for place, vector in enumerate(vectors):
        near = [float(vectors[group[0]] @ vector) for group in groups]
        if near and max(near) >= nearness:
            groups[near.index(max(near))].append(place)
        else:
            groups.append([place])
    return [Topic(places=tuple(group)) for group in sorted(groups, key=len, reverse=True)]
