"""Names are taken out of traces by Presidio and an installed spaCy model, and nothing is fetched for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from rag.commands.doctor import RECORDS
from rag.engine import Engine
from rag.errors import ConfigError, MissingExtra
from rag.observe.content import content
from rag.observe.mask import Mask
from rag.sections import Tracing
from rag.settings import load_settings

# A spaCy pipeline as a package is one, with a list of names where a trained one has learnt them.
MODEL = """
import spacy
LOADED = []
def load(**options):
    LOADED.append(options)
    model = spacy.blank("en")
    said = [("PERSON", "Ada Lovelace"), ("GPE", "Brennhaven"), ("PRODUCT", "Harbour"), ("PERSON", "[mail]")]
    ruler = model.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": name} for label, name in said])
    return model
"""
NAMES = {"models": {"en": "en_listed_names"}}
needs_extra = pytest.mark.skipif(find_spec("presidio_analyzer") is None, reason="the extra 'presidio' is not installed")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package = tmp_path / "site" / "en_listed_names"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(MODEL)
    facts = tmp_path / "site" / "en_listed_names-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: en_listed_names\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    sys.modules.pop("en_listed_names", None)


def mask(**presidio: object) -> Mask:
    return content(Tracing.model_validate({"content": "masked", "presidio": {**NAMES, **presidio}})).mask


def test_a_missing_extra_names_itself(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    config = filled / "plumbline.toml"
    config.write_text(config.read_text() + '\n[trace]\ncontent = "masked"\npresidio.models = { en = "en_core" }\n')
    with pytest.raises(MissingExtra, match=r"extra 'presidio'; pip install 'plumbline-rag\[presidio\]'"):
        Engine.from_settings(load_settings(config))


@pytest.mark.parametrize(
    ("presidio", "message"),
    [
        ({"models": {"english": "en_core"}}, "english"),
        ({"models": {"en": "../model"}}, "should match pattern"),
        ({"models": {"en": "en_core"}, "entities": []}, "at least 1"),
        ({"models": {"en": "en_core"}, "entities": ["person"]}, "should match pattern"),
        ({"models": {"en": "en_core"}, "least_score": 0.9}, "less than or equal to 0.85"),
    ],
)
def test_settings_are_checked(presidio: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tracing.model_validate({"content": "masked", "presidio": presidio})


def test_it_is_never_silently_off() -> None:
    with pytest.raises(ValueError, match=r"with trace\.content = 'masked' only"):
        Tracing.model_validate({"presidio": {"models": {"en": "en_core"}}})
    assert not Tracing(content="masked").presidio.models


@needs_extra
def test_a_model_that_is_not_installed_is_not_fetched() -> None:
    with pytest.raises(ConfigError, match=r"'en_nowhere', which is not installed.*spacy download en_nowhere"):
        mask(models={"en": "en_nowhere"})
    with pytest.raises(ConfigError, match="'json', which is not installed"):
        mask(models={"en": "json"})("a module that is no model")


@needs_extra
@pytest.mark.usefixtures("model")
def test_names_are_found_besides_the_patterns() -> None:
    hide = mask()
    said = hide("Ada Lovelace of Brennhaven, ada@x.example, asked Harbour [1] on 3 May 2026.")
    assert said == "[person] of [location], [mail], asked Harbour [1] on 3 May 2026."
    assert hide(said) == said
    assert hide("Ada Lovelace\ud800") == "[person]?"
    assert hide(" \n") == " \n"


@needs_extra
@pytest.mark.usefixtures("model")
def test_entities_are_chosen() -> None:
    said = "Ada Lovelace of Brennhaven logged in from 203.0.113.77"
    assert mask(entities=["LOCATION"])(said) == "Ada Lovelace of [location] logged in from 203.0.113.77"
    assert mask(entities=["PERSON", "IP_ADDRESS"])(said) == "[person] of Brennhaven logged in from [ip_address]"
    # Mail addresses would be checked with a list of domains, which is fetched; no part of this model finds groups.
    for entity in ("PERSN", "EMAIL_ADDRESS", "NRP"):
        with pytest.raises(ConfigError, match=f"'{entity}', which nothing finds; expected some of .*PERSON"):
            mask(entities=[entity])(said)


@needs_extra
@pytest.mark.usefixtures("model")
def test_two_languages_read_every_text() -> None:
    hide = mask(models={"en": "en_listed_names", "de": "en_listed_names"}, entities=["PERSON", "US_SSN"])
    assert hide("Ada Lovelace, Brennhaven") == "[person], Brennhaven"


@needs_extra
@pytest.mark.usefixtures("model")
def test_a_long_text_is_read_to_its_end() -> None:
    hide = mask()
    assert hide("x " * 600_000 + "Ada Lovelace") == "x " * 600_000 + "[person]"
    lines = hide("Ada Lovelace came.\n" * 2_000)
    assert lines == "[person] came.\n" * 2_000


@needs_extra
@pytest.mark.usefixtures("model")
def test_threads_share_one_engine() -> None:
    rules = {"models": {"fr": "en_listed_names"}}
    with ThreadPoolExecutor(8) as pool:
        # Each text has a mask of its own, as each open file of traces has.
        hidden = list(pool.map(lambda number: mask(**rules)(f"{number}: Ada Lovelace"), range(40)))
    assert hidden == [f"{number}: [person]" for number in range(40)]
    assert len(sys.modules["en_listed_names"].LOADED) == 1


@needs_extra
@pytest.mark.usefixtures("model")
def test_no_name_touches_the_disk_and_a_failing_mask_costs_the_trace_alone(
    filled: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = filled / "plumbline.toml"
    before = config.read_text()
    presidio = '\n[trace]\ncontent = "masked"\npresidio.models = { en = "en_listed_names" }\n'
    config.write_text(before + presidio)
    engine = Engine.from_settings(load_settings(config))
    answer = engine.ask("How many days of annual leave has Ada Lovelace?")
    assert engine.spool.trace(answer.trace_id).input == "How many days of annual leave has [person]?"
    config.write_text(before + presidio + 'presidio.entities = ["PERSN"]\n')
    unkept = Engine.from_settings(load_settings(config)).ask("How many days of annual leave has Ada Lovelace?")
    assert unkept.text == answer.text
    assert "trace of this answer was not kept: trace.presidio.entities names 'PERSN'" in caplog.text
    assert [row.id for row in engine.spool.traces() if row.name == "ask"] == [answer.trace_id]
    assert {record.name.partition(".")[0] for record in caplog.records} == {"plumbline"}
    written = b"".join(file.read_bytes() for file in (filled / ".plumb").glob("traces.db*"))
    assert b"Lovelace" not in written
    with pytest.raises(ConfigError, match="names 'PERSN', which nothing finds"):
        RECORDS["traces"](load_settings(config))
