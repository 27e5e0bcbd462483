"""Prices: from the snapshot or the user, never guessed; unknown is None and free is 0."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from genai_prices import types
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import UsageError
from suffice.exchange import Usage
from suffice.models.places.address import address
from suffice.models.places.prices import Price, cost_of, listed, price_line, price_of
from suffice.models.places.settings import settings


def test_a_known_model_has_its_list_price() -> None:
    assert price_of(address("openai:gpt-4o-mini")) == Price(0.15, 0.60, 0.075)


def test_a_price_in_tiers_is_that_of_the_longest_input_with_the_others_by_size() -> None:
    found = price_of(address("gemini:gemini-2.5-pro"))
    assert found == Price(2.50, 15.0, 0.25, up_to=((200_000, Price(1.25, 10.0, 0.125)),))


@pytest.mark.parametrize("name", ["gemini:gemini-2.5-pro", "openrouter:qwen/qwen3-coder-flash", "openai:gpt-4o-mini"])
@pytest.mark.parametrize("tokens", [0, 31_999, 32_000, 32_001, 128_001, 199_999, 200_000, 200_001, 1_000_000])
def test_a_cost_is_that_of_the_tier_that_the_whole_input_is_in(name: str, tokens: int) -> None:
    place = address(name)
    usage = types.Usage(input_tokens=tokens, output_tokens=1_000, cache_read_tokens=tokens // 4)
    wanted = listed(place).get_prices(datetime.now(UTC)).calc_price(usage)["total_price"]
    assert cost_of(Usage(tokens, 1_000, tokens // 4), price_of(place)) == pytest.approx(float(wanted))


@given(st.integers(0, 300_000), st.integers(0, 300_000), st.integers(0, 5_000))
def test_what_is_reserved_for_the_most_that_an_input_can_be_covers_what_it_was(more: int, was: int, out: int) -> None:
    price = price_of(address("gemini:gemini-2.5-pro"))
    reserved, settled = cost_of(Usage(was + more, 5_000), price), cost_of(Usage(was, out), price)
    assert reserved is not None and settled is not None and reserved >= settled


def test_a_price_that_changes_with_the_hour_counts_at_its_dearest() -> None:
    found = price_of(address("deepseek:deepseek-chat"))
    assert found is not None and found.input >= 0.27  # off-peak it is half of that


def test_embeddings_cost_nothing_for_the_output_that_they_do_not_have() -> None:
    found = price_of(address("openai:text-embedding-3-small"))
    assert found is not None and found.output == 0 and found.input > 0
    assert cost_of(Usage(input_tokens=1_000_000), found) == pytest.approx(found.input)


@pytest.mark.parametrize(
    "text", ["openai:no-such-model", "openai:ft:gpt-4o-mini:acme::x", "https://llm.example.com/v1#gpt-4o"]
)
def test_a_price_that_nobody_knows_is_none_and_not_zero(text: str) -> None:
    assert price_of(address(text)) is None
    assert cost_of(Usage(input_tokens=10, output_tokens=10), price_of(address(text))) is None


def test_an_endpoint_on_this_machine_is_free_unless_a_price_is_said() -> None:
    own = address("http://127.0.0.1:8000/v1#gpt-4o")
    assert cost_of(Usage(), price_of(own)) == 0.0
    assert price_of(own, Price(1, 2)) == Price(1, 2)


def test_a_price_that_is_said_comes_before_the_list() -> None:
    assert price_of(address("openai:gpt-4o-mini"), Price(9, 9)) == Price(9, 9)


def test_cached_input_costs_its_own_price_where_it_is_known() -> None:
    used = Usage(input_tokens=1_000_000, output_tokens=500_000, cached_input_tokens=400_000)
    assert cost_of(used, Price(2.0, 8.0, 0.5)) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)
    assert cost_of(used, Price(2.0, 8.0)) == pytest.approx(2 + 4)


@pytest.mark.parametrize("used", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5)])
def test_a_count_that_is_missing_makes_the_cost_unknown(used: Usage) -> None:
    assert cost_of(used, Price(1.0, 1.0)) is None


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 2 * 10**9), st.floats(0, 100), st.floats(0, 100))
def test_a_cost_is_never_negative_nor_above_everything_at_full_price(
    given_tokens: int, out: int, cached: int, first: float, second: float
) -> None:
    price = Price(max(first, second), second, min(first, second))
    cost = cost_of(Usage(given_tokens, out, cached), price)
    full = cost_of(Usage(given_tokens, out), price)
    assert cost is not None and full is not None and 0 <= cost <= full * (1 + 1e-9)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf"), "2", True, None])
def test_what_is_no_price_is_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="dollars per million"):
        Price(wrong, 1.0)  # pyright: ignore[reportArgumentType]


def test_the_line_that_sets_a_price_works_once_it_is_filled_in(tmp_path: Path) -> None:
    place = address("openai:ft:gpt-4o-mini:acme::x")
    line = price_line(place)
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(line)  # a price that is not filled in is never taken for one
    (tmp_path / "suffice.toml").write_text(line.replace("DOLLARS_PER_MILLION_TOKENS", "1.5"), "utf-8")
    assert price_of(place, settings(tmp_path).prices[place.text]) == Price(1.5, 1.5)


def test_neither_import_nor_a_call_on_this_machine_loads_the_price_library() -> None:
    code = (
        "import sys, suffice, suffice.models.places.settings\n"
        "from suffice.models.places.address import address\n"
        "from suffice.models.places.prices import price_of, Price\n"
        "from suffice.models.tokens import window_of\n"
        "price_of(address('http://127.0.0.1:8000/v1#m')); window_of(address('http://127.0.0.1:8000/v1#m'))\n"
        "price_of(address('openai:gpt-5'), Price(1, 1)); price_of(address('https://llm.example.com/v1#m'))\n"
        "assert not {'genai_prices', 'httpx', 'httpx2', 'tiktoken'} & set(sys.modules), 'loaded'\n"
        "price_of(address('openai:gpt-5')); assert 'genai_prices' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
