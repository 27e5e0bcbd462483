"""The policy lets through exactly whom it names: no look-alike of a host, no region on trust."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import PolicyError, UsageError
from suffice.models.places.address import address
from suffice.models.places.endpoint import Endpoint
from suffice.models.places.policy import Policy, permits
from suffice.models.places.providers import PROVIDERS

OPENAI = PROVIDERS["openai"]
OWN = address("http://127.0.0.1:8000/v1#m").endpoint
CLOUD = [name for name, row in PROVIDERS.items() if not row.loopback]


def refused(policy: Policy, endpoint: Endpoint) -> str:
    with pytest.raises(PolicyError) as caught:
        permits(policy, endpoint)
    return str(caught.value)


@pytest.mark.parametrize("name", CLOUD)
def test_a_provider_is_let_through_by_its_name_and_no_other_is(name: str) -> None:
    permits(Policy(allow=[name]), PROVIDERS[name])
    for other in CLOUD:
        if other != name:
            said = refused(Policy(allow=[name]), PROVIDERS[other])
            assert other in said and PROVIDERS[other].host in said and name in said


def test_no_rule_lets_everybody_through_and_an_empty_list_nobody() -> None:
    permits(Policy(), OPENAI)
    refused(Policy(allow=[]), OPENAI)
    refused(Policy(allow=[]), OWN)


def test_this_machine_is_let_through_as_loopback_alone() -> None:
    for url in ("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:80/v1", "http://127.8.9.1/v1"):
        permits(Policy(allow=["loopback"]), replace(OWN, url=url))
        refused(Policy(allow=["openai"]), replace(OWN, url=url))
    refused(Policy(allow=["loopback"]), OPENAI)
    permits(Policy(allow=["ollama"]), PROVIDERS["ollama"])
    refused(Policy(allow=["ollama"]), replace(PROVIDERS["ollama"], url="http://10.0.0.1:11434/v1"))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com.evil.com/v1",
        "https://evil.com/api.openai.com",
        "https://evilapi.openai.com/v1",
        "https://x.api.openai.com/v1",
        "https://openai.com/v1",
        "https://api.openai.com@evil.com/v1",
        "https://user@api.openai.com/v1",
        "https://api.openai.com./v1",
        "https://api.openai.com%2eevil.com/v1",
        "https://аpi.openai.com/v1",  # a Cyrillic letter
        "https://api。openai。com/v1",
        "https://xn--pi-6kc.openai.com/v1",
        "https://evil.com\\@api.openai.com/v1",
        "ftp://api.openai.com/v1",
        "https://",
        "https://[::1/v1",
    ],
)
def test_a_look_alike_of_a_providers_host_is_refused_though_it_bears_its_name(url: str) -> None:
    refused(Policy(allow=["openai"]), replace(OPENAI, url=url))
    refused(Policy(allow=["api.openai.com"]), replace(OPENAI, url=url))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.com/v1",
        "http://localhost.evil.com/v1",
        "http://127.0.0.1@evil.com/v1",
        "http://127.0.0.1./v1",
        "http://127.evil.com/v1",
        "http://2130706433/v1",
        "http://0.0.0.0/v1",
        "http://[::ffff:8.8.8.8]/v1",
        "http://10.0.0.1/v1",
    ],
)
def test_a_look_alike_of_this_machine_is_refused_and_in_no_region(url: str) -> None:
    refused(Policy(allow=["loopback"]), replace(OWN, url=url))
    refused(Policy(region="eu"), replace(OWN, url=url))


def test_a_host_is_let_through_by_its_exact_name_and_port() -> None:
    server = address("https://llm.example.com:8443/v1#m").endpoint
    permits(Policy(allow=["llm.example.com"]), server)
    permits(Policy(allow=["LLM.example.com:8443"]), server)
    for entry in ("llm.example.com:443", "example.com", "lm.example.com", "llm.example.co"):
        refused(Policy(allow=[entry]), server)


def test_a_name_does_not_let_another_endpoint_through_at_the_same_host() -> None:
    posing = replace(PROVIDERS["groq"], url=OPENAI.url)
    refused(Policy(allow=["groq"]), posing)


def test_a_region_refuses_whoever_does_not_say_where_it_works() -> None:
    permits(Policy(region="eu"), PROVIDERS["mistral"])
    permits(Policy(region="EU"), address("openai:gpt-5", base_url="https://eu.api.openai.com/v1").endpoint)
    permits(Policy(region="eu"), OWN)
    assert "nobody says where it works" in refused(Policy(region="eu"), OPENAI)
    assert "'eu'" in refused(Policy(region="us"), PROVIDERS["mistral"])
    refused(Policy(region="eu"), address("mistral:m", base_url="https://gateway.example.com/v1").endpoint)


def test_both_rules_hold_together() -> None:
    refused(Policy(allow=["openai"], region="eu"), OPENAI)
    refused(Policy(allow=["openai"], region="eu"), PROVIDERS["mistral"])


@pytest.mark.parametrize(
    ("allow", "says"),
    [
        (["opnai"], "did you mean openai?"),
        (["https://api.openai.com"], "host"),
        (["*.openai.com"], "whole"),
        (["api.openai.com."], "whole"),
        (["user@host.com"], "host"),
        ([""], "host"),
        ("openai", 'allow=["openai"]'),
        ([None], "list of names"),
    ],
)
def test_a_policy_that_can_allow_nothing_is_refused_when_it_is_made(allow: list[str], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Policy(allow=allow)
    assert says in str(caught.value)


def test_equal_policies_are_equal_however_they_are_written() -> None:
    assert Policy(["OpenAI ", "loopback"], "EU") == Policy(("openai", "loopback"), "eu")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), max_size=30))
def test_no_host_but_the_providers_own_is_let_through(text: str) -> None:
    for url in (f"https://{text}", f"https://api.openai.com{text}", f"https://{text}api.openai.com/v1"):
        try:
            permits(Policy(allow=["openai"]), replace(OPENAI, url=url))
        except PolicyError:
            continue
        rest = url.removeprefix("https://").lower()
        assert any(rest == host or rest[len(host)] in "/?#:" for host in _own() if rest.startswith(host))


def _own() -> tuple[str, ...]:
    return ("api.openai.com", "eu.api.openai.com", "us.api.openai.com")
