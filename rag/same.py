"""Whether two questions are the same in substance, however alike they look."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from rag.embed.protocol import Matrix

# A word and its plural are the same if the embedder finds them as near as this (cosine): 'invoice' and 'invoices' are
# 0.89, 'custom' and 'customs' 0.39, 'good' and 'goods' 0.32.
NEAR = 0.85
_WORD = re.compile(r"[^\W_]+(?:[.,:/'’-][^\W_]+)*|[^\w\s]")
# Signs that end or adorn a question. All others, such as a minus, a percent sign or a bracket, may matter.
_ADORNING = frozenset("?!.,;:…¿¡\"“”„«»'’‘`")
# Said to be polite; longer ones first.
_POLITE = (
    *("could you please tell me", "can you please tell me", "could you tell me", "can you tell me", "please tell me"),
    *("tell me", "do you know", "i would like to know", "i want to know", "please", "hello", "hi", "hey", "thanks"),
    *("können sie mir sagen", "kannst du mir sagen", "sag mir", "bitte", "hallo", "danke"),
    *("pouvez-vous me dire", "peux-tu me dire", "s'il vous plaît", "s'il te plaît", "bonjour", "merci"),
    *("puede decirme", "puedes decirme", "por favor", "hola", "gracias"),
)
_CONTRACTED = {"what's": ("what", "is"), "who's": ("who", "is"), "where's": ("where", "is"), "how's": ("how", "is")}

Embed = Callable[[Sequence[str]], Matrix]


def same_question(one: str, other: str, *, embed: Embed) -> bool:
    """True only where both say the same words in the same order, but for what can't change their sense.

    That is case, typography, politeness, contractions, and a plural in place of a singular where the embedder takes
    both for the same. Another word of any kind makes another question: by their vectors alone 'before' and 'after', or
    two names, can't be told from two wordings of one thing.
    """
    ours, theirs = _words(one), _words(other)
    if len(ours) != len(theirs) or not ours:
        return False
    apart = [(our, their) for our, their in zip(ours, theirs, strict=True) if our.casefold() != their.casefold()]
    return all(_is_plural(*pair) for pair in apart) and all(_are_near(*pair, embed) for pair in apart)


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    found = [word for word in _WORD.findall(plain) if word not in _ADORNING]
    whole = [part for word in found for part in _CONTRACTED.get(word.casefold(), (word,))]
    return _without(whole)


def _without(words: list[str]) -> list[str]:
    """The words without politeness at the beginning and at the end."""
    folded = [word.casefold() for word in words]
    for phrase in _POLITE:
        said = phrase.split()
        if len(words) > len(said) and folded[: len(said)] == said:
            return _without(words[len(said) :])
        if len(words) > len(said) and folded[-len(said) :] == said:
            return _without(words[: -len(said)])
    return words


def _is_plural(one: str, other: str) -> bool:
    """Whether one is the other with an s, as plurals have it in English, French and Spanish; never of a name."""
    short, long = sorted((one, other), key=len)
    is_word = short.isalpha() and (short + long).islower() and len(short) > 2
    return is_word and (long in (f"{short}s", f"{short}es") or _is_y(short, long))


def _is_y(short: str, long: str) -> bool:
    return short.endswith("y") and long == f"{short[:-1]}ies"


def _are_near(one: str, other: str, embed: Embed) -> bool:
    first, second = embed([one, other])
    return float(first @ second) >= NEAR
