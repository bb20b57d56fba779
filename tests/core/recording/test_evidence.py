"""Chains, trees and roots: nothing is changed, moved or left out unnoticed."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.recording.evidence import (
    GENESIS,
    EvidenceBroken,
    Happening,
    Leaf,
    Link,
    Root,
    canonical,
    digest_of,
    extended,
    led_to,
    moment,
    next_line,
    proof_of,
    read_chain,
    read_statement,
    statement_of,
    tree_of,
)

CALL = "c" * 26

words = st.text(max_size=20)
facts = st.dictionaries(
    words, st.none() | st.booleans() | st.integers() | words | st.lists(words, max_size=3)
)
happenings = st.builds(
    Happening,
    kind=st.sampled_from(["call.started", "verdict", "recording.played"]),
    at=st.floats(0, 4e9),
    facts=facts,
)
chains = st.lists(happenings, min_size=1, max_size=8)


def lines_of(found: list[Happening], call_id: str = CALL) -> list[str]:
    link, lines = Link(), list[str]()
    for each in found:
        lines.append(next_line(link, call_id, "a" * 26, each))
        link = extended(link, lines[-1])
    return lines


@given(chains)
def test_a_chain_is_read_as_it_was_written(found: list[Happening]) -> None:
    lines = lines_of(found)
    events, links = read_chain(lines, CALL)
    assert [(each.kind, dict(each.facts)) for each in events] == [
        (each.kind, dict(each.facts)) for each in found
    ]
    assert [each.at for each in events] == [moment(each.at) for each in found]
    assert links[-1] == Link(len(lines), digest_of(lines[-1]))


@given(chains, st.data())
def test_no_line_is_changed_in_a_single_letter_unnoticed(
    found: list[Happening], data: st.DataObject
) -> None:
    lines = lines_of(found)
    head = read_chain(lines, CALL)[1][-1]
    place = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[place]) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    changed = lines[place][:at] + letter + lines[place][at + 1 :]
    if changed == lines[place]:
        return
    forged = [*lines[:place], changed, *lines[place + 1 :]]
    with contextlib.suppress(EvidenceBroken):
        assert read_chain(forged, CALL)[1][-1] != head


@given(st.lists(happenings, min_size=2, max_size=8), st.data())
def test_no_line_is_left_out_doubled_or_moved_unnoticed(
    found: list[Happening], data: st.DataObject
) -> None:
    lines = lines_of(found)
    place = data.draw(st.integers(0, len(lines) - 1))
    for forged in (
        lines[:place] + lines[place + 1 :],
        [*lines[:place], lines[place], *lines[place:]],
        [lines[-1], *lines[:-1]],
    ):
        if forged == lines[:-1]:
            # Without its end a chain is sound in itself: its head tells.
            assert read_chain(forged, CALL)[1][-1] != read_chain(lines, CALL)[1][-1]
            continue
        with pytest.raises(EvidenceBroken):
            read_chain(forged, CALL)


def test_another_calls_line_is_not_of_this_chain() -> None:
    with pytest.raises(EvidenceBroken, match="another call"):
        read_chain(lines_of([Happening("verdict", 1.0)], "d" * 26), CALL)


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", "nope", '{"v":1}', '{"v": 1}', "[" * 50_000, "x" * 300_000]
)
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(EvidenceBroken):
        read_chain([line], CALL)


def test_each_line_names_the_digest_of_the_one_before() -> None:
    """So that a chain can be followed with `sha256sum` alone."""
    lines = lines_of([Happening("call.started", 1.0), Happening("verdict", 2.0)])
    first, second = (json.loads(line) for line in lines)
    assert first["previous"] == GENESIS
    assert second["previous"] == digest_of(lines[0])


leaves = st.lists(
    st.builds(
        Leaf,
        call_id=st.text("abc234", min_size=26, max_size=26),
        seq=st.integers(1, 9),
        head=st.text("0123456789abcdef", min_size=64, max_size=64),
    ),
    min_size=1,
    max_size=40,
)


@given(leaves)
def test_every_leaf_of_a_tree_is_led_to_its_root_and_no_other_leaf_is(
    found: list[Leaf],
) -> None:
    root = tree_of(found)
    for place, leaf in enumerate(found):
        steps = proof_of(found, place)
        assert led_to(leaf, steps) == root
        forged = Leaf(leaf.call_id, leaf.seq + 1, leaf.head)
        assert led_to(forged, steps) != root
        for step in range(len(steps)):
            assert led_to(leaf, steps[:step] + steps[step + 1 :]) != root


def test_a_statement_is_read_as_it_was_signed() -> None:
    root = Root(3, "2026-11-21", moment(1.0), 5, "f" * 64, GENESIS, "0123456789abcdef")
    text = statement_of(root)
    assert read_statement(text) == root
    for forged in (text + " ", text.replace('"v":1', '"v":2'), "{}", canonical({"v": 1})):
        with pytest.raises(EvidenceBroken):
            read_statement(forged)
