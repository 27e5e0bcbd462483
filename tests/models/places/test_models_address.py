"""An address names one place and no other, and a key goes nowhere that it does not belong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import UsageError
from suffice.models.places.address import address, key_of, key_said
from suffice.models.places.providers import CHECKED, HOSTS, MODEL_ROWS, PROVIDERS, quirks_of

NOTHING: dict[str, str] = {}
KEY = "sk-verysecretvalue0123456789"


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_every_provider_is_called_by_its_word_over_a_plain_url(provider: str) -> None:
    found = address(f"{provider}:some-model", environ=NOTHING)
    assert (found.model, found.endpoint.provider) == ("some-model", provider)
    assert found.endpoint.url.startswith("https://") or found.endpoint.loopback
    assert not found.endpoint.url.endswith("/") and (found.endpoint.dialect.path.startswith("/"))


def test_each_request_path_is_the_one_that_the_provider_documents() -> None:
    paths = {name: row.url + row.dialect.path for name, row in PROVIDERS.items()}
    assert paths["openai"] == "https://api.openai.com/v1/chat/completions"
    assert paths["anthropic"] == "https://api.anthropic.com/v1/messages"
    assert paths["gemini"] == "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
    assert paths["groq"] == "https://api.groq.com/openai/v1/chat/completions"
    assert paths["deepseek"] == "https://api.deepseek.com/chat/completions"
    assert paths["ollama"] == "http://127.0.0.1:11434/v1/chat/completions"


def test_a_model_name_may_hold_colons_and_slashes() -> None:
    assert address("ollama:llama3:8b", environ=NOTHING).model == "llama3:8b"
    assert address("openrouter:openai/gpt-5-mini:free").model == "openai/gpt-5-mini:free"


def test_a_url_speaks_the_dialect_of_its_scheme() -> None:
    own = address("http://127.0.0.1:8000/v1/#meta-llama/Llama-3")
    assert (own.endpoint.url, own.model) == ("http://127.0.0.1:8000/v1", "meta-llama/Llama-3")
    assert (own.endpoint.provider, own.endpoint.dialect.path) == ("127.0.0.1:8000", "/chat/completions")
    claude = address("anthropic+http://127.0.0.1:8080/v1#claude")
    assert claude.endpoint.url + claude.endpoint.dialect.path == "http://127.0.0.1:8080/v1/messages"
    assert address("https://LLM.example.com/v1#m").endpoint.provider == "llm.example.com"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("openia:gpt-5", "did you mean openai:gpt-5?"),
        ("azure:gpt-5", "openai.azure.com"),
        ("gpt-5-mini", "names no provider"),
        ("gpt-5-mini", "did you mean openai:gpt-5-mini?"),
        ("claude-haiku-4-5", "did you mean anthropic:claude-haiku-4-5?"),
        ("mistral-large", "did you mean mistral:mistral-large?"),
        ("mistral", "did you mean mistral:NAME?"),
        ("llama3.2:3b", "did you mean ollama:llama3.2:3b?"),
        ("gpt-oss:20b", "did you mean ollama:gpt-oss:20b?"),
        ("google:gemini-3.8-flash", "did you mean gemini:gemini-3.8-flash?"),
        ("openai/gpt-5", "did you mean openai:gpt-5?"),
        ("localhost:8000/v1#m", "http://localhost"),
        ("openai:", "names no model"),
        ("http://127.0.0.1:8000/v1", "names no model"),
        ("http://127.0.0.1:8000/v1#", "names no model"),
        ("", "no model is named"),
        ("openai:gpt 5", "white space"),
        ("openai:gpt-5\n", "white space"),
        ("ftp://host/v1#m", "ftp"),
        ("file:///etc/passwd#m", "file"),
        ("https:///v1#m", "host"),
        ("https://host:99999/v1#m", "host or port"),
        ("https://host:0/v1#m", "host"),
        ("https://[::1/v1#m", "host or port"),
    ],
)
def test_what_is_no_address_is_refused_with_the_next_step(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"(?s).*") as caught:
        address(text)
    assert says in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{KEY}@host/v1#m",
        f"https://{KEY}@api.openai.com/v1#m",
        f"https://host/v1?api_key={KEY}#m",
        f"https://host/v1?api_key={KEY} #m",
        KEY,
        KEY * 3,
        f"{KEY} ",
        f"openai:{KEY}\r\n",
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        address(text)
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1.evil.com",
        "127.1",
        "2130706433",
        "0x7f000001",
        "api.openai.com.",
        "аpi.openai.com",  # a Cyrillic letter
        "api.openai.com%2eevil.com",
        "api.openai.com\\@evil.com",
        "api.openai.com@evil.com",
        "-evil.com",
    ],
)
def test_a_host_written_to_look_like_another_is_refused(host: str) -> None:
    with pytest.raises(UsageError):
        address(f"https://{host}/v1#m")
    with pytest.raises(UsageError):
        address("openai:gpt-5", base_url=f"https://{host}/v1")


def test_another_base_url_gets_none_of_the_providers_keys() -> None:
    moved = address("openai:gpt-5-mini", base_url="https://gateway.example.com/v1/")
    assert (moved.endpoint.provider, moved.endpoint.url) == ("gateway.example.com", "https://gateway.example.com/v1")
    assert key_of(moved.endpoint, {"OPENAI_API_KEY": KEY}) is None
    assert moved.endpoint.quirks == quirks_of("openai", "gpt-5-mini")  # it is still the same model
    named = address("openai:gpt-5-mini", base_url="https://gateway.example.com/v1", key_env="GATEWAY_KEY")
    assert key_of(named.endpoint, {"GATEWAY_KEY": KEY}) == KEY


def test_a_providers_own_regional_host_is_still_the_provider() -> None:
    for found in (
        address("openai:gpt-5-mini", base_url="https://eu.api.openai.com/v1"),
        address("https://eu.api.openai.com/v1#gpt-5-mini"),
    ):
        assert (found.endpoint.provider, found.endpoint.region) == ("openai", "eu")
        assert found.endpoint.quirks == quirks_of("openai", "gpt-5-mini")
        assert key_of(found.endpoint, {"OPENAI_API_KEY": KEY}) == KEY
    assert address("openai:gpt-5-mini").endpoint.region is None


@pytest.mark.parametrize("url", ["http://api.openai.com/v1", "https://api.openai.com:8443/v1"])
def test_a_providers_key_never_travels_in_the_open(url: str) -> None:
    with pytest.raises(UsageError, match="https"):
        address("openai:gpt-5", base_url=url)
    with pytest.raises(UsageError, match="https"):
        address(f"{url}#gpt-5")


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        (":11500", "http://127.0.0.1:11500/v1"),
        ("127.0.0.1:11500", "http://127.0.0.1:11500/v1"),
        ("[::1]:11500", "http://[::1]:11500/v1"),
        ("http://box.example.com", "http://box.example.com:80/v1"),
        ("https://box.example.com/", "https://box.example.com:443/v1"),
    ],
)
def test_ollama_host_means_what_it_means_to_ollama(said: str, url: str) -> None:
    found = address("ollama:llama3", environ={"OLLAMA_HOST": said})
    assert found.endpoint.url == url
    assert (found.endpoint.provider == "ollama") == found.endpoint.loopback


def test_a_key_comes_from_the_first_variable_that_holds_one() -> None:
    gemini = address("gemini:gemini-3.8-flash").endpoint
    assert key_of(gemini, {"GOOGLE_API_KEY": "second", "GEMINI_API_KEY": "first"}) == "first"
    assert key_of(gemini, {"GOOGLE_API_KEY": "second", "GEMINI_API_KEY": ""}) == "second"
    with pytest.raises(UsageError, match=r"\$GEMINI_API_KEY or \$GOOGLE_API_KEY"):
        key_of(gemini, NOTHING)


def test_a_hint_names_the_variable_that_the_endpoint_reads() -> None:
    gemini = address("gemini:gemini-3.8-flash").endpoint
    assert key_said(gemini, {"GOOGLE_API_KEY": KEY, "OPENAI_API_KEY": KEY}) == "It is read from GOOGLE_API_KEY"
    assert key_said(gemini, NOTHING) == "None was sent: GEMINI_API_KEY or GOOGLE_API_KEY is not set"
    assert 'key_env="NAME"' in key_said(address("http://127.0.0.1:8000/v1#m").endpoint, {"OPENAI_API_KEY": KEY})


def test_an_endpoint_on_this_machine_needs_no_key_but_takes_one() -> None:
    own = address("http://127.0.0.1:8000/v1#m", key_env="VLLM_KEY").endpoint
    assert key_of(own, NOTHING) is None
    assert key_of(own, {"VLLM_KEY": KEY}) == KEY
    assert key_of(address("ollama:m", environ=NOTHING).endpoint, {"OPENAI_API_KEY": KEY}) is None


@pytest.mark.parametrize("spoilt", [f"{KEY}\n", f" {KEY}", f"{KEY}\r\nX-Evil: 1", f"{KEY} x", f"{KEY}é", f"{KEY}\x00"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(spoilt: str) -> None:
    with pytest.raises(UsageError) as caught:
        key_of(PROVIDERS["openai"], {"OPENAI_API_KEY": spoilt})
    assert "OPENAI_API_KEY" in str(caught.value) and "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "sampling"),
    [
        ("gpt-5-mini", False),
        ("gpt-5.6-luna", False),
        ("o1", False),
        ("o3-mini", False),
        ("o4-mini-2025-04-16", False),
        ("ft:o4-mini:acme::x", False),
        ("gpt-5-chat-latest", True),
        ("gpt-4o-mini", True),
        ("gpt-4.1", True),
    ],
)
def test_reasoning_models_of_openai_take_no_temperature(model: str, sampling: bool) -> None:
    quirks = address(f"openai:{model}").endpoint.quirks
    assert quirks.sampling is sampling and quirks.cap == "max_completion_tokens"


def test_older_models_are_not_asked_for_what_came_later() -> None:
    assert "schema" not in quirks_of("openai", "gpt-4-turbo").modes
    assert "schema" in quirks_of("openai", "gpt-4o").modes
    assert quirks_of("anthropic", "claude-3-5-haiku-latest").modes == ("tool",)
    assert quirks_of("anthropic", "claude-sonnet-4-5").sampling
    assert not quirks_of("anthropic", "claude-opus-4-7").sampling


def test_every_row_is_dated_and_belongs_to_a_provider() -> None:
    assert all(row.provider in PROVIDERS and row.checked <= CHECKED for row in MODEL_ROWS)
    assert len({(row.provider, row.prefix) for row in MODEL_ROWS}) == len(MODEL_ROWS)
    assert all(host.provider in PROVIDERS and name == name.lower() for name, host in HOSTS.items())


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    for tried in (text, f"openai:{text}", f"http://{text}", f"https://127.0.0.1{text}#m"):
        try:
            found = address(tried, environ=NOTHING)
        except UsageError:
            continue
        assert found.model and found.text == tried and found.endpoint.host
