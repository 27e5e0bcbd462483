"""A small OpenAI-compatible server on 127.0.0.1 that sorts tickets by keywords: what the tools in this folder ask.

    with serving() as url: ...   # http://127.0.0.1:PORT/v1; the models are `plain`, `careful` and `fragile`

Answers depend on the text alone, so that a run made again differs in times and ids only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLAIN = {"charge": "billing", "invoice": "billing", "parcel": "shipping", "deliver": "shipping", "return": "returns",
         "refund": "returns", "account": "account", "password": "account", "log": "account"}  # fmt: skip
CAREFUL = {"refund": "returns", "return": "returns", "sent": "returns", "send something back": "returns",
           "money back": "returns", "exchange": "returns", "login": "account", "logged": "account",
           "log in": "account", "e-mail": "account", "tracking": "shipping", "courier": "shipping", "ship": "shipping",
           "fee": "billing", "pay": "billing", "card": "billing", "bill": "billing", **PLAIN}  # fmt: skip
RULES = {"plain": PLAIN, "careful": CAREFUL, "fragile": CAREFUL}
BREAKS = "newsletter"
"""A ticket with this word is refused with status 400 to the model `fragile`."""


def answer(model: str, text: str) -> str:
    """The team of the first keyword that a text holds; "billing" where none is in it."""
    folded = text.casefold()
    return next((team for word, team in RULES[model].items() if word in folded), "billing")


@contextmanager
def serving() -> Iterator[str]:
    """The base URL of the server while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = asked.get("prompt") or _text(asked["messages"][-1]["content"])
        text = str(prompt).rpartition("Ticket:")[2].partition("\nTeam:")[0].strip()
        if asked["model"] == "fragile" and BREAKS in text:
            return self._send(400, {"error": {"message": "this text is refused", "type": "invalid_request_error"}})
        team, chat = answer(asked["model"], text), "messages" in asked
        said = {"message": {"role": "assistant", "content": team}} if chat else {"text": team}
        usage = {"prompt_tokens": len(str(prompt)) // 4, "completion_tokens": 2}
        usage["total_tokens"] = sum(usage.values())
        body = {"id": "r", "object": "chat.completion" if chat else "text_completion", "created": 0,
                "model": asked["model"], "choices": [{"index": 0, "finish_reason": "stop", **said}],
                "usage": usage}  # fmt: skip
        self._send(200, body)

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
