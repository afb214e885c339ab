"""Embedders through make_embedder(): the local model, endpoints, LlamaIndex and the scripted double."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import KEY, FakeChat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ingest.chunk import Cut, chunk
from ingest.parse import parse
from rag.embed import Embedder, Matrix, TokenEmbedder, make_embedder, reads
from rag.embed.lexical import Lexical
from rag.embed.protocol import guess_tokens
from rag.embed.remembered import Remembered
from rag.errors import ConfigError, ModelError, WeightsError
from rag.roles import Roles
from rag.settings import LlamaIndex, LocalModels, Provider, Settings
from rag.weights import require

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"


@pytest.fixture
def remote(server: FakeChat, monkeypatch: pytest.MonkeyPatch) -> Embedder:
    monkeypatch.setenv("FAKE_KEY", KEY)
    provider = Provider(base_url=server.url, api_key_env="FAKE_KEY", timeout_s=0.5, max_retries=0)
    return make_embedder(Settings(providers={"fake": provider}, roles=Roles(embed="fake:vectors")))


def llama(path: str, **arguments: Any) -> Embedder:
    return make_embedder(
        Settings(llama_index=LlamaIndex(embed_args=arguments), roles=Roles(embed=f"llama_index:{path}"))
    )


# An endpoint.


def test_vectors_come_in_the_order_of_the_texts(remote: Embedder, server: FakeChat) -> None:
    texts = ["a" * n for n in (5, 1, 9, 3)]
    expected = np.array([[n, 3.0] for n in (5, 1, 9, 3)], dtype=np.float32)
    found = remote.embed(texts)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-6)
    assert found.dtype == np.float32
    assert (remote.name, remote.dimension) == ("fake:vectors", 2)
    assert server.requests[0]["input"] == texts
    assert server.requests[0]["model"] == "vectors"
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_many_texts_go_in_batches_and_none_is_no_call(remote: Embedder, server: FakeChat) -> None:
    assert remote.embed(["text"] * 300).shape == (300, 2)
    assert [len(request["input"]) for request in server.requests] == [128, 128, 44]
    assert remote.embed([]).shape == (0, 2)
    assert [request["input"] for request in server.requests[3:]] == [["width"]]


@pytest.mark.parametrize(
    "reply",
    [
        {"data": []},
        {"data": None},
        {},
        [],
        "text",
        {"data": [{"index": 0, "embedding": [1.0, 2.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
        {"data": [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": ["y"]}]},
        {"data": [{"index": 0, "embedding": [float("nan")]}, {"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": None, "embedding": [1.0]}, {"index": "b", "embedding": [1.0]}]},
        {"data": [{"embedding": "AAAA"}, {"embedding": "AAAA"}]},
    ],
)
def test_a_reply_that_is_no_pair_of_vectors_is_a_model_error(remote: Embedder, server: FakeChat, reply: object) -> None:
    server.vectors = reply
    with pytest.raises(ModelError, match="fake:vectors"):
        remote.embed(["one", "two"])


@pytest.mark.parametrize("behaviour", [401, 404, 429, 500, "page", "echo"])
def test_an_endpoint_that_misbehaves_is_a_model_error(remote: Embedder, server: FakeChat, behaviour: str | int) -> None:
    server.behaviour = behaviour
    with pytest.raises(ModelError, match="fake:vectors at http://127") as failed:
        remote.embed(["one"])
    assert KEY not in str(failed.value)


# LlamaIndex.


def test_a_llama_index_embedding_by_its_path() -> None:
    embedder = llama("llama_index.core.embeddings.mock_embed_model.MockEmbedding", embed_dim=4)
    np.testing.assert_allclose(embedder.embed(["one", "two"]), np.full((2, 4), 0.5))
    assert embedder.dimension == 4
    assert embedder.name == "llama_index:llama_index.core.embeddings.mock_embed_model.MockEmbedding"
    assert embedder.embed([]).shape == (0, 4)


def test_a_llama_index_embedding_without_its_arguments_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"MockEmbedding can't be made: TypeError.*llama_index\.embed_args"):
        llama("llama_index.core.embeddings.mock_embed_model.MockEmbedding")


def test_a_class_that_is_no_embedding_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="is not a BaseEmbedding"):
        llama("llama_index.core.llms.mock.MockLLM")


# The double, and guesses.


def test_the_scripted_embedder_finds_shared_words() -> None:
    embedder = make_embedder(Settings(roles=Roles(embed="scripted:words")))
    leave, holiday, same = embedder.embed(["annual leave days", "the moon is far", "Leave Days annual"])
    assert leave @ same == pytest.approx(1)
    assert leave @ holiday < 0.5
    assert embedder.embed([""]).tolist() == [[0.0] * embedder.dimension]
    assert embedder.embed([]).shape == (0, embedder.dimension)


@pytest.mark.parametrize(
    "text", ["a plain English sentence of words", "日本語のテキスト", "Straße für Ümläute", "🙂🙂"]
)
def test_the_guess_of_tokens_is_not_below_one_a_word(text: str) -> None:
    assert guess_tokens(text) >= len(text.split())


@pytest.mark.parametrize("name", ["local:bge-small", "words", "nosuch:x"])
def test_an_unknown_embedder_is_a_config_error(name: str) -> None:
    with pytest.raises(ConfigError):
        make_embedder(Settings(roles=Roles(embed=name)))


# Words.


def test_words_are_stemmed_and_stop_words_left_out() -> None:
    lexical = Lexical("english")
    assert lexical.terms("The employees are travelling") == lexical.terms("employee travels")
    assert lexical.terms("the and of") == frozenset()
    assert set(lexical.question("hotel").values) == {1.0}


def test_a_language_is_checked() -> None:
    assert Lexical("german").terms("die Häuser") == Lexical("german").terms("Häuser")
    with pytest.raises(ConfigError, match=r"retrieve\.language is 'klingon'"):
        Lexical("klingon")


@pytest.mark.parametrize(
    ("passage", "question", "other"),
    [
        ("黑豹队的防守只丢了308分，在联赛中排名第六。", "黑豹队的防守丢了多少分？", "莱茵河的源头在哪里？"),
        ("東京タワーの高さは333メートルです。", "東京タワーの高さは?", "富士山はどこにありますか?"),
        ("อัตราค่าโดยสารรถไฟคือสิบบาท", "ค่าโดยสารรถไฟ", "อากาศวันนี้"),
        ("黑豹队由 Cam Newton 领导。", "Newton?", "Brady?"),
    ],
)
def test_words_are_found_in_scripts_without_spaces(passage: str, question: str, other: str) -> None:
    lexical = Lexical("english")
    held = lexical.terms(passage)
    assert len(held) >= 3
    asked = lexical.terms(question)
    assert len(asked & held) >= len(asked) / 2
    assert len(lexical.terms(other) & held) < len(lexical.terms(other)) / 2
    assert set(lexical.passage(passage).indices) == held


def test_without_a_language_words_are_taken_as_they_come() -> None:
    none = Lexical("none")
    assert len(none.terms("the cats were running")) == 4
    assert none.terms("cats") != none.terms("cat")


# The local model.


@pytest.fixture(scope="module")
def local() -> Embedder:
    try:
        return make_embedder(Settings())
    except WeightsError as missing:
        pytest.skip(str(missing))


def test_a_missing_file_tells_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="plumb models pull all-minilm-l6-v2"):
        make_embedder(Settings(root=tmp_path, local=LocalModels(dir=Path("models"))))


@pytest.mark.model
def test_meaning_is_nearer_than_words(local: Embedder) -> None:
    pairs = [
        ("How many vacation days do I get?", "Employees are entitled to thirty days of annual leave."),
        ("The car broke down.", "Our vehicle stopped working."),
        ("How do I reset my password?", "Steps to recover access to your account credentials"),
    ]
    left, right = local.embed([a for a, _ in pairs]), local.embed([b for _, b in pairs])
    similar = left @ right.T
    for row in range(len(pairs)):
        others = np.delete(similar[row], row)
        assert similar[row, row] > 0.35
        assert similar[row, row] > others.max() + 0.15


@pytest.mark.model
def test_the_vectors_are_those_of_the_published_model(local: Embedder) -> None:
    # Cosines that the model's card computes with the full-precision model: int8 may move them a little.
    first, second, third = local.embed(["That is a happy person", "That is a happy dog", "Today is a sunny day"])
    assert first @ second == pytest.approx(0.695, abs=0.05)
    assert first @ third == pytest.approx(0.257, abs=0.05)


@pytest.mark.model
def test_a_text_alone_is_embedded_as_in_a_batch(local: Embedder) -> None:
    draw = random.Random(3)  # noqa: S311 - no secret
    words = "leave travel hotel train budget security laptop office parental".split()
    texts = [" ".join(draw.choices(words, k=draw.randint(1, 150))) for _ in range(40)] + ["", "é" * 50]
    together = local.embed(texts)
    assert together.shape == (42, local.dimension)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for place in (0, 7, 23, 39, 40, 41):
        alone = local.embed([texts[place]])[0]
        assert float(np.abs(alone - together[place]).max()) < 2e-2
        assert int(np.argmax(together @ alone)) == place or texts.count(texts[place]) > 1
    assert local.embed([]).shape == (0, local.dimension)


@pytest.mark.model
@pytest.mark.parametrize("limit", [64, 160, 256])
def test_no_chunk_is_longer_than_the_window(local: Embedder, limit: int) -> None:
    for file in ("hr/leave.md", "it/it-security.md"):
        path = HANDBOOK / file
        parsed = parse(path, path.read_bytes())
        chunks = list(chunk(parsed, uri=file, revision="x", cut=Cut(max_tokens=limit, count=local.count)))
        assert chunks
        assert max(local.count(item.indexed_text) for item in chunks) <= limit <= local.max_tokens


# White space, what only looks like it, special tokens, marks that change the letter before, signs that stand alone.
ODD = " \n\t\r\x0b\x1c\x85\u2028\u00a0\u3000[CLSEP]éα漢ß\u0301\u200b.ab'-"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    whole = Tokenizer.from_file(str(require("all-minilm-l6-v2-tokenizer", folder=None)))
    whole.no_truncation()
    whole.no_padding()
    return whole


@pytest.mark.model
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.text(alphabet=ODD))
def test_tokens_counted_by_words_are_those_of_the_whole(local: Embedder, tokenizer: Tokenizer, text: str) -> None:
    assert local.count(text) == len(tokenizer.encode(text).ids)


@pytest.mark.model
def test_the_model_tells_which_scripts_it_knows(local: Embedder) -> None:
    for known in (
        "How many days?",
        "Wie viele Punkte gab die Verteidigung der Panthers ab?",
        "",
        "12:30",
        "naïve café",
    ):
        assert reads(local, known), known
    for strange in ("黑豹队的防守丢了多少分？", "黑豹队 Panthers 的防守丢了多少分？"):
        assert not reads(local, strange), strange
    assert reads(make_embedder(Settings(roles=Roles(embed="scripted:words"))), "黑豹队的防守")


# What was computed before.


def test_what_was_wanted_last_is_not_computed_again() -> None:
    asked: list[list[str]] = []

    def compute(texts: Sequence[str]) -> list[Matrix]:
        asked.append(list(texts))
        return [np.full((len(text), 1), len(text), dtype=np.float32) for text in texts]

    held = Remembered(max_bytes=6 * 4)
    first = held.get(["a", "bb", "a"], compute)
    assert [array.shape for array in first] == [(1, 1), (2, 1), (1, 1)]
    assert held.get(["bb", "a"], compute)[0] is first[1]
    assert asked == [["a", "bb"]]
    with pytest.raises(ValueError, match="read-only"):
        first[0][0] = 7
    # There is room for six numbers: 'bb' was wanted longer ago than 'a'.
    held.get(["a", "cccc"], compute)
    held.get(["a", "bb"], compute)
    assert asked[1:] == [["cccc"], ["bb"]]
    held.get(["eight of"], compute)
    held.get(["a", "eight of"], compute)
    assert asked[3:] == [["eight of"], ["a", "eight of"]]
    assert Remembered(max_bytes=0).get([], compute) == []


@pytest.mark.model
def test_token_vectors_do_not_depend_on_what_was_asked_before(local: Embedder) -> None:
    texts = ["Annual leave is 30 days.", "A dog.", "Annual leave is 30 days.", "word " * 300]
    remembering = make_embedder(Settings(local=LocalModels(token_cache_mb=1)))
    forgetting = make_embedder(Settings(local=LocalModels(token_cache_mb=0)))
    assert isinstance(remembering, TokenEmbedder)
    assert isinstance(forgetting, TokenEmbedder)
    for some in (texts[:1], texts, texts):
        for one, other in zip(remembering.embed_tokens(some), forgetting.embed_tokens(some), strict=True):
            np.testing.assert_array_equal(one, other)
