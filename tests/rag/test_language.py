"""The language of a question, and abstentions in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.engine import Engine
from rag.language import PHRASES, language_of, phrases
from rag.settings import load_settings

UNTOLD = "no language"


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("How many days of leave do I have?", "english"),
        ("Name a common disease of the heart.", "english"),
        ("Wie viele Tage Urlaub habe ich?", "german"),
        ("Wann startete Sky Digital?", "german"),
        ("Combien de jours de congé ai-je par an ?", "french"),
        ("Qui approuve un voyage d'affaires de plus de 6000 euros ?", "french"),
        ("¿Cuántos días de vacaciones tengo?", "spanish"),
        ("¿QUIÉN GANÓ LA SUPER BOWL XLIX?", "spanish"),
        ("Quantos dias de férias tenho?", "portuguese"),
        ("Quanti giorni di ferie ho?", "italian"),
        ("Hoeveel vakantiedagen heb ik?", "dutch"),
        ("Jahresurlaub?", UNTOLD),
        ("我有多少天假？", UNTOLD),
        ("TW-350", UNTOLD),
        ("?", UNTOLD),
        ("", UNTOLD),
    ],
)
def test_stop_words_tell_the_language(question: str, language: str) -> None:
    assert language_of(question, otherwise=UNTOLD) == language


def test_what_we_say_is_in_the_language_of_the_question_else_in_english() -> None:
    assert phrases("Wie viele Tage Urlaub habe ich?").missing == "Die Antwort steht nicht in den Dokumenten."
    assert phrases("Jahresurlaub?", otherwise="german") == PHRASES["german"]
    assert phrases("Quanti giorni di ferie ho?", otherwise="german") == PHRASES["english"]
    assert phrases("我有多少天假？", otherwise="none") == PHRASES["english"]


def test_an_abstention_is_in_the_language_of_the_question(filled: Path) -> None:
    asked = Engine.from_settings(load_settings(filled / "plumbline.toml"))
    answer = asked.ask("¿Quién pintó la luna, y cuándo?")
    assert answer.abstained
    assert answer.text.startswith(
        "Los documentos no contienen la respuesta. Se buscó: «¿Quién pintó la luna, y cuándo?». Los más cercanos: "
    )
    german = asked.ask("Wer hat den Mond gemalt?").text
    assert german.startswith(
        "Die Antwort steht nicht in den Dokumenten. Gesucht wurde: „Wer hat den Mond gemalt?“. Am "
    )


def test_a_small_model_is_told_the_language_unless_it_is_english(filled: Path) -> None:
    asked = Engine.from_settings(load_settings(filled / "plumbline.toml"))
    settings = asked.settings.model_copy(
        update={"generate": asked.settings.generate.model_copy(update={"answerable_at": 0.0})}
    )
    asked = Engine.from_settings(settings)
    for question, told in (
        ("Wie viele working days of annual leave habe ich und wo?", "one short sentence in German with the exact"),
        ("How many working days of annual leave do I have?", "one short sentence with the exact"),
    ):
        trace = asked.spool.trace(asked.ask(question).trace_id)
        step = next(step for step in trace.steps if step.name == "generate")
        assert told in step.attributes["messages"][-1]["content"]
