"""In which language a text is written, guessed by its stop words, and what we say ourselves in that language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import qdrant_edge as qdrant


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """What is said instead of an answer.

    `nothing` is said where no document was found at all, the next three for each kind of `Abstention`. `searched` has a
    place for what was looked for, and `closest` goes before the titles of the closest documents.
    """

    nothing: str
    missing: str
    unconfirmed: str
    beside: str
    searched: str
    closest: str


ENGLISH = "english"
PHRASES: Mapping[str, Phrases] = {
    ENGLISH: Phrases(
        nothing="None of the documents that may be searched here holds anything near to this.",
        missing="The documents don't hold the answer.",
        unconfirmed="The documents don't confirm what the model answered.",
        beside="What the documents say of this does not seem to answer the question.",
        searched="Looked for: “{}”.",
        closest="Closest:",
    ),
    "german": Phrases(
        nothing="Keines der Dokumente, die hier durchsucht werden dürfen, enthält etwas dazu.",
        missing="Die Antwort steht nicht in den Dokumenten.",
        unconfirmed="Die Dokumente bestätigen nicht, was das Modell geantwortet hat.",
        beside="Was die Dokumente dazu sagen, scheint die Frage nicht zu beantworten.",
        searched="Gesucht wurde: „{}“.",
        closest="Am nächsten kommen:",
    ),
    "french": Phrases(
        nothing="Aucun des documents accessibles ici ne contient rien d'approchant.",
        missing="Les documents ne contiennent pas la réponse.",
        unconfirmed="Les documents ne confirment pas la réponse du modèle.",
        beside="Ce que les documents en disent ne semble pas répondre à la question.",
        searched="Recherche : « {} ».",
        closest="Les plus proches :",
    ),
    "spanish": Phrases(
        nothing="Ninguno de los documentos que se pueden consultar aquí contiene nada parecido.",
        missing="Los documentos no contienen la respuesta.",
        unconfirmed="Los documentos no confirman la respuesta del modelo.",
        beside="Lo que dicen los documentos al respecto no parece responder a la pregunta.",
        searched="Se buscó: «{}».",
        closest="Los más cercanos:",
    ),
}
# Languages that share many stop words with these: a question in one of them must not be taken for one of ours.
NEIGHBOURS = ("portuguese", "italian", "catalan", "romanian", "dutch", "danish", "norwegian", "swedish")

# Words that questions begin with; some of them are no stop words.
_ASKING: Mapping[str, frozenset[str]] = {
    ENGLISH: frozenset("how what when where which who whom whose why".split()),
    "german": frozenset("wann was welche welchem welchen welcher welches wem wen wer wie wieviel wo wofür".split()),
    "french": frozenset("combien comment où pourquoi quand quel quelle quelles quels qui quoi".split()),
    "spanish": frozenset("cuál cuáles cuándo cuánta cuántas cuánto cuántos cómo dónde qué quién quiénes".split()),
}


def phrases(text: str, *, otherwise: str = ENGLISH) -> Phrases:
    """What we say to a question, in its language if that is one of ours, else in English."""
    return PHRASES.get(language_of(text, otherwise=otherwise), PHRASES[ENGLISH])


def wanted(text: str) -> str:
    """What a prompt adds so that a question is answered in its language: ' in German'.

    Nothing for English, and where a question doesn't tell: prompts are in English, and models answer so by themselves.
    """
    language = language_of(text)
    return "" if language == ENGLISH else f" in {language.capitalize()}"


def language_of(text: str, *, otherwise: str = ENGLISH) -> str:
    """The language most of whose stop words a text has; `otherwise` where two have as many, or none any.

    After Grefenstette, Comparing Two Language Identification Schemes (1995). One of `PHRASES` or `NEIGHBOURS`, or
    `otherwise`.
    """
    every = _words(text, "")
    asked = set(re.findall(r"\w+", text.casefold()))
    counts = {
        language: every - _words(text, language) + len(asked & _ASKING.get(language, frozenset()))
        for language in (*PHRASES, *NEIGHBOURS)
    }
    most = max(counts.values())
    best = [language for language, count in counts.items() if count == most and most]
    # The rarer guess, a neighbour, has to have more stop words, not as many.
    ours = [language for language in best if language in PHRASES] or best
    return ours[0] if len(ours) == 1 else otherwise


def _words(text: str, language: str) -> int:
    """The different words of a text that are no stop words of a language."""
    return len(_counter(language).embed_query(text).indices)


@cache
def _counter(language: str) -> Any:
    unstemmed, word = qdrant.DisabledStemmer(), qdrant.TokenizerType.Word
    if not language:
        return qdrant.Bm25(qdrant.Bm25Config(tokenizer=word, stopwords=qdrant.StopwordsSet(), stemmer=unstemmed))
    return qdrant.Bm25(qdrant.Bm25Config(tokenizer=word, language=language, stemmer=unstemmed))
