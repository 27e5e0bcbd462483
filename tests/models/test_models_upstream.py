"""The upstream that the model client is tested against does on the wire what its script says."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import (
    Asked,
    CutBody,
    DuplicateChunks,
    Fault,
    HalfEvent,
    Hang,
    Ok,
    RateHeaders,
    ResetBefore,
    ResetMidBody,
    Status,
    StreamOk,
    capacity,
    drawn,
    first,
    rate_limited,
    storm,
    too_long,
)

from upstream import HELD, Upstream, upstream

CHAT = "/v1/chat/completions"


def post(up: Upstream, body: Mapping[str, Any], path: str = CHAT) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer, on a connection of its own."""
    line = http.client.HTTPConnection("127.0.0.1", up.port, timeout=5)
    try:
        line.request("POST", path, json.dumps(body), {"Authorization": "Bearer sk-secret", "X-Other": "seen"})
        answer = line.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        line.close()


def asks(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "any", "messages": [{"role": "user", "content": text}], **more}


def test_a_good_reply_in_the_dialect_of_its_path() -> None:
    with upstream(Ok("four", usage=(7, 2))) as up:
        openai = json.loads(post(up, asks())[2])
        anthropic = json.loads(post(up, asks(), "/v1/messages")[2])
        vectors = json.loads(post(up, {"model": "any", "input": ["a", "bcd"]}, "/v1/embeddings")[2])
    assert openai["choices"][0]["message"]["content"] == "four"
    assert openai["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert anthropic["content"] == [{"type": "text", "text": "four"}]
    assert [v["embedding"][0] for v in vectors["data"]] == [1.0, 3.0]


def test_the_log_says_what_arrived_and_no_key() -> None:
    with upstream() as up:
        post(up, asks("zwölf"))
    (asked,) = up.log.asked
    assert (asked.number, asked.path, asked.text, asked.model) == (0, CHAT, "zwölf", "any")
    assert asked.headers["authorization"] == HELD
    assert asked.headers["x-other"] == "seen"
    assert "sk-secret" not in repr(up.log)


def test_the_script_decides_by_number_and_by_what_is_asked() -> None:
    with upstream(first(Status(500), rate_limited(2), rate_limited(milliseconds=15), too_long())) as up:
        answers = [post(up, asks()) for _ in range(5)]
        up.script = lambda asked: Ok(asked.text.upper())
        assert b"SHOUTED" in post(up, asks("shouted"))[2]
    assert [status for status, _, _ in answers] == [500, 429, 429, 400, 200]
    assert answers[1][1]["retry-after"] == "2"
    assert answers[2][1]["retry-after-ms"] == "15"
    assert json.loads(answers[3][2])["error"]["code"] == "context_length_exceeded"


def test_rate_headers_come_with_a_good_reply() -> None:
    with upstream(RateHeaders(3, "1.5s", tokens=0)) as up:
        status, headers, _ = post(up, asks())
    assert status == 200
    assert (headers["x-ratelimit-remaining-requests"], headers["x-ratelimit-reset-requests"]) == ("3", "1.5s")
    assert headers["x-ratelimit-remaining-tokens"] == "0"


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
@pytest.mark.parametrize("piece", [0, 3])
def test_a_stream_holds_its_chunks_and_announces_its_end(path: str, piece: int) -> None:
    with upstream(StreamOk(("Once ", "upön"), piece=piece)) as up:
        _, headers, body = post(up, asks(stream=True), path)
    assert headers["content-type"] == "text/event-stream"
    assert "".join(texts(body)) == "Once upön"
    assert body.endswith(b"data: [DONE]\n\n" if path == CHAT else b'data: {"type":"message_stop"}\n\n')


def test_a_duplicating_stream_says_every_chunk_twice() -> None:
    with upstream(DuplicateChunks(("a", "b"))) as up:
        assert texts(post(up, asks(stream=True))[2]) == ["a", "a", "b", "b"]


def texts(body: bytes) -> list[str]:
    """The texts of a stream of either dialect."""
    found = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    deltas = [e.get("delta") or (e.get("choices") or [{}])[0].get("delta") or {} for e in found]
    return [text for d in deltas if (text := d.get("text") or d.get("content"))]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ResetBefore(), ConnectionResetError),
        (ResetMidBody(20), ConnectionResetError),
        (CutBody(10), http.client.IncompleteRead),
        (HalfEvent(), http.client.IncompleteRead),
    ],
    ids=lambda x: type(x).__name__,
)
def test_a_broken_connection_breaks_for_the_client(fault: Fault, error: type[Exception]) -> None:
    with upstream(fault) as up, pytest.raises(error):
        post(up, asks(stream=isinstance(fault, HalfEvent)))


def test_half_an_event_can_come_in_a_body_that_is_whole() -> None:
    with upstream(HalfEvent(("one",), clean=True)) as up:
        body = post(up, asks(stream=True))[2]
    assert texts(body.rpartition(b"\n\n")[0]) == ["one"]
    assert not body.endswith(b"\n")


