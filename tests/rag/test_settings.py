"""Settings: the file, the variables, what is refused, what is shown."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rag.errors import ConfigError
from rag.profiles import PROFILES, config_text
from rag.settings import (
    Settings,
    documented,
    load_settings,
    redact_url,
    secret,
    shown,
    split_model,
)

SECRET = "hunter2-very-secret"


def written(folder: Path, text: str) -> Path:
    file = folder / "plumbline.toml"
    file.write_text(text)
    return file


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings == Settings(root=tmp_path)
    assert settings.data_path == tmp_path / ".plumb"
    assert settings.models_path is None


def test_the_nearest_file_upwards_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 'data_dir = "x"\n[local]\ndir = "models"\n')
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    settings = load_settings()
    assert settings.root == tmp_path
    assert settings.data_path == tmp_path / "x"
    assert settings.models_path == tmp_path / "models"


def test_a_named_file_wins_over_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "[ui]\nport = 1111\n")
    (tmp_path / "other.toml").write_text("[ui]\nport = 2222\n")
    monkeypatch.setenv("PLUMB_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().ui.port == 2222
    assert load_settings(tmp_path / "plumbline.toml").ui.port == 1111


def test_variables_win_over_the_file_key_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[store]\nkind = "server"\nurl = "http://a:1"\n[ingest]\nchunk_tokens = 99\n')
    monkeypatch.setenv("PLUMB_STORE__URL", "http://b:2")
    monkeypatch.setenv("PLUMB_INGEST", '{"workers": 7}')
    monkeypatch.setenv("PLUMB_DATA_DIR", "elsewhere")
    settings = load_settings(file)
    assert (settings.store.kind, settings.store.url) == ("server", "http://b:2")
    assert (settings.ingest.chunk_tokens, settings.ingest.workers) == (99, 7)
    assert settings.data_path == tmp_path / "elsewhere"


def test_a_provider_may_come_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMB_PROVIDERS__GATEWAY__BASE_URL", "http://g/v1")
    monkeypatch.setenv("PLUMB_LLAMA_INDEX__LLM_ARGS", '{"max_tokens": 5}')
    monkeypatch.setenv("PLUMB_LLAMA_INDEX__EMBED_ARGS__EMBED_DIM", "4")
    settings = load_settings()
    assert settings.provider("gateway").base_url == "http://g/v1"
    assert settings.llama_index.llm_args == {"max_tokens": 5}
    assert settings.llama_index.embed_args == {"embed_dim": "4"}


def test_what_a_built_in_provider_is_not_told_it_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMB_PROVIDERS__OLLAMA__BASE_URL", "http://10.0.0.9:11434/v1")
    monkeypatch.setenv("PLUMB_PROVIDERS__OPENAI__MAX_RETRIES", "5")
    settings = load_settings(written(tmp_path, "[providers.openai]\ntimeout_s = 120\n"))
    ollama, openai = settings.provider("ollama"), settings.provider("openai")
    assert (ollama.base_url, ollama.timeout_s) == ("http://10.0.0.9:11434/v1", 300)
    assert (openai.base_url, openai.api_key_env) == ("https://api.openai.com/v1", "OPENAI_API_KEY")
    assert (openai.timeout_s, openai.max_retries) == (120, 5)


def test_a_chat_role_takes_a_name_or_a_list_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[roles]\nanswer = ["openai:a", "local:b"]\njudge = "openai:a"\n')
    roles = load_settings(file).roles
    assert roles.candidates("answer") == ("openai:a", "local:b")
    assert roles.candidates("judge") == ("openai:a",)
    assert roles.candidates("rewrite") == ()
    monkeypatch.setenv("PLUMB_ROLES__ANSWER", '["openai:c", "openai:d"]')
    monkeypatch.setenv("PLUMB_ROLES__REWRITE", "openai:e:f")
    roles = load_settings(file).roles
    assert roles.candidates("answer") == ("openai:c", "openai:d")
    assert roles.candidates("rewrite") == ("openai:e:f",)


def test_limits_and_prices_stand_under_the_name_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[candidates."openai:gpt-4.1"]\nfirst_token_s = 5\nprice_in = 2\nprice_out = ""\n')
    monkeypatch.setenv("PLUMB_CANDIDATES", '{"openai:gpt-4.1": {"first_token_s": 4}, "local:m": {"price_in": 1}}')
    settings = load_settings(file)
    hosted, local = settings.candidate("openai:gpt-4.1"), settings.candidate("local:m")
    assert (hosted.first_token_s, hosted.price_in, hosted.price_out, hosted.retries) == (4, 2, None, 2)
    assert (local.price_in, local.price_out, local.max_concurrent) == (1, 0, 1)
    assert shown(settings)["candidates"]["openai:gpt-4.1"]["first_token_s"] == 4


@pytest.mark.parametrize(("named", "sent"), [("", ""), ('api_key_env = "OTHER_KEY"\n', "OTHER_KEY")])
def test_a_built_in_key_goes_to_no_other_address(tmp_path: Path, named: str, sent: str) -> None:
    text = f'[providers.openai]\nbase_url = "https://gateway.example/v1"\n{named}'
    assert load_settings(written(tmp_path, text)).provider("openai").api_key_env == sent


@pytest.mark.parametrize("profile", PROFILES)
def test_a_written_profile_loads_and_changes_what_it_says(tmp_path: Path, profile: str) -> None:
    text = config_text(profile)
    settings = load_settings(written(tmp_path, text))
    stored = {**settings.model_dump(), "root": None}
    for key, value in PROFILES[profile].items():
        table, _, name = key.partition(".")
        assert stored[table][name] == tomllib.loads(f"x = {value}")["x"]
    assert all(len(line) < 200 for line in text.splitlines())


@pytest.mark.parametrize("profile", PROFILES)
def test_a_commented_default_is_the_default(tmp_path: Path, profile: str) -> None:
    lines = config_text(profile).splitlines()
    settings_lines = [line for line in lines if not line.startswith("#   ")]
    # A line such as "# port = 8501" is a default; a line without " = " after one word is a comment.
    uncommented = [
        line[2:] if line.startswith("# ") and line[2:].partition(" = ")[0].isidentifier() and " = " in line else line
        for line in settings_lines
    ]
    before = load_settings(written(tmp_path, config_text(profile)))
    assert load_settings(written(tmp_path, "\n".join(uncommented))) == before
    assert len(uncommented) > 50


def test_every_setting_is_described() -> None:
    rows = list(documented())
    assert len(rows) > 30
    assert [key for key, _, why in rows if not why] == []
    assert {key for key, default, _ in rows if default == "{}"} == {
        "providers",
        "candidates",
        "gate.floors",
        "gate.margins",
        "jobs",
        "llama_index.embed_args",
        "llama_index.llm_args",
        "llama_index.load_args",
        "llama_index.reader_args",
        "llama_index.rerank_args",
        "otlp.headers_env",
        "trace.patterns",
        "trace.presidio.models",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[store]\nkid = 1\n", r"unknown setting 'store\.kid' in .*did you mean store\.kind\?"),
        ("[stoer]\nkind = 1\n", "unknown setting 'stoer'"),
        ("nothing_like_it = 1\n", "unknown setting 'nothing_like_it'"),
        ("[ingest]\nchunk_tokens = 3\n", r"ingest\.chunk_tokens' .* is 3; expected .*32"),
        (
            '[ingest]\nchunking = "parent"\nparent_tokens = 160\n',
            r"ingest\.parent_tokens' .* more than ingest\.chunk_tokens = 160",
        ),
        (
            '[ingest]\nchunking = "parent"\nchunk_tokens = 500\n',
            r"ingest\.parent_tokens' .* more than ingest\.chunk_tokens = 500",
        ),
        ('root = "/x"\n', "unknown setting 'root'"),
        ('[roles]\ncritic = "openai:x"\n', r"unknown setting 'roles\.critic'"),
        ("[roles]\nanswer = []\n", r"'roles\.answer' .* is \[\]; expected a name or a list of names"),
        ("[roles]\nanswer = 3\n", r"'roles\.answer' .* is 3; expected a name or a list of names"),
        ('[roles]\nanswer = ["a:b", "a:b"]\n', r"'roles\.answer' .*; expected each name once"),
        ('[roles]\njudge = ["a:b", "rule:facts"]\n', r"'roles\.judge' .*; expected names of models only"),
        ('[roles]\nembed = ["a:b", "a:c"]\n', r"'roles\.embed'"),
        ('[candidates."openai:x"]\nprice = 3\n', r"unknown setting 'candidates\.openai:x\.price'"),
        ('[candidates."openai:x"]\nretries = -1\n', r"'candidates\.openai:x\.retries' .* is -1"),
        ("[candidates.gpt-4]\nretries = 1\n", r"'candidates\.gpt-4"),
        ('[providers.x]\nbase_url = "127.0.0.1:9"\n', r"providers\.x\.base_url' .* is '127\.0\.0\.1:9'"),
        ('[providers.x]\nbase_url = "ftp://127.0.0.1/v1"\n', r"providers\.x\.base_url'"),
        ('[providers.x]\nbase_url = ""\n', r"providers\.x\.base_url'"),
        ('[retrieve]\nlimit = "many"\n', r"is 'many'; expected a valid integer; change the value"),
        ('[store]\nkind = "cloud"\n', r"'store\.kind' .* is 'cloud'; expected .*'edge' or 'server'"),
        ("[ui]\nport = 0\n", r"'ui\.port' .* is 0; expected .*greater than or equal to 1"),
        ("[ui]\nport = []\n", r"'ui\.port' .* is \[\]"),
        ("store = 3\n", "'store' .* is 3"),
        ('[store]\ncollection = "../x"\n', r"'store\.collection' .* is '\.\./x'"),
        ('[store]\ncollection = ""\n', r"'store\.collection'"),
        ("[providers.x]\ntimeout_s = 1\n", r"'providers\.x\.base_url' is missing"),
        (f'[providers.x]\napi_key = "{SECRET}"\n', r"'providers\.x\.base_url' is missing"),
        (f'[providers.x]\nbase_url = "http://x"\napi_key = "{SECRET}"\n', r"unknown setting 'providers\.x\.api_key'"),
        (f'[providers]\nx = "{SECRET * 30}"\n', r"'providers\.x' .* is 'hunter2"),
        ("[store\n", "is not TOML"),
        ("a = 1\na = 2\n", "is not TOML"),
    ],
)
def test_what_can_not_be_used_is_one_line_with_a_remedy(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as refused:
        load_settings(file)
    assert refused.value.expected
    assert refused.value.remedy
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\x00", b"[a]\nb = '\x80'"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "plumbline.toml").write_bytes(data)
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings()


@pytest.mark.parametrize("place", ["nosuch.toml", "folder", "file/x.toml"])
def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"can't read .*; run 'plumb init'"):
        load_settings(tmp_path / place)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PLUMB_STORE__KIN", "edge", r"unknown variable PLUMB_STORE__KIN; .*did you mean STORE__KIND\?"),
        ("PLUMB_NOPE", "1", "unknown variable PLUMB_NOPE; expected PLUMB_ and the name of a setting; unset"),
        ("PLUMB_CONFIGX", "1", "unknown variable PLUMB_CONFIGX"),
        ("PLUMB_DATA_DIR__X", "1", "unknown variable PLUMB_DATA_DIR__X"),
        ("PLUMB_STORE__KIND__X", "1", "unknown variable PLUMB_STORE__KIND__X"),
        ("PLUMB_ROOT", "/x", "unknown variable PLUMB_ROOT"),
        ("PLUMB_", "1", "unknown variable PLUMB_"),
        ("PLUMB_STORE__KIND", "cloud", r"'store\.kind' in a PLUMB_\* variable is 'cloud'"),
        ("PLUMB_UI__PORT", "many", r"'ui\.port'"),
        ("PLUMB_STORE", "edge", r"error parsing value.*expected JSON.*PLUMB_STORE__KIND"),
        ("PLUMB_STORE", "[]", "'store'"),
    ],
)
def test_a_variable_that_can_not_be_used_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message) as refused:
        load_settings()
    assert refused.value.remedy


@pytest.mark.parametrize("name", ["PLUMB_TEST_QDRANT_URL", "PLUMB_DEBUG", "PLUMB_UID", "OPENAI_API_KEY", "PLUMBER"])
def test_variables_that_are_no_settings_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert load_settings() == Settings(root=Path.cwd())


def test_what_is_shown_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", SECRET)
    file = written(
        tmp_path,
        f"""
