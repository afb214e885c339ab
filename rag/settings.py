"""plumbline.toml and PLUMB_* variables -> one frozen Settings.

A key of the file is `section.key`; the same key as a variable is `PLUMB_SECTION__KEY`, and the variable wins.
Unknown keys are refused. Secrets are never settings: a setting names the variable that holds one.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from rag.budget.bounds import Budget
from rag.errors import ConfigError
from rag.overrides import changed
from rag.roles import USUAL_LIMITS, CandidateSettings, Roles
from rag.sections import (
    Cache,
    Folder,
    Gate,
    Generate,
    Ingest,
    Job,
    LangfuseServer,
    Notify,
    OtlpEndpoint,
    Retrieve,
    Section,
    Server,
    Tracing,
    Ui,
)

CONFIG_NAME = "plumbline.toml"
ENV_PREFIX = "PLUMB_"
# Variables with our prefix that are not settings: of the command line, of docker-compose.yml, of the test suite.
OTHER_VARIABLES = ("PLUMB_CONFIG", "PLUMB_DEBUG", "PLUMB_UID", "PLUMB_GID")
TEST_PREFIX = "PLUMB_TEST_"
SECRET_NAME = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
# In a URL: the user and password before the host, and parameters with the name of a secret.
SECRET_IN_URL = re.compile(r"(?<=//)[^/@\s]+(?=@)|(?<=[?&])([\w.-]*(?:key|token|secret|passw|sig)[\w.-]*=)[^&\s]+")
INPUT_CHARS = 100
JobName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
ModelName = Annotated[str, StringConstraints(pattern=r"^[^:]+:.")]


class Provider(Section):
    """An OpenAI-compatible server."""

    base_url: str = Field(pattern=r"^https?://.", description="address of the API, with /v1 where the server wants it")
    api_key_env: str = Field("", description="name of the environment variable that holds the key")
    timeout_s: float = Field(60.0, gt=0, description="longest wait for it to send something")
    max_retries: int = Field(2, ge=0, description="tries after the first, where a retry can help")


class LocalModels(Section):
    """Models that run in this process."""

    dir: Folder = Field(None, description="folder of the model files; default: the user's cache folder")
    threads: int = Field(0, ge=0, description="threads for generation; 0 means one a core")
    context_tokens: int = Field(4096, ge=512, description="longest prompt plus answer of the local chat model")
    prompt_cache_mb: int = Field(
        256, ge=0, description="memory for prompts that the local chat model has read, which may begin another one"
    )
    token_cache_mb: int = Field(
        64, ge=0, description="memory for the token vectors of passages that were read for the last questions"
    )


class LlamaIndex(Section):
    """LlamaIndex components, used as 'llama_index:package.module.ClassName'."""

    embed_args: dict[str, Any] = Field(default_factory=dict, description="arguments for the embedding class")
    rerank_args: dict[str, Any] = Field(default_factory=dict, description="arguments for the node postprocessor")
    llm_args: dict[str, Any] = Field(default_factory=dict, description="arguments for the LLM class")
    reader_args: dict[str, Any] = Field(
        default_factory=dict, description="arguments for the class of a 'reader:' place"
    )
    load_args: dict[str, Any] = Field(default_factory=dict, description="arguments for that reader's load_data()")
    readers_key: str = Field("", description="name of the metadata in which a reader tells who may read a document")
    max_fields: int = Field(50, ge=0, description="so many of the metadata of a reader's document become its fields")


class StoreSettings(Section):
    """Where the chunks and their vectors are kept."""

    kind: Literal["edge", "server"] = Field("edge", description="'edge': embedded engine; 'server': Qdrant server")
    url: str = Field("http://127.0.0.1:6333", description="address of the Qdrant server")
    api_key_env: str = Field("QDRANT_API_KEY", description="variable with the server's key, if it wants one")
    collection: str = Field(
        "plumbline",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        description="collection on the server, folder name in the embedded store",
    )
    timeout_s: float = Field(10.0, gt=0, description="longest wait for the server, or for another process")
    min_free_mb: int = Field(
        100, ge=0, description="the embedded store writes nothing where its disk has less free space"
    )
    server: Server = Server()


class ContextSettings(Section):
    """What the model gets to read."""

    budget_tokens: int = Field(200, ge=50, description="tokens of passages that the model reads")
    passages: Literal["focus", "whole"] = Field(
        "focus",
        description="'focus': the sentences nearest to the question, embedded for each anew; 'whole': best passages",
    )
    neighbours: int = Field(
        0, ge=0, le=50, description="chunks before and after a hit that are read with it; with parents, these are"
    )


class Verify(Section):
    """How claims are checked against the passages."""

    supported_at: float = Field(0.7, ge=0, le=1, description="a claim is supported from this share of its words on")
    partly_at: float = Field(0.5, ge=0, le=1, description="and partly supported from this share on")
    abstain_unsupported: bool = Field(
        True, description="an answer none of whose claims is at least partly supported becomes an abstention"
    )
    second_opinion: bool = Field(
        False, description="the model of roles.judge is asked about claims in doubt, and may call them supported"
    )
    opinions: int = Field(3, ge=1, description="most claims of an answer that it is asked about")


class Limits(Section):
    """Bounds on what comes from outside."""

    question_chars: int = Field(8_000, ge=1, description="longest question")
    history_turns: int = Field(6, ge=0, description="earlier turns of a conversation that are looked at")
    feedback_chars: int = Field(4_000, ge=1, description="longest comment, and longest right answer, of a feedback")
    tags: int = Field(10, ge=0, description="most tags of a question")
    tag_chars: int = Field(100, ge=1, le=200, description="longest tag; Langfuse takes none above 200")


BUILT_IN_PROVIDERS: Mapping[str, Mapping[str, Any]] = {
    "openai": {"base_url": "https://api.openai.com/v1", "api_key_env": "OPENAI_API_KEY"},
    "ollama": {"base_url": "http://127.0.0.1:11434/v1", "timeout_s": 300.0},
    "vllm": {"base_url": "http://127.0.0.1:8000/v1", "timeout_s": 300.0},
}


def _completed(given: Mapping[str, Any], built_in: Mapping[str, Any]) -> dict[str, Any]:
    """A provider's values over the built-in ones of its name; a built-in key goes to the built-in address only."""
    is_elsewhere = given.get("base_url", built_in["base_url"]) != built_in["base_url"]
    kept = {name: value for name, value in built_in.items() if not (is_elsewhere and name == "api_key_env")}
    return {**kept, **given}


