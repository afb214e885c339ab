"""Any server that speaks the OpenAI protocol: OpenAI, vLLM, Ollama, llama.cpp, a gateway."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openai

from rag.errors import ConfigError, ModelError
from rag.llm.protocol import Piece, Sampling
from rag.llm.stopping import StoppableStream, watch
from rag.retry_after import retry_after_s
from rag.settings import Provider, redact_url
from rag.types import Generation, Message, Usage

# What some servers refuse, and the name under which they take it, if any.
OPTIONAL = {
    "max_tokens": "max_completion_tokens",
    "temperature": None,
    "stream_options": None,
    "top_logprobs": None,
    "logprobs": None,
}
# A server that goes on for ever is cut off: no tokenizer makes tokens of so many characters on average.
CHARS_PER_TOKEN = 32
# The most that the protocol allows.
TOP_LOGPROBS = 20
# Choices that are less likely than this together were not what the model was about to say.
LEAST_MASS = 0.1
# Servers round a small bound on tokens up.
LEAST_TOKENS = 50
# Of a server behind the one that answers, which may have worked.
TIMED_OUT = (408, 504)
# What a reason looks like: 'model_not_found', 'NotFoundError', '404'. A key never does.
REASON = re.compile(r"[A-Za-z_ ]{1,60}|\d{3}")


class OpenAILLM:
    """A model behind POST /chat/completions."""

    def __init__(self, name: str, *, model: str, server: Provider, api_key: str) -> None:
        """`name` is 'provider:model'. Raises ConfigError when the key's variable is named and empty."""
        self.name = name
        self._model = model
        self._server = server
        self._client = make_client(name, server, api_key)
        self._refused: frozenset[str] = frozenset()

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> StoppableStream:
        """Pieces of the answer, then its Generation."""
        stopped = threading.Event()
        return StoppableStream(self._pieces(messages, sampling, stopped), stopped.set)

    def _pieces(
        self, messages: Sequence[Message], sampling: Sampling, stopped: threading.Event
    ) -> Generator[Piece, None, None]:
        started = time.perf_counter()
        written = ""
        first_token_ms: float | None = None
        facts: dict[str, Any] = {}
        chances: dict[str, float] = {}
        # Closing the stream, whoever leaves it, is what stops a server that is still writing.
        with translated(self.name, self._server), self._open(messages, sampling) as events:
            watch(events.response, stopped)
            for event in events:
                facts |= _facts(event)
                if text := _text(event):
                    chances = chances or _chances(event, sampling.choices)
                    first_token_ms = first_token_ms or _since(started)
                    written += text
                    yield text
                if len(written) > max(sampling.max_tokens, LEAST_TOKENS) * CHARS_PER_TOKEN:
                    raise self._unfinished(f"more than {sampling.max_tokens} tokens")
        if "finish_reason" not in facts:
            raise self._unfinished("an answer that breaks off")
        yield Generation(
            text=written,
            requested_model=self.name,
            resolved_model=facts.get("model") or self._model,
            fingerprint=facts.get("fingerprint"),
            finish_reason=facts.get("finish_reason"),
            usage=facts.get("usage", Usage()),
            first_token_ms=first_token_ms,
            total_ms=_since(started),
            chances=chances,
        )

    def _unfinished(self, sent: str) -> ModelError:
        return ModelError(
            f"{self.name} at {redact_url(self._server.base_url)} sent {sent}",
            expected="an answer with an end",
            remedy="try again, or check the server's log",
            retryable=True,
        )

    def _open(self, messages: Sequence[Message], sampling: Sampling) -> Any:
        """Start a stream; a parameter that this server refuses is renamed or left out, and remembered."""
        while True:
            request = self._request(messages, sampling)
            try:
                return self._client.chat.completions.create(**request)
            except openai.BadRequestError as error:
                # Those of this request: another thread may have learned of the refusal meanwhile.
                refused = next((key for key in OPTIONAL if key in request and key in str(error)), None)
                if refused is None:
                    raise
                self._refused |= {refused}

    def _request(self, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        optional = {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "stream_options": {"include_usage": True},
            **({"logprobs": True, "top_logprobs": TOP_LOGPROBS} if sampling.choices else {}),
        }
        taken = {key: value for key, value in optional.items() if key not in self._refused}
        renamed = {OPTIONAL[key]: optional[key] for key in self._refused if OPTIONAL[key] and key in optional}
        return {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "stream": True,
            **taken,
            **{key: value for key, value in renamed.items() if key},
        }


def make_client(name: str, server: Provider, api_key: str) -> openai.OpenAI:
    """A client for the server; raises ConfigError when a key is wanted and its variable is empty."""
    if server.api_key_env and not api_key:
        raise ConfigError(
            f"{server.api_key_env} is not set",
            expected=f"the key for {name}",
            remedy=f"export {server.api_key_env}=..., or choose another model in plumbline.toml",
        )
    try:
        return openai.OpenAI(
            base_url=server.base_url,
            api_key=api_key or "none",
            timeout=server.timeout_s,
            max_retries=server.max_retries,
        )
    except Exception as error:  # noqa: BLE001 - the exception of a bad URL belongs to the client's own HTTP library
        raise ConfigError(
            f"the base_url of {name} is {redact_url(server.base_url)}: {error}",
            expected="an http or https address",
            remedy="change it in plumbline.toml, or in --set",
        ) from None


@contextmanager
def translated(name: str, server: Provider) -> Iterator[None]:
    """Turn the client's exceptions into ModelError, without the key in the text."""
    where = redact_url(server.base_url)
    try:
        yield
    except openai.APITimeoutError:
        raise ModelError(
            f"{name} at {where} did not answer in {server.timeout_s:g} s",
            expected="an answer in time",
            remedy="raise the limit, or choose another model",
            retryable=True,
        ) from None
    except openai.APIConnectionError as error:
        gone = ModelError(
            f"can't reach {name} at {where}",
            expected="a running OpenAI-compatible server",
            remedy="start it or change its base_url; 'plumb doctor' checks it",
            retryable=True,
        )
        # A connection that broke later had the request: the server may have worked. By name, as the client takes httpx2
        # where that is installed.
        raise (gone.turned_away() if type(error.__cause__).__name__ == "ConnectError" else gone) from None
    except openai.APIStatusError as error:
        answered = ModelError(
            f"{name} at {where} answered {error.status_code}: {_message(error)}",
            expected="a completion",
            remedy="check the model's name, the key and the quota",
            retryable=error.status_code in (408, 409, 429) or error.status_code >= 500,
            retry_after_s=retry_after_s(error.response.headers.get("retry-after", "")),
        )
        raise (answered if error.status_code in TIMED_OUT else answered.turned_away()) from None
    except (openai.OpenAIError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ModelError(
            f"{name} at {where} sent something that is no completion: {type(error).__name__}",
            expected="the OpenAI protocol",
            remedy="check its base_url, which usually ends in /v1",
            retryable=True,
        ) from None


def _message(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    # Servers echo keys and prompts: only what looks like the name of a reason is repeated.
    reasons = (str(body.get(name)) for name in ("code", "type") if body.get(name))
    return next((reason for reason in reasons if REASON.fullmatch(reason)), "no reason given")


def _facts(event: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"model": event.model, "fingerprint": getattr(event, "system_fingerprint", None)}
    if event.choices and event.choices[0].finish_reason:
        facts["finish_reason"] = event.choices[0].finish_reason
    if event.usage:
        details = getattr(event.usage, "prompt_tokens_details", None)
        facts["usage"] = Usage(
            prompt=int(event.usage.prompt_tokens or 0),
            completion=int(event.usage.completion_tokens or 0),
            cached=int(getattr(details, "cached_tokens", 0) or 0),
        )
    return {key: value for key, value in facts.items() if value}


def _text(event: Any) -> str:
    return (event.choices[0].delta.content or "") if event.choices else ""


def _chances(event: Any, choices: Sequence[str]) -> dict[str, float]:
    """How likely each choice began here, together 1, from the likeliest first tokens; empty when they are not told."""
    told = getattr(event.choices[0], "logprobs", None)
    if not choices or told is None or not told.content:
        return {}
    likely = [(token.token.strip().casefold(), math.exp(token.logprob)) for token in told.content[0].top_logprobs or ()]
    found = {
        choice: sum(p for begun, p in likely if begun and choice.casefold().startswith(begun)) for choice in choices
    }
    whole = sum(found.values())
    # Where the model was about to say something else, its odds between the choices mean nothing.
    return {choice: round(chance / whole, 4) for choice, chance in found.items()} if whole > LEAST_MASS else {}


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
