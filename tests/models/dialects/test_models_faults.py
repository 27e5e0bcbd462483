"""What answers other than 200 mean.

The bodies follow the error pages of OpenAI, Anthropic, Google, OpenRouter and Azure, and what llama.cpp, vLLM and
Ollama send.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import CallError, ContentFiltered, InputTooLong, RateLimited, RefusedError, ServerError
from suffice.models.dialects.faults import RateLimits, error_inside, fault_of, rate_limits
from suffice.models.dialects.rates import retry_after, seconds_of


def fault(status: int, body: object = None, **headers: str) -> CallError:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fault_of(status, named, data, where="/chat/completions", key="It is read from SOME_API_KEY")


def openai(message: str = "no", **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}}


def anthropic(kind: str, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


GEMINI_LIMIT = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}],
        }
    }
]
TOO_LONG = "the request exceeds the available context size"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(s, RefusedError) for s in (400, 401, 402, 403, 404, 405, 410, 422, 451, 301, 302, 307)],
        *[(s, ServerError) for s in (408, 409, 425, 500, 502, 503, 504, 520, 529, 204)],
        (429, RateLimited),
        (413, InputTooLong),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html><h1>No</h1></html>", b'{"error":null}', b"[]", b'"x"', b"\xff\x00"])
def test_a_status_alone_tells_the_kind_whatever_the_body(status: int, kind: type[CallError], body: bytes) -> None:
    error = fault(status, body)
    assert type(error) is kind
    assert error.status == status
    assert str(status) in error.message


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, openai(code="context_length_exceeded"), InputTooLong),
        (400, openai(code="string_above_max_length"), InputTooLong),
        (413, anthropic("request_too_large", "Request exceeds the maximum size"), InputTooLong),
        (400, anthropic("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"), InputTooLong),
        (400, {"error": {"code": 400, "message": TOO_LONG, "type": "exceed_context_size_error"}}, InputTooLong),
        (500, {"error": {"code": 500, "message": TOO_LONG, "type": "exceed_context_size_error"}}, InputTooLong),
        (
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 32768 tokens. However, you requested 41648 tokens",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
            InputTooLong,
        ),
        (400, openai(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}), ContentFiltered),
        (400, openai(code="content_policy_violation"), ContentFiltered),
        (403, {"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["violence"]}}}, ContentFiltered),
        (429, openai(type="insufficient_quota", code="insufficient_quota"), RefusedError),
        (429, openai(type="requests", code="rate_limit_exceeded"), RateLimited),
        (429, GEMINI_LIMIT, RateLimited),
        (402, anthropic("billing_error", "pay"), RefusedError),
        (529, anthropic("overloaded_error", "Overloaded"), ServerError),
        (404, {"error": "model 'llama9' not found"}, RefusedError),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, RefusedError),
    ],
)
def test_a_machine_readable_code_tells_more_than_the_status(status: int, body: object, kind: type[CallError]) -> None:
    assert type(fault(status, body)) is kind


def test_words_do_not_count_beside_a_code_that_says_something() -> None:
    assert type(fault(400, openai("prompt is too long", code="invalid_value"))) is RefusedError
    assert type(fault(401, openai("prompt is too long"))) is RefusedError


def test_hints_name_the_keys_variable_the_model_or_the_bill() -> None:
    assert "SOME_API_KEY" in (fault(401).hint or "")
    assert "SOME_API_KEY" in (fault(403).hint or "")
    bad_key = [{"error": {"code": 400, "message": "no", "details": [{"reason": "API_KEY_INVALID"}]}}]
    assert "SOME_API_KEY" in (fault(400, bad_key).hint or "")
    assert "model" in (fault(404).hint or "")
    assert "credit" in (fault(429, openai(code="insufficient_quota")).hint or "")
    assert "shorten" in (fault(413).hint or "")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize(
    "key", ["sk-proj-Ab12Cd34Ef56Gh78", "sk-ant-api03-x9_y8-z7", "AIzaSyA1b2C3d4E5f6G7h8", "gsk_a1b2c3d4e5"]
)
def test_no_key_is_in_a_message(status: int, key: str) -> None:
    for body in (openai(f"Incorrect API key provided: {key}. Find it at x"), f"bad key {key}".encode(), {"x": key}):
        assert key not in str(fault(status, body))


def test_a_key_of_any_look_is_in_no_message_where_it_was_refused() -> None:
    assert "hunter2" not in str(fault(401, openai("Incorrect API key provided: hunter2")))


@given(st.text(max_size=2_000), st.sampled_from([400, 403, 429, 500]))
def test_a_message_is_one_short_printable_line(text: str, status: int) -> None:
    for body in (openai(text), text.encode("utf-8", "replace")):
        message = fault(status, body).message
        assert len(message) <= 300
        assert message.isprintable()


@given(st.binary(max_size=200), st.integers(201, 599))
def test_any_answer_becomes_a_call_error(body: bytes, status: int) -> None:
    assert isinstance(fault(status, body), CallError)


def test_the_request_id_comes_from_the_headers_else_from_the_body() -> None:
    assert fault(500, x_request_id="req_1").request_id == "req_1"
    assert fault(500, request_id="req_2").request_id == "req_2"
    assert fault(500, anthropic("api_error", "x")).request_id == "req_011CSHoEeqs5C35K2UUqR7Fy"


def test_the_endpoint_may_say_that_asking_again_is_no_use() -> None:
    assert fault(500, x_should_retry="false").retryable is False
    assert fault(500, x_should_retry="true").retryable is True
    assert fault(500).retryable is True  # and the class is as it was


def test_an_error_inside_an_answer_is_typed_by_its_code_or_type() -> None:
    told = {"type": "overloaded_error", "message": "Overloaded"}
    assert type(error_inside(told, where="x")) is ServerError
    assert type(error_inside({"code": 429, "message": "slow"}, where="x")) is RateLimited
    assert type(error_inside({"code": "context_length_exceeded"}, where="x")) is InputTooLong
    assert type(error_inside({"type": "authentication_error"}, where="x")) is RefusedError
    assert type(error_inside("broken", where="x")) is ServerError
    error = error_inside(told, where="x", partial="half a")
    assert (error.status, error.partial) == (200, "half a")


NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "20", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "20", "retry-after-ms": "soon"}, 20.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True), "date": DATE}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=90), usegmt=True), "date": DATE}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_the_wait_is_in_seconds_however_it_was_said(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    assert fault_of(429, headers, b"", where="x").retry_after == seconds


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://sso.example.com/login?key=sk-secret", "It points to sso.example.com."),
        ("//user:pass@other.example:8443/v1", "It points to other.example."),
        ("/v1/chat/completions", None),
        ("http://[broken", None),
    ],
)
def test_a_redirect_says_the_host_that_it_points_to_and_no_more(location: str, host: str | None) -> None:
    hint = fault(307, b"", location=location).hint
    assert hint is not None and hint.endswith(host or "is the endpoint's URL right?")


def test_a_date_is_against_our_clock_where_the_endpoint_does_not_tell_its_own() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after({"retry-after": then}) == pytest.approx(60, abs=5)


def test_gemini_says_the_wait_in_its_body() -> None:
    assert fault(429, GEMINI_LIMIT).retry_after == 34.0
    assert fault(429, GEMINI_LIMIT, retry_after="2").retry_after == 2.0


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("1d", 86400.0), ("0s", 0.0)],
)
def test_durations_are_seconds(duration: str, seconds: float) -> None:
    assert seconds_of(duration) == pytest.approx(seconds)


@pytest.mark.parametrize("duration", ["", "s", "1", "1x", "1s!", "-1s", "1 s", "1s2"])
def test_what_is_no_duration_is_none(duration: str) -> None:
    assert seconds_of(duration) is None


# OpenAI, "Rate limits", section "Rate limits in headers".
def test_rate_limits_of_openai() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert rate_limits(headers) == RateLimits(60, 59, 1.0, 150_000, 149_984, 360.0)


# Anthropic, "Rate limits", section "Response headers".
def test_rate_limits_of_anthropic() -> None:
    headers = {
        "date": DATE,
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-05-01T12:00:30Z",
        "anthropic-ratelimit-tokens-limit": "400000",
        "anthropic-ratelimit-tokens-remaining": "312000",
        "anthropic-ratelimit-tokens-reset": "2026-05-01T11:59:00Z",
    }
    assert rate_limits(headers) == RateLimits(4000, 0, 30.0, 400_000, 312_000, 0.0)
    assert rate_limits({"anthropic-ratelimit-input-tokens-remaining": "7"}) == RateLimits(tokens_remaining=7)


def test_rate_limits_that_were_not_said_or_make_no_sense_are_unknown() -> None:
    assert rate_limits({"content-type": "x"}) == RateLimits()
    assert rate_limits({"x-ratelimit-remaining-tokens": "lots", "x-ratelimit-reset-tokens": "later"}) == RateLimits()