class Settings(BaseSettings):
    """Everything that can be set. `root` is the folder of the config file; relative paths start there."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    root: Path = Field(default_factory=Path.cwd, exclude=True, description="set by load_settings()")
    data_dir: Path = Field(Path(".plumb"), description="folder of the index, the manifest and the traces")
    roles: Roles = Roles()
    providers: dict[str, Provider] = Field(default_factory=dict, description="own OpenAI-compatible servers, by name")
    candidates: dict[ModelName, CandidateSettings] = Field(
        default_factory=dict, description="limits and prices of chat models, by 'provider:model'"
    )
    local: LocalModels = LocalModels()
    llama_index: LlamaIndex = LlamaIndex()
    store: StoreSettings = StoreSettings()
    ingest: Ingest = Ingest()
    retrieve: Retrieve = Retrieve()
    context: ContextSettings = ContextSettings()
    generate: Generate = Generate()
    verify: Verify = Verify()
    cache: Cache = Cache()
    trace: Tracing = Tracing()
    langfuse: LangfuseServer = LangfuseServer()
    otlp: OtlpEndpoint = OtlpEndpoint()
    limits: Limits = Limits()
    ui: Ui = Ui()
    budget: Budget = Budget()
    gate: Gate = Gate()
    jobs: dict[JobName, Job] = Field(default_factory=dict, description="what is done again and again, by name")
    notify: Notify = Notify()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, which arrives as init arguments."""
        return env_settings, init_settings

    @field_validator("providers", mode="before")
    @classmethod
    def _with_built_in_values(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {
            name: _completed(values, BUILT_IN_PROVIDERS[name])
            if name in BUILT_IN_PROVIDERS and isinstance(values, dict)
            else values
            for name, values in given.items()
        }

    @property
    def prompts_path(self) -> Path | None:
        """The folder of own prompts; None where there is none."""
        own = self.generate.prompts_dir
        return self.root / own if own else None

    @property
    def data_path(self) -> Path:
        """The data folder as an absolute path."""
        return self.root / self.data_dir

    @property
    def models_path(self) -> Path | None:
        """The folder of the model files as an absolute path; None for the user's cache folder."""
        return self.root / self.local.dir if self.local.dir else None

    def provider(self, name: str) -> Provider:
        """The OpenAI-compatible server called `name`; raises ConfigError when there is none."""
        if name in self.providers:
            return self.providers[name]
        if name in BUILT_IN_PROVIDERS:
            return Provider(**BUILT_IN_PROVIDERS[name])
        known = ", ".join(sorted({"local", "llama_index", "scripted", *BUILT_IN_PROVIDERS, *self.providers}))
        raise ConfigError(
            f"unknown provider '{name}'",
            expected=f"one of {known}",
            remedy=f"add a [providers.{name}] table with its base_url to {CONFIG_NAME}",
        )

    def candidate(self, name: str) -> CandidateSettings:
        """The limits of the chat model 'provider:model'; what it is not told is as usual for its provider.

        Raises ConfigError when there is no such provider.
        """
        given = self.candidates[name].model_dump(exclude_unset=True) if name in self.candidates else {}
        return CandidateSettings(**{**self._usual(name.partition(":")[0]), **given})

    def _usual(self, provider: str) -> Mapping[str, Any]:
        if provider in USUAL_LIMITS:
            return USUAL_LIMITS[provider]
        server = self.provider(provider)
        return {"first_token_s": server.timeout_s, "retries": server.max_retries}

    def config_hash(self, *, without: Iterable[str] = ()) -> str:
        """12 hex digits that change whenever a setting changes: recorded in every trace; `without` names tables."""
        return hashlib.sha256(self.model_dump_json(exclude=set(without)).encode()).hexdigest()[:12]


def load_settings(path: Path | None = None, *, changes: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from `path`, or from the nearest plumbline.toml upwards, or take the defaults.

    `changes` stand in the place of what the file says, by dotted key: {'retrieve.limit': 5}.

    Raises ConfigError for a file that is missing or is not TOML, and for unknown or unusable keys.
    """
    _refuse_unknown_variables()
    file = path or find_config()
    values = changed(_read_toml(file) if file else {}, changes or {})
    if "root" in values:
        raise _unknown("root", _where(file, "root", changes or {}))
    root = file.resolve().parent if file else Path.cwd()
    try:
        return Settings(**{**values, "root": root})
    except ValidationError as error:
        raise _explain(error, file, changes or {}) from None
    except SettingsError as error:
        raise ConfigError(
            str(error),
            expected=f"JSON in a {ENV_PREFIX}* variable that holds a whole table",
            remedy=f"set its keys one by one, as in {ENV_PREFIX}STORE__KIND",
        ) from None


def split_model(name: str, *, role: str) -> tuple[str, str]:
    """'provider:model' -> (provider, model); raises ConfigError when there is no colon."""
    provider, colon, model = name.partition(":")
    if not (provider and colon and model):
        raise ConfigError(
            f"roles.{role} is '{name}'",
            expected="'provider:model', for example 'openai:gpt-5-mini'",
            remedy=f"change it in {CONFIG_NAME}, or in --set",
        )
    return provider, model


def secret(variable: str) -> str:
    """The secret held by an environment variable, or '' when it is unset."""
    return os.environ.get(variable, "") if variable else ""


def is_secret(name: str) -> bool:
    """Whether a setting or argument of this name may hold a secret."""
    return bool(SECRET_NAME.search(name))


def redact_url(url: str) -> str:
    """A URL without the user, the password and the keys in it."""
    return SECRET_IN_URL.sub(lambda found: f"{found[1] or ''}***", url)


def shown(settings: Settings) -> dict[str, Any]:
    """The settings for people: nothing that looks like a secret, and whether each secret's variable is set."""
    redacted: dict[str, Any] = _redact(settings.model_dump(mode="json"))
    return redacted


def documented(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Every key with its default and description, for the commented config file and the reference."""
    for name, info in model.model_fields.items():
        if name == "root":
            continue
        default = info.get_default(call_default_factory=True)
        if isinstance(default, Section):
            yield from documented(type(default), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _toml_value(default), info.description or ""


def _toml_value(value: Any) -> str:
    return '""' if value is None else json.dumps(value, default=str)


def _redact(value: Any, key: str = "") -> Any:
    if key.endswith("_env") and isinstance(value, str) and value:
        return f"{value} ({'set' if secret(value) else 'not set'})"
    if is_secret(key) and value and not isinstance(value, int | float):
        return "***"
    if isinstance(value, dict):
        # Of a table with variables every value is the name of one, whatever its key.
        return {name: _redact(item, key if key.endswith("_env") else name) for name, item in value.items()}
    if isinstance(value, list):
        return [_redact(item) for item in value]
    return redact_url(value) if isinstance(value, str) else value


def find_config() -> Path | None:
    """The config file in force: PLUMB_CONFIG, else the nearest plumbline.toml upwards, else None."""
    named = os.environ.get("PLUMB_CONFIG")
    if named:
        return Path(named)
    here = Path.cwd()
    return next((folder / CONFIG_NAME for folder in (here, *here.parents) if (folder / CONFIG_NAME).is_file()), None)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"can't read {file}: {error.strerror}",
            expected="a config file",
            remedy="run 'plumb init' to write one",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # Lines for [roles] below another [roles]: the file that 'plumb init' writes has each table already.
        remedy = "put its lines below the table that is there" if "twice" in str(error) else "mend that line"
        raise ConfigError(f"{file} is not TOML: {error}", expected="TOML", remedy=remedy) from None


def _refuse_unknown_variables() -> None:
    known = {key.upper().replace(".", "__"): default for key, default, _ in documented()}
    ours = (name for name in sorted(os.environ) if name.startswith(ENV_PREFIX) and not name.startswith(TEST_PREFIX))
    for variable in ours:
        name = variable.removeprefix(ENV_PREFIX)
        if variable not in OTHER_VARIABLES and not any(_sets(name, key, known[key]) for key in known):
            raise ConfigError(
                f"unknown variable {variable}",
                expected=f"{ENV_PREFIX} and the name of a setting{_nearest(name, known)}",
                remedy="unset it, or see 'plumb config show'",
            )


def _sets(name: str, key: str, default: str) -> bool:
    """Whether a variable sets a key: itself, a whole table as JSON, or a key of a free table such as providers."""
    return name == key or key.startswith(f"{name}__") or (default == "{}" and name.startswith(f"{key}__"))


def _explain(error: ValidationError, file: Path | None, changes: Mapping[str, Any]) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    where = _where(file, key, changes)
    if first["type"] == "extra_forbidden":
        return _unknown(key, where)
    if first["type"] == "missing":
        return ConfigError(f"'{key}' is missing {where}", expected="a value for it", remedy="add it")
    # A number out of range is no secret, whatever its name.
    name = "" if first["type"].startswith(("greater_", "less_")) else str(first["loc"][-1])
    value = repr(_redact(first["input"], name))[:INPUT_CHARS]
    return ConfigError(f"'{key}' {where} is {value}", expected=_plainly(first["msg"]), remedy="change the value")


def _plainly(message: str) -> str:
    """What the validator expects, without its own manner of speaking."""
    told = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return told.partition(", unable to parse")[0].partition(" or instance of ")[0]


def _unknown(key: str, where: str) -> ConfigError:
    known = [name for name, _, _ in documented()]
    return ConfigError(
        f"unknown setting '{key}' {where}",
        expected=f"a known key{_nearest(key, known)}",
        remedy="remove it, or see 'plumb config show'",
    )


def _where(file: Path | None, key: str, changes: Mapping[str, Any]) -> str:
    """Where a key was set: by the change that is of it, of a table that holds it, or of something below it."""
    typed = next((one for one in changes if f"{key}.".startswith(f"{one}.") or one.startswith(f"{key}.")), "")
    if typed:
        return f"in --set {typed}=..."
    return f"in {file} or a {ENV_PREFIX}* variable" if file else f"in a {ENV_PREFIX}* variable"


def _nearest(name: str, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {match[0]}?)" if match else ""
