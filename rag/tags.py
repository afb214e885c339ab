"""Tags of a question: words of the application that its trace is found by."""

from __future__ import annotations

from collections.abc import Sequence

from rag.errors import InputError
from rag.settings import Limits


def checked_tags(tags: Sequence[str], limits: Limits) -> tuple[str, ...]:
    """The tags, each once and on one line; raises InputError for too many, an empty one or one that is too long."""
    if isinstance(tags, str):
        raise InputError(f"the tags are the text '{tags[:80]}'", expected="a list of tags", remedy="put it in a list")
    made = tuple(dict.fromkeys(" ".join(tag.encode(errors="replace").decode().split()) for tag in tags))
    if not all(made):
        raise InputError("a tag is empty", expected="a word or more in each", remedy="leave it out")
    if len(made) > limits.tags:
        raise InputError(
            f"there are {len(made)} tags",
            expected=f"at most limits.tags = {limits.tags}",
            remedy="leave some out, or raise the limit",
        )
    if longest := next((tag for tag in made if len(tag) > limits.tag_chars), ""):
        raise InputError(
            f"the tag '{longest[:80]}' has {len(longest):,} characters",
            expected=f"at most limits.tag_chars = {limits.tag_chars}",
            remedy="shorten it, or raise the limit",
        )
    return made
