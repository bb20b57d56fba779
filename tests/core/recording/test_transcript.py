"""Transcripts: read leniently, cut to what may be kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import BadInput
from gateway.core.recording.intervals import Interval
from gateway.core.recording.transcript import read_transcript, within

DOCUMENT: dict[str, Any] = {
    "metadata": {"processed_at": "2026-06-18T20:16:47Z", "novelty": [1]},
    "transcript": {
        "text": "[Business] Hello, how are you? [Customer] Fine.",
        "language": "en",
        "confidence": 0.8,
        "segments": [
            {
                "id": 2,
                "speaker": "Customer",
                "channel": 1,
                "start": 3.5,
                "end": 4.0,
                "text": "Fine.",
                "words": [{"word": "Fine.", "start": 3.5, "end": 4.0}],
            },
            {
                "id": 1,
                "speaker": "Business",
                "channel": 0,
                "start": 1.0,
                "end": 2.5,
                "text": "Hello, how are you?",
                "words": [
                    {"word": "Hello,", "start": 1.0, "end": 1.4},
                    {"word": "how", "start": 1.5, "end": 1.8},
                    {"word": "are", "start": 1.8, "end": 2.0},
                    {"word": "you?", "start": 2.0, "end": 2.5},
                ],
            },
        ],
    },
}


def test_passages_stand_in_the_order_of_time_with_who_said_them() -> None:
    read = read_transcript(DOCUMENT)
    assert read.language == "en"
    assert read.text == "business: Hello, how are you?\ncustomer: Fine."
    assert [(each.begin_ms, each.end_ms) for each in read.passages] == [
        (1_000, 2_500),
        (3_500, 4_000),
    ]


def test_words_beyond_what_is_kept_are_left_out() -> None:
    cut = within(read_transcript(DOCUMENT), (Interval(0, 1_900),))
    assert cut.text == "business: Hello, how"
    assert cut.passages[0].end_ms == 1_800
    assert within(read_transcript(DOCUMENT), ()).passages == ()
    assert within(read_transcript(DOCUMENT), (Interval(0, 9_000),)) == read_transcript(DOCUMENT)


def test_a_passage_without_words_is_kept_whole_or_not_at_all() -> None:
    document = json.loads(json.dumps(DOCUMENT))
    del document["transcript"]["segments"][1]["words"]
    read = read_transcript(document)
    assert within(read, (Interval(0, 2_500),)).text == "business: Hello, how are you?"
    assert within(read, (Interval(0, 2_400),)).passages == ()


@pytest.mark.parametrize(
    "empty",
    [
        {"transcript": {}},
        {"transcript": {"text": "", "segments": [], "language": None}},
        {"transcript": {"segments": [None, 5, {}, {"text": "x"}, {"text": "x", "start": "1"}]}},
        {"transcript": {"segments": "none"}},
    ],
)
def test_a_transcript_may_hold_nothing(empty: object) -> None:
    assert read_transcript(empty).passages == ()


@pytest.mark.parametrize("document", [None, [], {}, {"transcript": None}, "text", 5])
def test_what_is_no_transcript_is_refused(document: object) -> None:
    with pytest.raises(BadInput):
        read_transcript(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["transcript", "segments", "words", "text", "start", "end", "word"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(json_values)
def test_no_document_breaks_the_reader(document: object) -> None:
    try:
        read = read_transcript(document)
    except BadInput:
        return
    assert all(each.begin_ms <= each.end_ms for each in read.passages)


def test_this_page_is_no_transcript() -> None:
    with pytest.raises(BadInput):
        read_transcript(Path(__file__).read_text())
