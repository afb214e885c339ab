"""The form of an answer: how long, how set, in which language, whether it declines. Nothing of what it says."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping

from rag.language import language_of
from rag.reply import refuses

# A style is told from the beginning of an answer; so is its language.
LOOKED_AT = 4_000
LANGUAGE_CHARS = 1_000
BEGINNING = 240
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_MARKS = re.compile(
    r"^ {0,3}#{1,6} |^ {0,3}(?:[-*+]|\d{1,3}[.)]) +\S|^ {0,3}> |^ {0,3}\|.*\|[ \t]*$|^ {0,3}(?:---|\*\*\*)[ \t]*$"
    r"|\*\*[^*\n]+\*\*|(?<!`)`[^`\n]+`(?!`)|\[[^\[\]\n]+\]\([^()\n]+\)",
    re.MULTILINE,
)
# How models decline, beside the refusal that our own prompts agree with them.
_DECLINES = re.compile(
    r"\b(?:i(?:'m| am)?(?: (?:really|very|truly))? (?:sorry|apologi[sz]e)|my apologies"
    r"|i (?:can(?:no|')t|can not|won't|will not|am unable|am not able|do not have|don't have)"
    r" (?:\w+ ){0,4}?(?:help|assist|fulfil|fulfill|provide|comply|answer|create|do that|support|generate|engage|discuss"
    r"|access|opinions?|beliefs?|feelings?|experiences?)"
    r"|i(?:'m| am) (?:unable|not able) to|as an? (?:ai|artificial|large language|language model)"
    r"|(?:can ?not|can't) be answered|against (?:my|ethical|our)|not (?:appropriate|ethical|acceptable) to"
    r"|is subjective|es tut mir leid|tut mir leid|(?:ich )?kann (?:\w+ ){0,3}nicht (?:\w+ ){0,3}(?:helfen|beantworten)"
    r"|als ki\b|als sprachmodell|je suis désolé|désolé,|je ne peux pas|en tant qu(?:'|e )(?:ia|modèle)"
    r"|lo siento|no puedo|como (?:ia|modelo de lenguaje)|mi dispiace|non posso)",
    re.IGNORECASE,
)
_RATED = ".,!?:;-–—()[]{}\"'“”’*#`$\\|/=+"
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")
# Marks that say nothing: of Markdown, or between spaces.
_LOOSE = re.compile(r"\*\*|(?<!`)`(?!`)|\||[\U0001f300-\U0001faff\u2600-\u27bf]|(?<!\S)[-–—•·:;.]+(?!\S)")
_SELF = re.compile(r"\b(?:i|me|my|we|our|ich|wir|je|nous|yo|nosotros)\b", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|du|sie|ihr|ihnen|vous|votre|usted|tu)\b", re.IGNORECASE)


def unfenced(text: str) -> str:
    """The longest fenced block of a text; all of it where there is none."""
    blocks, _ = _parted(text)
    return max(blocks, key=len, default=text)


def plain_words(text: str) -> str:
    """What is said, without the marks of Markdown and the lines of fences."""
    without = re.sub(r"^[ \t]*(?:```|~~~)[^\n]*$", "", text, flags=re.MULTILINE)
    without = re.sub(r"^ {0,3}(?:#{1,6}|[-*+]|\d{1,3}[.)]|>) +", "", without, flags=re.MULTILINE)
    return " ".join(_LOOSE.sub(" ", without).split())


def has_fence(text: str) -> bool:
    """Whether some of it stands between fences."""
    return bool(_parted(text)[0])


def marks(text: str) -> int:
    """Marks of Markdown outside of fences: headings, points of lists, rows of tables, bold words, links."""
    return len(_MARKS.findall(_parted(text)[1]))


def declines(text: str) -> bool:
    """Whether it is a refusal: the one agreed with our prompts, or what models say at the beginning of theirs."""
    begun = text.strip()[:BEGINNING].replace("’", "'")
    return refuses(text) or bool(_DECLINES.search(begun))


def language(text: str) -> str:
    """The language of the words, '' where it can't be told."""
    return language_of(_parted(text)[1][:LANGUAGE_CHARS], otherwise="")


def style(text: str) -> tuple[float, ...]:
    """How it is written: how often each mark, digits, capitals, line ends, 'I' and 'you' come, lengths of its parts."""
    looked = text[:LOOKED_AT]
    size, words = len(looked) + 50, re.findall(r"\w+", looked)
    counts = [looked.count(mark) for mark in _RATED]
    counts += [sum(map(str.isdigit, looked)), sum(map(str.isupper, looked)), looked.count("\n")]
    counts += [len(_EMOJI.findall(looked)), len(_SELF.findall(looked)), len(_YOU.findall(looked))]
    sentences = max(len(re.findall(r"[.!?](?:\s|$)", looked)), 1)
    lengths = (sum(map(len, words)) / max(len(words), 1), len(words) / sentences, len(looked))
    return (*(100 * count / size for count in counts), *(math.log1p(length) for length in lengths))


def shape(value: str) -> str:
    """The keys of a JSON value and the kinds of what they hold, one level deep."""
    told = json.loads(value)
    if isinstance(told, dict):
        return ", ".join(f"{key}: {type(held).__name__}" for key, held in sorted(told.items()))
    return f"list of {type(told[0]).__name__}" if told else "empty list"


def _parted(text: str) -> tuple[list[str], str]:
    """The fenced blocks of a text, and what stands outside of them; one that is never closed goes to the end."""
    blocks: list[list[str]] = []
    outside: list[str] = []
    is_inside = False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line):
            is_inside = not is_inside
            if is_inside:
                blocks.append([])
        else:
            (blocks[-1] if is_inside else outside).append(line)
    return ["".join(block) for block in blocks], "".join(outside)


# What is counted in every answer: a share of answers, or an amount in each.
SHARES: Mapping[str, Callable[[str], float]] = {"fences": has_fence, "refusals": declines}
AMOUNTS: Mapping[str, Callable[[str], float]] = {"length": len, "markdown": marks}
