"""Ranges of bytes as RFC 9110 reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.byte_ranges import NotSatisfiable, Part, single_part

SIZE = 1_000


@pytest.mark.parametrize(
    ("header", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 1_000),
        ("bytes=0-999", 0, 1_000),
        ("bytes=500-499999999", 500, 1_000),
        ("bytes=999-", 999, 1_000),
        ("bytes=-1", 999, 1_000),
        ("bytes=-5000", 0, 1_000),
        (" Bytes = 10 - 19 ", 10, 20),
    ],
)
def test_a_single_range_is_cut_to_the_file(header: str, begin: int, end: int) -> None:
    assert single_part(header, SIZE) == Part(begin, end)


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_outside_the_file_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(NotSatisfiable):
        single_part(header, SIZE)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-1"])
def test_no_range_of_an_empty_file_can_be_satisfied(header: str) -> None:
    with pytest.raises(NotSatisfiable):
        single_part(header, 0)


@pytest.mark.parametrize(
    "header",
    [
        "bytes=0-1,5-6",
        "bytes=9-5",
        "bytes=-",
        "bytes=",
        "bytes",
        "",
        "items=0-1",
        "bytes=a-b",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1.5-2",
        "bytes=0x1-0x2",
        "bytes=\u0661-\u0662",
        f"bytes=0-{'9' * 400}",
        f"bytes={'9' * 400}-",
    ],
)
def test_what_is_no_single_range_counts_as_none(header: str) -> None:
    assert single_part(header, SIZE) is None


@given(st.text(), st.integers(0, 2_000))
def test_any_header_is_read_or_refused(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            part = single_part(text, size)
        except NotSatisfiable:
            continue
        assert part is None or 0 <= part.begin < part.end <= size


@given(st.integers(1, 5_000), st.integers(0, 6_000), st.integers(0, 6_000))
def test_every_range_is_inside_the_file_and_inside_what_was_asked(
    size: int, first: int, last: int
) -> None:
    try:
        part = single_part(f"bytes={first}-{last}", size)
    except NotSatisfiable:
        assert first >= size
        return
    if last < first:
        assert part is None
    else:
        assert part == Part(first, min(last, size - 1) + 1)
