"""An instant model for agents: it calls the tool `add` with another number each time, and after so many calls answers.

    python agent_upstream.py STEPS    prints its URL, and serves until it is ended

It speaks OpenAI's chat completions, to smolagents' final_answer tool and to DSPy's ReAct in their own ways. How often
the tool was called it counts in the messages that come, so any number of agents may run at once.
"""

from __future__ import annotations

import asyncio
import json
import sys

DSPY = "[[ ## reasoning ## ]]\nso\n\n[[ ## answer ## ]]\n7\n\n[[ ## completed ## ]]"
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 50


def reply(body: bytes) -> bytes:
    """The whole HTTP response to a request's body."""
    if b"next_tool_name" in body:
        message = dspy_message(body)
    elif b'"tools"' not in body:
        message = {"role": "assistant", "content": DSPY if b"[[ ##" in body else "7"}
    else:
        done = body.count(b'"tool_call_id"') or body.count(b"tool-response") or body.count(b"Observation:")
        message = called("add", {"a": done, "b": 1}, done) if done < STEPS - 1 else last(body, done)
    told = {
        "id": "r",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    data = json.dumps(told).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data)


def called(name: str, arguments: dict[str, object], number: int) -> dict[str, object]:
    """A turn that calls one tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
    }


def last(body: bytes, number: int) -> dict[str, object]:
    """The answer, as the one who asks wants it."""
    if b'"final_answer"' in body:
        return called("final_answer", {"answer": "7"}, number)
    return {"role": "assistant", "content": "7"}


def dspy_message(body: bytes) -> dict[str, object]:
    """A step of DSPy's ReAct, whose trajectory is in the prompt."""
    done = body.count(b"[[ ## observation_")
    name, arguments = ("add", f'{{"a": {done}, "b": 1}}') if done < STEPS - 1 else ("finish", "{}")
    text = (
        f"[[ ## next_thought ## ]]\nadd\n\n[[ ## next_tool_name ## ]]\n{name}\n\n"
        f"[[ ## next_tool_args ## ]]\n{arguments}\n\n[[ ## completed ## ]]"
    )
    return {"role": "assistant", "content": text}


class Connection(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request once its body is whole."""
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            length = next(
                (int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")), 0
            )
            if len(rest) < length:
                return
            body, self.buffer = rest[:length], rest[length:]
            self.transport.write(reply(body))  # type: ignore[attr-defined]


async def main() -> None:
    """Serve."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
