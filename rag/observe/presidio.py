"""Names of people, places and the like, found by Microsoft Presidio (the extra `presidio`): [person], [location].

Its own engine fetches a language model when none is there, and a list of domains for its mail recognizer. Here it gets
the installed models that the settings name, and that recognizer is taken out: nothing is fetched.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from typing import Any

from rag.errors import ConfigError, MissingExtra, StoreError
from rag.observe.codec import utf8
from rag.observe.mask import Patterns
from rag.sections import Presidio

_LONGEST = 10_000  # characters read at once: spaCy refuses 1,000,000, and its memory grows with them
_GRAMMAR = ("parser", "senter", "tagger", "morphologizer", "attribute_ruler", "lemmatizer", "trainable_lemmatizer")
_WORD = re.compile(r"\w")

# spaCy does not promise that several threads may use a model at a time.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The patterns first, then what Presidio finds in the rest."""

    before: Patterns
    rules: Presidio

    def __call__(self, text: str) -> str:
        """The text without either.

        Raises ConfigError when a model can't be loaded or an entity is not known, StoreError when Presidio fails: what
        could not be masked must not be kept.
        """
        return "".join(self._masked(piece) for piece in _pieces(utf8(self.before(text))))

    def _masked(self, text: str) -> str:
        if not _WORD.search(text):
            return text
        marks = (*self.before.names, *(entity.lower() for entity in self.rules.entities))
        with _ONE_AT_A_TIME:
            loaded = _loaded(tuple(sorted(self.rules.models.items())), self.rules.entities)
            found = loaded.found(text, self.rules.least_score)
        return _without(text, found, re.compile(rf"\[(?:{'|'.join(map(re.escape, marks))})\]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """Presidio's analyzer, and the entities that it is asked for by language."""

    analyzer: Any
    entities: Mapping[str, Sequence[str]]

    def found(self, text: str, least_score: float) -> list[Any]:
        """What is found in any of the languages, the surest last."""
        try:
            found = [
                one
                for language, entities in self.entities.items()
                for one in self.analyzer.analyze(text, language, entities=entities, score_threshold=least_score)
            ]
        except Exception as error:  # noqa: BLE001 - whatever it is; its words may quote the text
            raise StoreError(f"Presidio failed on a text with {type(error).__name__}") from None
        return sorted(found, key=lambda one: (one.score, one.start))


def names(before: Patterns, rules: Presidio) -> Names:
    """Presidio after the patterns; its models are loaded with the first text, once for all threads.

    Raises MissingExtra without the extra, and ConfigError for a model that is not installed.
    """
    if find_spec("presidio_analyzer") is None:
        raise MissingExtra(
            "trace.presidio needs a package that is not there: presidio-analyzer",
            expected="the extra 'presidio'",
            remedy="pip install 'plumbline-rag[presidio]'",
        )
    for model in rules.models.values():
        if find_spec(model) is None:
            raise _not_installed(model)
    return Names(before=before, rules=rules)


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that end with a line, else with a word."""
    at = 0
    while len(text) - at > _LONGEST:
        most = at + _LONGEST
        end = text.rfind("\n", at, most) + 1 or text.rfind(" ", at, most) + 1 or most
        yield text[at:end]
        at = end
    yield text[at:]


def _without(text: str, found: Sequence[Any], marks: re.Pattern[str]) -> str:
    """The text with [entity] for what was found, the marks in it left alone."""
    hidden = [""] * len(text)
    for one in found:
        hidden[one.start : one.end] = [one.entity_type.lower()] * (one.end - one.start)
    for mark in marks.finditer(text):
        hidden[mark.start() : mark.end()] = [""] * len(mark.group())
    parts = []
    for name, group in groupby(zip(hidden, text, strict=True), key=lambda pair: pair[0]):
        part = "".join(character for _, character in group)
        parts.append(f"[{name}]" if name and _WORD.search(part) else part)
    return "".join(parts)


@cache
def _loaded(models: tuple[tuple[str, str], ...], entities: tuple[str, ...]) -> _Loaded:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    # It warns of each recognizer for a language that no model is named for.
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    mapping = NerModelConfiguration().model_to_presidio_entity_mapping
    # Grammar is for the words around a pattern alone, and a third of the time.
    unread = _GRAMMAR if set(entities) <= set(mapping.values()) else _GRAMMAR[:2]
    loaded = {language: _model(name, unread) for language, name in models}
    labels = {language: _labels(model) for language, model in loaded.items()}
    ignored = set().union(*labels.values()) - set(mapping)
    engine = SpacyNlpEngine(ner_model_configuration=NerModelConfiguration(labels_to_ignore=ignored))
    engine.nlp = loaded  # as its load() leaves it, which fetches what is not there
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=list(loaded))
    analyzer.registry.remove_recognizer("EmailRecognizer")
    known = {
        language: (set(analyzer.get_supported_entities(language)) - set(mapping.values()))
        | {mapping[label] for label in labels[language] & set(mapping)}
        for language in loaded
    }
    _require(entities, set().union(*known.values()))
    wanted = {language: [one for one in entities if one in known[language]] for language in loaded}
    return _Loaded(analyzer=analyzer, entities={language: some for language, some in wanted.items() if some})


def _model(name: str, unread: Sequence[str]) -> Any:
    from spacy import util

    if not util.is_package(name):
        raise _not_installed(name)
    try:
        return util.load_model_from_package(name, exclude=list(unread))
    except (AttributeError, ImportError, OSError, ValueError) as error:
        raise ConfigError(
            f"the spaCy model '{name}' can't be loaded: {error}", expected="one for the installed version of spaCy"
        ) from None


def _labels(model: Any) -> set[str]:
    return {label for name, some in model.pipe_labels.items() if name not in _GRAMMAR for label in some}


def _require(entities: Sequence[str], known: Collection[str]) -> None:
    for entity in entities:
        if entity not in known:
            raise ConfigError(
                f"trace.presidio.entities names '{entity}', which nothing finds",
                expected=f"some of {', '.join(sorted(known))}",
            )


def _not_installed(model: str) -> ConfigError:
    return ConfigError(
        f"trace.presidio.models names '{model}', which is not installed",
        expected="a spaCy model that finds names; none is fetched",
        remedy=f"install it, as with: python -m spacy download {model}",
    )
