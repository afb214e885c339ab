"""Whether two questions are the same in substance, however alike they look."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from rag.embed.protocol import Matrix

# A word and its plural are the same if the embedder finds them as near as this (cosine): 'invoice' and 'invoices' are
# 0.89, 'custom' and 'customs' 0.39, 'good' and 'goods' 0.32.
NEAR = 0.85
# The mark of feet, inches or minutes belongs to its number.
_WORD = re.compile(r"[^\W_]+(?:[.,:/'-][^\W_]+)*(?:(?<=\d)['\"])?|[^\w\s]|_")
# What adorns a word wherever it stands, and what does so only where the question begins or ends: inside, a comma may
# make another one of it. All other signs, such as a minus, a percent sign or a bracket, may matter.
_QUOTING = frozenset("\"“”„«»'‘`")
_ENDING = frozenset("?!.,;:…¿¡？！。，；：")
# Longer ones are emphasised; these may be names: IT, US, WHO.
_ACRONYM_LETTERS = 4
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

    That is case but for acronyms, quotation marks, marks at the end, politeness, contractions, and a plural in place of
    a singular where the embedder takes both for the same. Another word of any kind makes another question: by their
    vectors alone 'before' and 'after', or two names, can't be told from two wordings of one thing.
    """
    ours, theirs = _words(one), _words(other)
    if len(ours) != len(theirs) or not ours:
        return False
    if not (_shouts(ours) or _shouts(theirs)) and any(
        _is_acronym(our) != _is_acronym(their) for our, their in zip(ours, theirs, strict=True)
    ):
        return False
    apart = [(our, their) for our, their in zip(ours, theirs, strict=True) if our.casefold() != their.casefold()]
    return all(_is_plural(*pair) for pair in apart) and all(_are_near(*pair, embed) for pair in apart)


def _words(text: str) -> list[str]:
    # Not NFKC, to which 10² is 102.
    plain = unicodedata.normalize("NFC", text).replace("’", "'")
    found = [word for word in _WORD.findall(plain) if word not in _QUOTING]
    whole = [part for word in found for part in _CONTRACTED.get(word.casefold(), (word,))]
    return _without(whole)


def _without(words: list[str]) -> list[str]:
    """The words without marks and politeness at the beginning and at the end."""
    while (less := _once_without(words)) != words:
        words = less
    return words


def _once_without(words: list[str]) -> list[str]:
    start = next((at for at, word in enumerate(words) if word not in _ENDING), len(words))
    end = next((at for at in range(len(words), start, -1) if words[at - 1] not in _ENDING), start)
    rest = words[start:end]
    folded = [word.casefold() for word in rest]
    for said in (phrase.split() for phrase in _POLITE):
        if len(rest) > len(said) and folded[: len(said)] == said:
            return rest[len(said) :]
        if len(rest) > len(said) and folded[-len(said) :] == said:
            return rest[: -len(said)]
    return rest


def _shouts(words: Sequence[str]) -> bool:
    """Whether all is in capitals, which then tell nothing."""
    return not any(word != word.upper() for word in words)


def _is_acronym(word: str) -> bool:
    return word.isalpha() and word.isupper() and 1 < len(word) <= _ACRONYM_LETTERS


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
