"""Where a claim can be cut into statements that may come from different passages."""

from __future__ import annotations

import re

from rag.quotations import QUOTED

# Punctuation, or a word that joins clauses: English, German, French and Spanish.
_SEAM = re.compile(
    r"(?:[,;]|\s[–—-])\s+(?:(?:and|but|while|whereas|und|aber|während|et|mais|y|pero|mientras)\s+)?"
    r"|\s(?:and|but|while|whereas|und|aber|während|et|mais|y|pero|mientras)\s+"
)


def cuts(claim: str) -> list[tuple[str, str]]:
    """A claim cut in two at each of its seams, the longest beginning first; never inside a quotation."""
    quoted = [found.span() for found in QUOTED.finditer(claim)]
    seams = [seam for seam in _SEAM.finditer(claim) if not any(start < seam.start() < end for start, end in quoted)]
    return [(claim[: seam.start()], claim[seam.end() :]) for seam in reversed(seams)]
