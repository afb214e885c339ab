"""Exact match and F1 as SQuAD 2.0's official script, evaluate-v2.0.py, defines them.

Texts are compared in lower case, without punctuation, articles and surplus white space; the best of the gold answers
counts. The answer of a declined question is the empty text, and so is the gold answer of an impossible one.
https://rajpurkar.github.io/SQuAD-explorer/; Rajpurkar, Jia and Liang (2018).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SPACED = str.maketrans(dict.fromkeys(string.punctuation, " "))
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalised(text: str) -> str:
    """The text as it is compared."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 if the answer is one of the gold answers, else 0; without golds, 1 for an empty answer."""
    return float(any(normalised(answer) == normalised(gold) for gold in _compared(golds)))


def f1(answer: str, golds: Sequence[str]) -> float:
    """The harmonic mean of precision and recall of the answer's words, of the gold answer where it is highest."""
    return max(_f1(normalised(answer).split(), normalised(gold).split()) for gold in _compared(golds))


def said(answer: str, golds: Sequence[str]) -> float:
    """The share of the words of the gold answer that the answer has, of the one where it is highest; not the script's.

    Of answers in sentences it agrees with people better than F1, which counts each word too many: Adlakha and others,
    Evaluating Correctness and Faithfulness of Instruction-Following Models for Question Answering (2024).
    """
    return max(_recall(normalised(answer).split(), normalised(gold).split()) for gold in _compared(golds))


def stands_in(text: str, golds: Sequence[str]) -> bool:
    """Whether one of the gold answers stands in a text, as whole words; not the official script's.

    Normalised as there, or with punctuation as spaces: what is left of 'principle.[citation needed]' is else one word.
    """
    return any(_holds(way(text), way(gold)) for way in (normalised, _spaced) for gold in golds)


def _spaced(text: str) -> str:
    return normalised(text.translate(_SPACED))


def _holds(text: str, gold: str) -> bool:
    return bool(gold) and f" {gold} " in f" {text} "


def _compared(golds: Sequence[str]) -> Sequence[str]:
    """Gold answers of which something is left; the empty one where there is none."""
    return [gold for gold in golds if normalised(gold)] or [""]


def _f1(answer: Sequence[str], gold: Sequence[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    common = sum((Counter(answer) & Counter(gold)).values())
    if not common:
        return 0.0
    precision, recall = common / len(answer), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def _recall(answer: Sequence[str], gold: Sequence[str]) -> float:
    if not gold:
        return float(answer == gold)
    return sum((Counter(answer) & Counter(gold)).values()) / len(gold)
