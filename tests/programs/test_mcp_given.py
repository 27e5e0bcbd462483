"""What cannot be a server, an environment, headers or options of its tools is refused before anything is started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import suffice as sf
from suffice.errors import UsageError
from suffice.programs.mcp import tools_of_mcp

pytest.importorskip("mcp")


@pytest.mark.parametrize(
    "given", [5, None, b"python shop.py", Path("shop.py"), {"python"}, ["python", 5], [], "", "a 'b"]
)
def test_what_is_no_server_is_refused_with_what_to_type(given: Any) -> None:
    with pytest.raises(UsageError) as error:
        sf.run(opened(given))
    assert error.value.hint is not None and 'tools_of_mcp("python shop.py")' in error.value.hint


@pytest.mark.parametrize("server", ["a\0b", ["python", "a\0b"], "python \ud83d"])
def test_words_that_no_process_can_be_given_are_refused(server: Any) -> None:
    with pytest.raises(UsageError, match="no command may have"):
        sf.run(opened(server))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"env": "sk-123456"}, "env is a dict of texts, not something of type str"),
        ({"env": {"A": 123456}}, "env[A] is a text, not something of type int"),
        ({"env": {5: "sk-123456"}}, "each name in env is a text"),
        ({"env": {"A=B": "sk-123456"}}, "env[A=B] has a name or a value"),
        ({"env": {"A": "sk-123456\0"}}, "env[A] has a name or a value"),
        ({"permission": "allways"}, "permission is"),
        ({"permision": "ask"}, "no option 'permision'"),
    ],
)
def test_an_environment_or_an_option_that_cannot_be_starts_nothing(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    started = tmp_path / "started"
    server = [sys.executable, "-c", f"open({str(started)!r}, 'w')"]
    with pytest.raises(UsageError) as error:
        sf.run(opened(server, **options))
    assert said in error.value.message and error.value.hint is not None
    assert "123456" not in f"{error.value} {error.value.hint}" and not started.exists()


@pytest.mark.parametrize("headers", ["X-Key: sk-123456", {"X-Key": 123456}, {5: "sk-123456"}, [("X-Key", "sk-123456")]])
def test_headers_of_another_type_are_refused(headers: Any) -> None:
    with pytest.raises(UsageError) as error:
        sf.run(opened("http://127.0.0.1:9/mcp", headers=headers))
    assert "headers" in error.value.message and "Authorization" in (error.value.hint or "")
    assert "123456" not in error.value.message


async def opened(server: Any, **options: Any) -> None:
    async with tools_of_mcp(server, **options):
        pass
