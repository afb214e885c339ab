"""Chat models through make_llm(): a misbehaving server, LlamaIndex, the scripted double and the local file."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chat_server import KEY, WORDS, FakeChat

from rag.errors import ConfigError, MissingExtra, ModelError
from rag.llm import LLM, make_llm
from rag.llm.call import Call
from rag.llm.protocol import Sampling, complete
from rag.settings import LlamaIndex, Provider, Settings
from rag.types import Generation, Message, Usage

PROMPT = [Message(role="system", content="Be brief."), Message(role="user", content="How many days?")]
SAMPLING = Sampling(temperature=0.2, max_tokens=50)


@pytest.fixture
def llm(server: FakeChat, monkeypatch: pytest.MonkeyPatch) -> LLM:
    return model(server.url, monkeypatch)


def model(url: str, monkeypatch: pytest.MonkeyPatch, *, timeout_s: float = 10) -> LLM:
    monkeypatch.setenv("FAKE_KEY", KEY)
    provider = Provider(base_url=url, api_key_env="FAKE_KEY", timeout_s=timeout_s)
    return make_llm(Settings(providers={"fake": provider}), "fake:small", role="answer")


def test_an_answer_streams_and_tells_its_facts(llm: LLM, server: FakeChat) -> None:
    *pieces, last = llm.stream(PROMPT, SAMPLING)
    assert tuple(pieces) == WORDS
    assert isinstance(last, Generation)
    assert last.text == "Thirty days [1]."
    assert (last.requested_model, last.resolved_model) == ("fake:small", "resolved-model-2026")
    assert (last.fingerprint, last.finish_reason) == ("fp_44", "stop")
    assert last.usage == Usage(prompt=11, completion=3, cached=4)
    assert last.first_token_ms is not None
    assert 0 < last.first_token_ms <= last.total_ms
    (request,) = server.requests
    assert request["messages"] == [{"role": m.role, "content": m.content} for m in PROMPT]
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("small", 0.2, 50)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("refuses", "sent"),
    [
        (("max_tokens",), {"max_completion_tokens": 50, "temperature": 0.2}),
        (("temperature",), {"max_tokens": 50}),
        (("max_tokens", "temperature", "stream_options"), {"max_completion_tokens": 50}),
    ],
)
def test_a_parameter_that_is_refused_is_adapted_and_remembered(
    llm: LLM, server: FakeChat, refuses: tuple[str, ...], sent: dict[str, Any]
) -> None:
    server.refuses = refuses
    assert complete(llm, PROMPT, SAMPLING).text == "Thirty days [1]."
    tries = len(server.requests)
    assert tries == len(refuses) + 1
    complete(llm, PROMPT, SAMPLING)
    assert len(server.requests) == tries + 1
    names = ("max_tokens", "max_completion_tokens", "temperature")
    assert {name: server.requests[-1][name] for name in names if name in server.requests[-1]} == sent


def test_a_parameter_that_no_name_helps_is_an_error(llm: LLM, server: FakeChat) -> None:
    server.refuses = ("max_tokens", "max_completion_tokens")
    with pytest.raises(ModelError, match="answered 400: unsupported_parameter"):
        complete(llm, PROMPT, SAMPLING)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("behaviour", "message", "retryable"),
    [
        (401, "answered 401: model_not_found", False),
        ("echo", "answered 401: no reason given", False),
        (404, "answered 404", False),
        (429, "answered 429", True),
        (500, "answered 500", True),
        ("page", "that breaks off", True),
        ("cut", "can't reach|no completion", True),
        ("short", "that breaks off", True),
        ("error", "no completion", True),
        ("nonsense", "no completion", True),
        ("odd", "no completion", True),
        ("endless", "more than 50 tokens", True),
    ],
)
def test_a_server_that_misbehaves_is_one_clear_error(
    llm: LLM, server: FakeChat, behaviour: str | int, message: str, retryable: bool
) -> None:
    server.behaviour = behaviour
    with pytest.raises(ModelError, match=message) as failed:
        complete(llm, PROMPT, SAMPLING)
    assert failed.value.retryable is retryable
    assert "fake:small at http://127.0.0.1" in failed.value.seen
    assert failed.value.expected
    assert failed.value.remedy
    assert KEY not in str(failed.value)
    assert len(str(failed.value)) < 400


def test_the_chances_of_the_wanted_choices_come_with_the_generation(llm: LLM, server: FakeChat) -> None:
    server.likely = {"Yes": 0.45, " yes": 0.15, "No": 0.2, "Perhaps": 0.1, " ": 0.1}
    wanted = replace(SAMPLING, choices=("Yes", "No"))
    assert complete(llm, PROMPT, wanted).chances == pytest.approx({"Yes": 0.75, "No": 0.25})
    assert server.requests[-1]["top_logprobs"] == 20
    assert complete(llm, PROMPT, SAMPLING).chances == {}
    assert "logprobs" not in server.requests[-1]


def test_a_server_that_refuses_to_tell_chances_is_asked_without(llm: LLM, server: FakeChat) -> None:
    server.refuses = ("logprobs", "top_logprobs")
    assert complete(llm, PROMPT, replace(SAMPLING, choices=("Yes", "No"))).chances == {}
    assert len(server.requests) == 3


def test_a_stream_that_is_left_stops_the_server(llm: LLM, server: FakeChat) -> None:
    server.behaviour = "endless"
    stream = llm.stream(PROMPT, SAMPLING)
    assert next(stream) == "Thirty "
    stream.close()  # type: ignore[attr-defined] # every stream is a generator
    assert server.left_alone.wait(5)


@pytest.mark.parametrize("behaviour", ["hang", "stall"])
def test_a_server_that_hangs_is_waited_for_as_long_as_set(
    server: FakeChat, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    server.behaviour = behaviour
    llm = model(server.url, monkeypatch, timeout_s=0.3)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"did not answer in 0\.3 s") as failed:
        complete(llm, PROMPT, SAMPLING)
    assert time.monotonic() - started < 5
    assert failed.value.retryable


def test_a_server_that_is_down_is_told_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"can't reach fake:small at http://\*\*\*@127") as failed:
        complete(model("http://me:pa55@127.0.0.1:9/v1", monkeypatch), PROMPT, SAMPLING)
    assert failed.value.retryable
    assert "pa55" not in str(failed.value)


def test_a_missing_key_names_its_variable() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        make_llm(Settings(), "openai:gpt-5-mini", role="answer")


def test_a_bad_address_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="the base_url of fake:small"):
        model("http://127.0.0.1:port/v1", monkeypatch)


def test_an_address_that_leads_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="can't reach"):
        complete(model("http://[", monkeypatch), PROMPT, SAMPLING)


@pytest.mark.parametrize("name", ["gpt-5", ":x", "openai:", ""])
def test_a_model_without_a_provider_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="provider:model"):
        make_llm(Settings(), name, role="answer")


def test_an_unknown_provider_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown provider 'opnai'.*ollama, openai, scripted, vllm"):
        make_llm(Settings(), "opnai:gpt-5", role="answer")


# LlamaIndex, by import path.

MOCK = "llama_index:llama_index.core.llms.mock.MockLLM"


def llama(path: str, **arguments: Any) -> LLM:
    return make_llm(Settings(llama_index=LlamaIndex(llm_args=arguments)), path, role="answer")


def test_a_llama_index_model_streams() -> None:
    *pieces, last = llama(MOCK, max_tokens=3).stream(PROMPT, SAMPLING)
    assert "".join(str(piece) for piece in pieces) == "text text text"
    assert isinstance(last, Generation)
    assert (last.text, last.requested_model, last.resolved_model) == ("text text text", MOCK, "unknown")
    assert last.usage.prompt > 0
    assert last.usage.completion > 0


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("llama_index:no_such_package.llms.X", MissingExtra, "no module named 'no_such_package'"),
        ("llama_index:llama_index.core.llms.mock.Nope", ConfigError, "no class"),
        ("llama_index:MockLLM", ConfigError, "no class"),
        ("llama_index:pathlib.Path", ConfigError, "is not a LLM"),
        ("llama_index:json.dumps", ConfigError, "is not a LLM"),
    ],
)
def test_a_path_that_is_no_model_is_refused(path: str, error: type[ConfigError], message: str) -> None:
    with pytest.raises(error, match=message):
        llama(path)


def test_arguments_that_do_not_fit_are_refused_without_their_secrets() -> None:
    with pytest.raises(ConfigError, match=r"can't be made.*llama_index\.llm_args") as refused:
        llama(MOCK, max_tokens=KEY, api_key=KEY)
    assert KEY not in str(refused.value)


def test_a_llama_index_model_that_raises_is_a_model_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_llm.py").write_text(OWN_LLM)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="Broken failed: RuntimeError: bad key") as failed:
        complete(llama("llama_index:own_llm.Broken", system_prompt="x", api_key=KEY), PROMPT, SAMPLING)
    assert KEY not in str(failed.value)
    assert len(str(failed.value)) < 500


OWN_LLM = """
import time

