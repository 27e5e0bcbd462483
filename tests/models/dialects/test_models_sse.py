"""Server-sent events, by the examples and rules of WHATWG HTML, section 9.2 "Server-sent events"."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from suffice.errors import MalformedReply
from suffice.models.dialects.sse import Events


def events(*chunks: bytes) -> list[tuple[str, str]]:
    parser = Events()
    return [event for chunk in chunks for event in parser.feed(chunk)]


# Section 9.2.6, "The following event stream, once followed by a blank line" and the three after it.
def test_data_of_several_lines_is_joined_by_line_feeds() -> None:
    assert events(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [("", "YHOO\n+2\n10")]


def test_a_comment_is_passed_over_and_only_one_space_is_taken_off() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert events(stream) == [("", "first event"), ("", "second event"), ("", " third event")]


def test_a_field_without_a_colon_is_an_empty_one() -> None:
    assert events(b"data\n\ndata\ndata\n\ndata:") == [("", ""), ("", "\n")]


def test_a_name_without_data_is_no_event_and_is_not_kept_for_the_next() -> None:
    assert events(b"event: add\n\ndata: 1\n\n") == [("", "1")]


def test_a_name_belongs_to_its_event_alone() -> None:
    assert events(b"event: add\ndata: 1\n\ndata: 2\n\n") == [("add", "1"), ("", "2")]


def test_unknown_fields_are_passed_over() -> None:
    assert events(b"dat: x\nretry: 5\n data: y\ndata: z\n\n") == [("", "z")]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_with_any_of_the_three_line_ends(end: bytes) -> None:
    assert events(b"event: a" + end + b"data: b" + end + end + b"data: c" + end + end) == [("a", "b"), ("", "c")]


def test_a_byte_order_mark_at_the_very_start_is_taken_off() -> None:
    assert events(b"\xef\xbb\xbfdata: a\n\n") == [("", "a")]
    assert events(b"data: a\n\n\xef\xbb\xbfdata: b\n\n") == [("", "a")]


def test_separators_of_other_standards_end_no_line() -> None:
    assert events("data: a\u2028b\u0085c\x0bd\x0ce\x1cf\n\n".encode()) == [("", "a\u2028b\u0085c\x0bd\x0ce\x1cf")]


def test_bytes_that_are_no_text_become_the_replacement_character() -> None:
    assert events(b"data: a\xffb\n\n") == [("", "a\N{REPLACEMENT CHARACTER}b")]


LINES = st.sampled_from(
    [b"data: a", "data: \N{PILE OF POO}é".encode(), b"data", b"event: n", b"event", b": c", b"id: 1", b"", b"", b"x"]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(
    st.lists(st.tuples(LINES, ENDS), max_size=12).map(lambda made: b"".join(a + b for a, b in made)),
    st.booleans(),
    st.lists(st.integers(0, 200), max_size=8),
)
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", True, [1, 2, 3, 11, 12, 13])
def test_where_a_stream_is_cut_into_chunks_changes_nothing(stream: bytes, mark: bool, cuts: list[int]) -> None:
    stream = (b"\xef\xbb\xbf" if mark else b"") + stream
    at = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    assert events(*(stream[a:b] for a, b in zip(at, at[1:], strict=False))) == events(stream)
    assert events(*(stream[i : i + 1] for i in range(len(stream)))) == events(stream)


@pytest.mark.parametrize("rest", [b"data: a", b"data: a\n", b"event: a\n", b"da", b"data: a\r\n", b"\xef\xbb\xbfdata"])
def test_an_event_left_half_is_an_error_at_the_end(rest: bytes) -> None:
    parser = Events()
    parser.feed(rest)
    with pytest.raises(MalformedReply, match="inside an event"):
        parser.finish()


@pytest.mark.parametrize("whole", [b"", b"data: a\n\n", b"data: a\r\r", b"data: a\r\n\r", b"data: a\n\n: bye", b"\n"])
def test_a_stream_that_ends_between_events_is_whole(whole: bytes) -> None:
    parser = Events()
    parser.feed(whole)
    parser.finish()


def test_a_long_line_in_many_small_chunks_takes_time_in_proportion() -> None:
    chunk = b"x" * 64
    parser = Events()
    began = time.perf_counter()
    parser.feed(b"data: ")
    for _ in range(100_000):
        parser.feed(chunk)
    assert parser.feed(b"\n\n") == [("", "x" * 6_400_000)]
    assert time.perf_counter() - began < 5  # joined anew for every chunk it would take minutes
