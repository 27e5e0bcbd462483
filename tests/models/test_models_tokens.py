"""Counting and cutting: how near the estimate is to a real vocabulary, and that what is cut says so."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.models.places.address import address
from suffice.models.tokens import Keep, TokenCount, count_tokens, shorten, upper_bound, window_of

SAMPLES = {
    "English": (
        "Dear customer service, I ordered a pair of walking boots three weeks ago and have heard nothing "
        "since. The tracking page says that the parcel left the warehouse in Leeds, but it does not say "
        "where it went afterwards. I would rather not cancel, because my daughter chose the colour "
        "herself and her birthday is on Saturday. Could somebody please find out whether it was lost on "
        "the way, and tell me honestly if a replacement can be here in time? Thank you very much."
    ),
    "Python": (
        "def settle(held, usd, tokens):\n"
        '    """An attempt has ended: what it cost is spent, the rest is free."""\n'
        "    with self._lock:\n"
        "        self._held.remove(held)\n"
        "        self.spent_calls += 1\n"
        "        self.spent_usd += usd if usd is not None else held.usd or 0.0\n"
        "        waiting, self._waiting = list(self._waiting), deque()\n"
        "    for loop, future in waiting:\n"
        "        try:\n"
        "            loop.call_soon_threadsafe(_wake, future)\n"
        "        except RuntimeError:\n"
        "            continue\n"
    ),
    "JSON": (
        '{"id": "chatcmpl-9x2", "object": "chat.completion", "created": 1764150000, "model": '
        '"gpt-5-mini", "choices": [{"index": 0, "message": {"role": "assistant", "content": "shipping"}, '
        '"finish_reason": "stop"}], "usage": {"prompt_tokens": 128, "completion_tokens": 7, '
        '"total_tokens": 135}, "system_fingerprint": null}'
    ),
    "numbers": (
        "14.23,1.71,2.43,15.6,127,2.8,3.06,0.28,2.29,5.64,1.04,3.92,1065\n"
        "13.2,1.78,2.14,11.2,100,2.65,2.76,0.26,1.28,4.38,1.05,3.4,1050\n"
        "13.16,2.36,2.67,18.6,101,2.8,3.24,0.3,2.81,5.68,1.03,3.17,1185\n"
    ),
    "German": (
        "Sehr geehrte Damen und Herren, vor drei Wochen habe ich ein Paar Wanderschuhe bestellt und "
        "seitdem nichts mehr gehört. Die Sendungsverfolgung zeigt, dass das Paket das Lager verlassen "
        "hat, aber nicht, wohin es danach gegangen ist. Könnte bitte jemand nachsehen, ob es unterwegs "
        "verloren ging, und mir ehrlich sagen, ob ein Ersatz rechtzeitig hier sein kann?"
    ),
    "Russian": (
        "Здравствуйте, три недели назад я заказал пару ботинок и с тех пор ничего не слышал. На странице "
        "отслеживания написано, что посылка покинула склад, но не сказано, куда она отправилась потом. "
        "Проверьте, пожалуйста, не потерялась ли она."
    ),
    "Chinese": (
        "您好，我三个星期前订购了一双登山鞋，之后就没有任何消息。物流页面显示包裹已经离开仓库，但是没有说"
        "明后来去了哪里。请问能否帮我查一下包裹是不是在路上丢失了，并告诉我替换的鞋子能不能按时送到？"
    ),
    "Japanese": (
        "三週間前に登山靴を一足注文しましたが、その後何の連絡もありません。追跡ページには荷物が倉庫を出た"
        "と書いてありますが、その後どこへ行ったのかはわかりません。途中で紛失していないか調べていただけま"
        "すか。"
    ),
    "Korean": (
        "삼 주 전에 등산화 한 켤레를 주문했는데 그 이후로 아무 소식도 듣지 못했습니다. 배송 조회 "
        "페이지에는 소포가 창고를 떠났다고 나와 있지만 그 뒤에 어디로 갔는지는 나와 있지 않습니다."
    ),
}

# What OpenAI's o200k_base vocabulary makes of them.
COUNTED = {
    "English": 94,
    "Python": 118,
    "JSON": 102,
    "numbers": 147,
    "German": 77,
    "Russian": 61,
    "Chinese": 71,
    "Japanese": 74,
    "Korean": 57,
}
TEXT = " ".join(SAMPLES["English"] for _ in range(20))


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_the_estimate_is_within_a_fifth_of_a_real_vocabulary(kind: str) -> None:
    found = count_tokens(SAMPLES[kind])
    assert found.n == pytest.approx(COUNTED[kind], rel=0.2)
    assert not found.exact and "estimated" in found.how


def test_an_empty_text_is_no_tokens() -> None:
    assert count_tokens("").n == 0


@given(st.text(max_size=300))
def test_the_bound_is_never_below_the_count(text: str) -> None:
    assert 0 <= count_tokens(text).n <= upper_bound(text)


@given(st.text(max_size=100), st.text(max_size=100))
def test_more_text_is_not_fewer_tokens_by_more_than_what_merges(first: str, second: str) -> None:
    assert count_tokens(first + second).n <= count_tokens(first).n + count_tokens(second).n + 2


def test_the_bound_counts_bytes_and_takes_half_a_surrogate_pair() -> None:
    assert upper_bound("aé語😀") == 1 + 2 + 3 + 4
    assert upper_bound("\ud800") == 3
    assert count_tokens("\ud800").n >= 1


class Words:
    """A stand-in for a tokenizer: a word is a token."""

    def encode(self, text: str, disallowed_special: tuple[str, ...]) -> list[str]:
        return text.split()


def test_a_tokenizer_that_is_at_hand_counts_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    # tiktoken's vocabulary is downloaded when it is first used, so here a stand-in with its interface counts words.
    known = {"gpt-words": Words()}
    module = ModuleType("tiktoken")
    monkeypatch.setattr(module, "encoding_for_model", known.__getitem__, raising=False)
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    assert count_tokens("one two <|endoftext|>", "gpt-words") == TokenCount(3, True, "tiktoken for gpt-words")
    assert count_tokens("one two", "openai/gpt-words").exact
    assert not count_tokens("one two", "claude-of-words").exact
    cut, said = shorten("a b c d e f g h i j k l m n", 9, keep="start", model="gpt-words")
    assert len(cut.split()) <= 9 and "about" not in said


def test_a_download_that_fails_leaves_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str) -> None:
        raise ConnectionError(name)

    module = ModuleType("tiktoken")
    monkeypatch.setattr(module, "encoding_for_model", offline, raising=False)
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    assert not count_tokens("one two", "gpt-of-somewhere-offline").exact


def test_a_text_that_fits_is_not_touched() -> None:
    assert shorten("short enough", 100, keep="end") == ("short enough", "")


@pytest.mark.parametrize("keep", ["start", "end", "both"])
def test_a_cut_text_fits_shows_its_cut_and_keeps_the_part_that_was_asked_for(keep: Keep) -> None:
    cut, said = shorten(TEXT, 200, keep=keep)
    assert 150 < count_tokens(cut).n <= 200
    assert cut.count("tokens left out …]") == 1
    assert cut.startswith(TEXT[:50]) == (keep in ("start", "both"))
    assert cut.endswith(TEXT[-50:]) == (keep in ("end", "both"))
    left = cut.partition("[… ")[2].partition(" tokens")[0]
    assert left in said and "200" in said and int(left.replace(",", "")) > 1000


@pytest.mark.parametrize("keep", ["start", "end", "both"])
@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_every_kind_of_text_is_cut_to_fit(kind: str, keep: Keep) -> None:
    cut, said = shorten(SAMPLES[kind], 40, keep=keep)
    assert count_tokens(cut).n <= 40 and "left out" in cut and said


def test_words_are_not_cut_through() -> None:
    cut, _ = shorten(TEXT, 60, keep="both")
    first, _, last = cut.partition("[…")
    words = set(TEXT.replace(",", " ").replace(".", " ").split())
    assert first.replace(",", " ").replace(".", " ").split()[-1] in words
    assert last.partition("…]")[2].split()[0].strip(",.") in words


def test_the_mark_is_there_even_where_nothing_else_fits() -> None:
    cut, said = shorten(TEXT, 1, keep="end")
    assert cut.startswith("[… ") and cut.endswith("tokens left out …]") and said


def test_a_mark_in_the_users_text_is_not_taken_for_ours() -> None:
    _, said = shorten("[… 7 tokens left out …] " + TEXT, 100, keep="start")
    assert not said.startswith("about 7 of")


@given(st.text(max_size=400), st.integers(20, 60), st.sampled_from(["start", "end", "both"]))
def test_any_text_is_cut_to_fit(text: str, most: int, keep: Keep) -> None:
    cut, said = shorten(text, most, keep=keep)
    assert count_tokens(cut).n <= most
    assert (cut == text) == (said == "")


def test_a_window_is_known_from_the_list_and_else_unknown() -> None:
    assert window_of(address("openai:gpt-5-mini")) == (400_000, None)
    assert window_of(address("openai:no-such-model")) == (None, None)
    assert window_of(address("http://127.0.0.1:8000/v1#gpt-5-mini")) == (None, None)