from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.llms.mock import MockLLM

class Broken(MockLLM):
    def __init__(self, api_key, system_prompt):
        super().__init__(system_prompt=system_prompt)
        self._secret = api_key

    def stream_chat(self, messages, **kwargs):
        raise RuntimeError(f"bad key {self._secret} " + "x" * 10_000)

class Empty(MockLLM):
    def stream_chat(self, messages, **kwargs):
        try:
            for _ in range(1000):
                yield ChatResponse(message=ChatMessage(), delta="")
                time.sleep(0.01)
        finally:
            print("left")
"""


def test_a_class_that_streams_nothing_but_empty_pieces_can_be_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty_llm.py").write_text(OWN_LLM)
    monkeypatch.syspath_prepend(tmp_path)
    ended = threading.Event()
    call = Call(partial(llama("llama_index:empty_llm.Empty").stream, PROMPT, SAMPLING), ended=ended.set)
    assert call.next(20) == ""
    call.leave()
    assert ended.wait(5)  # it would go on for 10 s
    assert capfd.readouterr().out == "left\n"


# The scripted double.


def scripted(folder: Path, script: object) -> LLM:
    (folder / "script.json").write_text(script if isinstance(script, str) else json.dumps(script))
    return make_llm(Settings(root=folder), "scripted:script.json", role="answer")


def said(llm: LLM, text: str) -> str:
    return complete(llm, [Message(role="user", content=text)], SAMPLING).text


def test_a_script_answers_by_the_first_match(tmp_path: Path) -> None:
    llm = scripted(tmp_path, [{"match": "days?", "reply": "Thirty."}, {"match": "", "reply": "What?"}])
    assert said(llm, "How many days?") == "Thirty."
    assert said(llm, "Who?") == "What?"
    assert said(scripted(tmp_path, []), "Who?") == "NOT IN THE DOCUMENTS"


def test_a_script_can_fail_and_be_slow(tmp_path: Path) -> None:
    llm = scripted(tmp_path, [{"match": "slow", "reply": "There.", "delay_s": 0.05}, {"match": "", "error": "down"}])
    generation = complete(llm, [Message(role="user", content="slow")], SAMPLING)
    assert (generation.first_token_ms or 0) >= 50
    assert generation.fingerprint == "scripted"
    with pytest.raises(ModelError, match=r"scripted:script\.json: down") as failed:
        said(llm, "other")
    assert failed.value.retryable


def test_a_script_can_break_off_in_the_middle_and_say_nothing(tmp_path: Path) -> None:
    llm = scripted(tmp_path, [{"match": "days", "reply": "Thirty days", "error": "gone"}, {"match": "", "reply": ""}])
    stream = llm.stream(PROMPT, SAMPLING)
    assert [next(stream), next(stream)] == ["Thirty ", "days"]
    with pytest.raises(ModelError, match="gone"):
        next(stream)
    assert said(llm, "Who?") == ""


def test_quoting_finds_the_sentence_or_declines() -> None:
    llm = make_llm(Settings(), "scripted:quote", role="answer")
    passages = "[1] Leave\nThere is a form. Employees have thirty days of leave.\n\n[2] Travel\nTrains are fine.\n"
    assert said(llm, f"{passages}\nQuestion: How much leave have employees?") == (
        "Employees have thirty days of leave. [1]"
    )
    assert said(llm, f"{passages}\nQuestion: How far is the moon?") == "NOT IN THE DOCUMENTS"


@pytest.mark.parametrize(
    "script", ["{", "3", '{"match": "x"}', '[{"reply": "x"}]', '[{"match": "("}]', '[{"match": "x", "replay": "y"}]']
)
def test_a_script_that_is_none_is_a_config_error(tmp_path: Path, script: str) -> None:
    with pytest.raises(ConfigError, match="can't read the script"):
        scripted(tmp_path, script)


def test_a_missing_script_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't read the script"):
        make_llm(Settings(root=tmp_path), "scripted:nosuch.json", role="answer")


# The local model, in this process.


def test_an_embedding_model_is_no_chat_model() -> None:
    with pytest.raises(ConfigError, match=r"'all-minilm-l6-v2' is no chat model; expected one of qwen2\.5-coder-1\.5b"):
        make_llm(Settings(), "local:all-minilm-l6-v2", role="answer")


@pytest.fixture(scope="module")
def local() -> LLM:
    from rag.weights import present

    if not present("qwen2.5-coder-1.5b"):
        pytest.skip("the model file is not here: plumb models pull")
    llm = make_llm(Settings(), "local:qwen2.5-coder-1.5b", role="answer")
    complete(llm, [Message(role="user", content="Say: ready")], Sampling(temperature=0, max_tokens=2))
    return llm


@pytest.mark.model
def test_the_local_model_streams_and_counts(local: LLM) -> None:
    prompt = [Message(role="user", content="Reply with exactly one word: hello")]
    *pieces, last = local.stream(prompt, Sampling(temperature=0, max_tokens=8))
    assert isinstance(last, Generation)
    assert "hello" in last.text.lower()
    assert "".join(str(piece) for piece in pieces) == last.text
    assert last.usage.prompt > 5
    assert 0 < last.usage.completion <= 8
    assert last.resolved_model.endswith("q4_k_m.gguf")
    again = complete(local, prompt, Sampling(temperature=0, max_tokens=8))
    assert again.text == last.text
    assert again.usage.cached > 0


@pytest.mark.model
def test_the_local_model_serves_nobody_else(local: LLM) -> None:
    address = urlsplit(local._server.listening_address)  # type: ignore[attr-defined] # the port is nobody's business
    assert address.hostname == "127.0.0.1"
    for method, path in (
        ("POST", "/v1/chat/completions"),
        ("POST", "/completion"),
        ("GET", "/props"),
        ("GET", "/slots"),
    ):
        status, headers = asked(address.hostname, address.port, method, path)
        assert (path, status) == (path, 401)
        assert not headers.get("access-control-allow-origin")


def asked(host: str | None, port: int | None, method: str, path: str) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection(host or "", port, timeout=10)
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1})
    origin = {"Origin": "http://evil.example", "Content-Type": "application/json"}
    connection.request(method, path, body if method == "POST" else None, origin)
    reply = connection.getresponse()
    headers = {name.lower(): value for name, value in reply.getheaders()}
    connection.close()
    return reply.status, headers
