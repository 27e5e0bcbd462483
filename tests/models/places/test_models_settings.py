"""suffice.toml: found in the right place, read strictly, and no place for a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from suffice.errors import UsageError
from suffice.models.concerns.limit import Limits
from suffice.models.places.policy import Policy
from suffice.models.places.prices import Price
from suffice.models.places.settings import Settings, settings

WHOLE = """
[models]
default = "openai:gpt-5-mini"

[prices."openai:my-ft"]
input = 1.5
output = 6

[prices."http://127.0.0.1:8000/v1#m"]
input = 0
output = 0
cached_input = 0.5

[policy]
allow = ["openai", "loopback", "llm.example.com:8443"]
region = "EU"

[limits.openai]
concurrency = 20
requests_per_minute = 500
tokens_per_minute = 200_000

[limits."127.0.0.1:8000"]
concurrency = 2
"""
SECRET = "sk-verysecretvalue0123456789"


def put(folder: Path, text: str) -> Path:
    (folder / "suffice.toml").write_text(text, "utf-8")
    return folder


def test_everything_that_a_file_says_is_read(tmp_path: Path) -> None:
    said = settings(put(tmp_path, WHOLE))
    assert said.default == "openai:gpt-5-mini" and said.file == tmp_path / "suffice.toml"
    assert said.prices == {"openai:my-ft": Price(1.5, 6), "http://127.0.0.1:8000/v1#m": Price(0, 0, 0.5)}
    assert said.policy == Policy(("openai", "loopback", "llm.example.com:8443"), "eu")
    assert said.limits == {"openai": Limits(20, 500, 200_000), "127.0.0.1:8000": Limits(2)}


def test_a_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert settings(put(tmp_path, "\ufeff" + WHOLE)).default == "openai:gpt-5-mini"


def test_no_file_and_an_empty_file_say_nothing(tmp_path: Path) -> None:
    assert settings(tmp_path) == Settings()
    said = settings(put(tmp_path, ""))
    assert (said.default, said.prices, said.policy, said.limits) == (None, {}, None, {})


def test_the_working_directory_counts_where_no_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(put(tmp_path, '[models]\ndefault = "ollama:m"\n'))
    assert settings().default == "ollama:m"


def test_the_nearest_file_up_to_the_repositorys_root_counts(tmp_path: Path) -> None:
    inner = tmp_path / "repo" / "data" / "deep"
    inner.mkdir(parents=True)
    put(tmp_path, '[models]\ndefault = "openai:above"\n')
    assert settings(inner).default is None  # in no repository: nothing above the folder itself
    (tmp_path / "repo" / ".git").mkdir()
    assert settings(inner).default is None  # what is above the root is a stranger's
    put(tmp_path / "repo", '[models]\ndefault = "openai:root"\n')
    assert settings(inner).default == "openai:root"
    put(inner, '[models]\ndefault = "openai:near"\n')
    assert settings(inner).default == "openai:near"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model]\ndefault = 'openai:x'", "did you mean models?"),
        ("[models]\ndefualt = 'openai:x'", "did you mean default?"),
        ("[models]\ndefault = 3", "models.default"),
        ("models = 3", "models is a table"),
        ("[prices.'openai:x']\ninput = 1", "lacks output"),
        ("[prices.'openai:x']\ninput = 1\noutpt = 2\noutput = 2", "did you mean output?"),
        ("[prices.'openai:x']\ninput = -1\noutput = 2", "at least 0"),
        ("[prices.'openai:x']\ninput = 'SECRETVALUE'\noutput = 2", "at least 0"),
        ("[prices.'openai:x']\ninput = true\noutput = 2", "at least 0"),
        ("[prices.'openai:x']\ninput = nan\noutput = 2", "at least 0"),
        ("[prices.'opanai:x']\ninput = 1\noutput = 2", "did you mean openai:x?"),
        ("[prices]\n'openai:x' = 2", "a table"),
        (f"[prices.'openai:x']\ninput = 1{'0' * 400}\noutput = 2", "at most 1e+06"),
        ("[prices.'openai:x']\ninput = 1\noutput = 1_000_001", "at most 1e+06"),
        ("[limits.openai]\nconcurrency = 1e300", "at most 1e+12"),
        (f"x = {'[' * 100_000}", "is not TOML"),
        (f"x = {'9' * 5000}", "is not TOML"),
        ("[policy]\nallow = 5", "allow is a list"),
        ("[policy]\nallow = {openai = false}", "allow is a list"),
        ("[policy]\nallow = 'openai'", "allow is a list"),
        ("[policy]\nallow = ['opnai']", "did you mean openai?"),
        ("[policy]\nallow = [3]", "list of names"),
        ("[policy]\nregion = 3", "region is a word"),
        ("[limits.opnai]\nconcurrency = 2", "did you mean openai?"),
        ("[limits.openai]\nconcurency = 2", "did you mean concurrency?"),
        ("[limits.openai]\nconcurrency = 0", "at least 1"),
        ("[limits.openai]\nconcurrency = 2.5", "whole number"),
        ("[limits.openai]\ntokens_per_minut = 2", "tokens_per_minute"),
        ("this is no toml", "is not TOML at line 1"),
    ],
    ids=lambda text: text[:60],
)
def test_what_cannot_be_is_refused_with_file_and_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(put(tmp_path, text))
    said = str(caught.value)
    assert (says in said or "looks like a key" in said and "token" in text) and "suffice.toml" in said
    assert "SECRETVALUE" not in said


@pytest.mark.parametrize(
    "text",
    [
        f"api_key = '{SECRET}'",
        f"OPENAI_API_KEY = '{SECRET}'",
        f"[models]\nkey = '{SECRET}'",
        f"[models]\ndefault = 'openai:x'\napiKey = '{SECRET}'",
        f"[policy]\naccess_token = '{SECRET}'",
        f"[limits.openai]\nclient-secret = '{SECRET}'",
        f"[prices.'openai:x']\ninput = 1\noutput = 1\npassword = '{SECRET}'",
        f"[keys]\nx = 1\n[secrets]\nopenai = '{SECRET}'",
    ],
)
def test_a_key_is_refused_by_name_and_never_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(put(tmp_path, text))
    assert "verysecret" not in str(caught.value)
    assert "[keys]" in text or "environment" in str(caught.value)


def test_a_broken_file_does_not_show_what_is_in_it(tmp_path: Path) -> None:
    for text in (f"api_key = {SECRET}", f"[models\n{SECRET}", f"x = '{SECRET}", f"x = 1\nx = '{SECRET}'"):
        with pytest.raises(UsageError) as caught:
            settings(put(tmp_path, text))
        assert "verysecret" not in str(caught.value)
    (tmp_path / "suffice.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        settings(tmp_path)