def test_it_counts_after_how_many_chunks_a_client_left() -> None:
    with upstream(StreamOk(("word ",) * 200, delay=0.02)) as up:
        with socket.create_connection(("127.0.0.1", up.port)) as line:
            body = json.dumps(asks(stream=True)).encode()
            line.sendall(f"POST {CHAT} HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            seen = b""
            while seen.count(b"word ") < 3:
                seen += line.recv(4096)
            assert up.log.open == 1
        up.wait_until(lambda log: bool(log.left) and log.open == 0)
    assert 3 <= up.log.left[0].chunks < 50


def test_a_connection_serves_many_requests_and_is_counted_once() -> None:
    with upstream() as up:
        line = http.client.HTTPConnection("127.0.0.1", up.port, timeout=5)
        for _ in range(3):
            line.request("POST", CHAT, json.dumps(asks()))
            line.getresponse().read()
        assert (up.log.open, up.log.connections) == (1, 1)
        line.close()
        up.wait_until(lambda log: log.open == 0)
    assert [s.ended for s in up.log.served] == ["answered"] * 3


def test_what_hangs_hangs_until_the_client_leaves() -> None:
    with upstream(Hang()) as up:
        line = http.client.HTTPConnection("127.0.0.1", up.port, timeout=0.1)
        line.request("POST", CHAT, json.dumps(asks()))
        with pytest.raises(TimeoutError):
            line.getresponse()
        line.close()
        up.wait_until(lambda log: len(log.left) == 1)


def test_above_its_capacity_it_refuses() -> None:
    with upstream(capacity(3, delay=0.3)) as up:
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(post(up, asks())[0])) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert Counter(statuses) == {200: 3, 429: 2}
    assert up.log.most_in_flight >= 4


def test_shares_are_kept_and_the_same_seed_draws_the_same() -> None:
    def fates(seed: int) -> list[Fault]:
        script = drawn({rate_limited(): 0.3, Status(500): 0.05}, seed)
        return [script(Asked(i, 0.0, CHAT, {}, {}, 1, 1)) for i in range(4000)]

    counted = Counter(fates(1))
    assert counted[rate_limited()] == pytest.approx(1200, abs=120)
    assert counted[Status(500)] == pytest.approx(200, abs=60)
    assert fates(1) == fates(1) != fates(2)


def test_a_storm_has_every_fault_in_its_share() -> None:
    script = storm(0.3, seed=4)
    fates = Counter(script(Asked(i, 0.0, CHAT, {}, {"stream": True}, 1, 1)) for i in range(4000))
    assert fates[Ok()] == pytest.approx(2800, abs=150)
    assert len(fates) == 12
    assert min(fates.values()) > 50


def test_as_a_process_it_prints_its_address_and_what_it_saw() -> None:
    program = Path(__file__).with_name("upstream.py")
    command = [sys.executable, str(program), "--script", "refusals:1:0", "--seconds", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2].removesuffix("/v1\n"))
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        line.request("POST", CHAT, json.dumps(asks()))
        assert line.getresponse().status == 429
        line.close()
        process.terminate()
        assert json.loads(process.stdout.read())["requests"] == 1


def test_a_slow_client_of_a_fast_stream_holds_it_back() -> None:
    async def patient(port: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        body = json.dumps(asks(stream=True)).encode()
        writer.write(f"POST {CHAT} HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        size = 0
        while b"[DONE]" not in (chunk := await reader.read(65536)):
            size += len(chunk)
        writer.close()
        return size

    with upstream(StreamOk(("x" * 10_000,) * 1000)) as up:
        began = time.monotonic()
        assert asyncio.run(patient(up.port)) > 9_000_000
        assert time.monotonic() - began < 20


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark's upstream, compiled."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("the benchmark's upstream needs Linux and a C compiler called cc")
    program = tmp_path_factory.mktemp("native") / "upstream"
    source = Path(__file__).parents[2] / "bench" / "upstream" / "upstream.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source)], check=True)
    return program


def test_the_upstream_of_the_benchmarks_waits_and_answers_on_one_connection(native: Path) -> None:
    command = [str(native), "--delay", "30", "--chunks", "4", "--gap", "5", "--seconds", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = http.client.HTTPConnection("127.0.0.1", int(process.stdout.readline()), timeout=5)
        took: list[float] = []
        for stream in (False, True, False):
            began = time.monotonic()
            line.request("POST", CHAT, json.dumps(asks(stream=stream)))
            body = line.getresponse().read()
            took.append(time.monotonic() - began)
            if stream:
                assert texts(body) == ["word "] * 4
                assert body.endswith(b"data: [DONE]\n\n")
            else:
                assert json.loads(body)["choices"][0]["message"]["content"]
        line.close()
        process.terminate()
        said = json.loads(process.stdout.read())
    assert said == {"served": 3, "chunks": 4, "connections": 1, "most_in_flight": 1}
    assert all(seconds >= 0.03 for seconds in took)
    assert took[1] >= 0.045


def test_the_upstream_of_the_benchmarks_ends_by_itself(native: Path) -> None:
    done = subprocess.run([str(native), "--seconds", "0.1"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[1])["served"] == 0
