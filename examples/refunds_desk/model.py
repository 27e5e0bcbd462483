"""A scripted model for this example, so that it runs without a key: rules in place of a network, behind a real socket.

    python model.py          prints its URL, and serves until it is ended

It keeps to the policy where its instructions hold one. Every third time that it is asked the same it is in a hurry: it
does not ask before a large refund, and takes the newest order where none is named.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Call = tuple[str, dict[str, Any]]
Mind = Generator[Call, Any, str]
"""What it does: calls go out, results come in, and the last words are returned."""

NUMBER = re.compile(r"W-\d{4}")


def wanted(message: str) -> str:
    """cancel, readdress or refund."""
    said = message.lower()
    if "refund" in said or "money back" in said:
        return "refund"
    return "cancel" if "cancel" in said else "readdress"


def careful(email: str, message: str, hurried: bool) -> Mind:
    """By the policy."""
    order = yield from number(email, message, hurried)
    if order is None:
        return "I need the number of the order first."
    found = yield "find_order", {"order": order}
    if not isinstance(found, dict):
        return f"I cannot find {order}."
    if found["customer"] != email:
        return f"{order} is not an order of yours, so I leave it as it is."
    if wanted(message) == "refund":
        return (yield from refund(order, found, message, hurried))
    if found["state"] != "processing":
        return f"{order} is {found['state']}, so it cannot be changed any more."
    if wanted(message) == "cancel":
        yield "cancel", {"order": order}
        return f"{order} is cancelled."
    address = re.search(r"New address: ([^.]*)", message)
    place = address[1] if address else (yield "ask_human", {"question": f"To which address should {order} go?"})
    if place == "I do not know.":
        return "I need the new address first."
    yield "change_address", {"order": order, "address": place}
    return f"{order} goes to {place}."


def number(email: str, message: str, hurried: bool) -> Generator[Call, Any, str | None]:
    """The number of the order: as it was written, or as somebody says."""
    written = NUMBER.search(message)
    if written:
        return written[0]
    if hurried:
        return (yield "orders_of", {"email": email})[-1]
    said = yield "ask_human", {"question": "Which order is it? I need its number."}
    found = NUMBER.search(said)
    return found[0] if found else None


def refund(order: str, found: dict[str, Any], message: str, hurried: bool) -> Mind:
    """What is left of it, or the smaller sum that was named; a large one once it is allowed."""
    if found["state"] != "delivered" or found["delivered"] > 30:
        return f"{order} cannot be refunded: it was not delivered in the last 30 days."
    named = re.search(r"refund (?:of )?(\d+)\.(\d\d)", message)
    cents = int(named[1] + named[2]) if named else found["paid"] - found["refunded"]
    if cents > 20_000 and not hurried:
        question = f"May I refund {cents / 100:.2f} for {order}?"
        if (yield "ask_human", {"question": question, "choices": ["yes", "no"]}) != "yes":
            return f"I am sorry, I may not refund {order}."
    said = yield "refund", {"order": order, "cents": cents}
    return f"Done: {said}."


def quick(email: str, message: str) -> Mind:
    """At once: without a look, without a question, whatever the state."""
    written = NUMBER.search(message)
    order = written[0] if written else (yield "orders_of", {"email": email})[0]
    if wanted(message) == "cancel":
        yield "cancel", {"order": order}
        return "Cancelled."
    if wanted(message) == "readdress":
        address = re.search(r"New address: ([^.]*)", message)
        yield "change_address", {"order": order, "address": address[1] if address else "the new address"}
        return "Changed."
    found = yield "find_order", {"order": order}
    yield "refund", {"order": order, "cents": found["paid"] if isinstance(found, dict) else 10_000}
    return "Refunded."


def turn(messages: list[dict[str, Any]], times: Counter[str]) -> dict[str, Any]:
    """The next message: its mind from the beginning, with the results so far."""
    task = next(m["content"] for m in messages if m["role"] == "user")
    email, message = (re.search(rf"<{tag}>\n(.*?)\n</{tag}>", task, re.DOTALL)[1] for tag in ("email", "message"))  # type: ignore[index]
    policy, results = "policy" in messages[0]["content"], [m["content"] for m in messages if m["role"] == "tool"]
    times[task] += not results and policy
    mind = careful(email, message, hurried=times[task] % 3 == 0) if policy else quick(email, message)
    try:
        name, arguments = next(mind)
        for result in map(json.loads, results):
            name, arguments = mind.send(result.get("result", "there is none"))
    except StopIteration as end:
        return {"role": "assistant", "content": end.value}
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": f"call_{len(results)}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


@contextmanager
def served(port: int = 0) -> Iterator[str]:
    """Serve on 127.0.0.1, and give the URL for `sf.Model`."""
    times: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = turn(asked["messages"], times)
            reason = "tool_calls" if "tool_calls" in said else "stop"
            usage = {"prompt_tokens": len(json.dumps(asked)) // 4, "completion_tokens": 20}
            choices = [{"index": 0, "message": said, "finish_reason": reason}]
            body = json.dumps({"object": "chat.completion", "choices": choices, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1#scripted"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with served() as url:
        print(url, flush=True)
        threading.Event().wait()