[store]
url = "https://admin:{SECRET}@qdrant.example:6333"
[providers.x]
base_url = "https://x.example/v1?api_key={SECRET}&v=2"
api_key_env = "X_KEY"
[llama_index.llm_args]
api_key = "{SECRET}"
max_tokens = 5
headers = [{{ Authorization = "{SECRET}" }}]
credentials = {{ user = "{SECRET}" }}
model = "large"
[llama_index.embed_args]
password = "{SECRET}"
endpoint = "https://u:{SECRET}@e.example"
""",
    )
    values = shown(load_settings(file))
    assert SECRET not in str(values)
    assert values["store"]["url"] == "https://***@qdrant.example:6333"
    assert values["store"]["api_key_env"] == "QDRANT_API_KEY (set)"
    assert values["providers"]["x"]["api_key_env"] == "X_KEY (not set)"
    assert values["providers"]["x"]["base_url"] == "https://x.example/v1?api_key=***&v=2"
    assert values["llama_index"]["llm_args"] == {
        "api_key": "***",
        "max_tokens": 5,
        "headers": [{"Authorization": "***"}],
        "credentials": "***",
        "model": "large",
    }
    assert values["ingest"]["chunk_tokens"] == 160


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("http://h:1/v1", "http://h:1/v1"),
        ("http://u:p@h", "http://***@h"),
        ("http://token@h/a?x=1", "http://***@h/a?x=1"),
        ("http://h/?token=abc&access_key=def#x", "http://h/?token=***&access_key=***"),
        ("mail me @ home", "mail me @ home"),
    ],
)
def test_urls_lose_their_credentials(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


def test_the_hash_changes_with_a_setting_and_not_with_the_folder(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    assert settings.config_hash() == Settings(root=tmp_path / "x").config_hash()
    changed = settings.model_copy(update={"ui": settings.ui.model_copy(update={"port": 9})})
    assert changed.config_hash() != settings.config_hash()
    assert len(settings.config_hash()) == 12


def test_a_model_name_is_split_at_its_first_colon() -> None:
    assert split_model("ollama:qwen2.5:7b", role="answer") == ("ollama", "qwen2.5:7b")


def test_secrets_come_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    assert (secret("SOME_KEY"), secret("OTHER_KEY"), secret("")) == (SECRET, "", "")
