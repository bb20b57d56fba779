"""CSV for people with spreadsheets: read back as written, and never computed."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.csv_text import csv_line

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"))


def cells_of(line: str) -> list[str]:
    [cells] = csv.reader(io.StringIO(line, newline=""))
    return cells


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("https://evil.example","click")',
        "+1+1",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(A1:A9)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "  =1+1",
        "\u200b=1+1",
        "\uff1d1+1",
        "=",
    ],
)
def test_what_a_spreadsheet_would_compute_is_text(text: str) -> None:
    assert cells_of(csv_line([text])) == [f"'{text}"]


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_every_text_comes_back_but_for_the_apostrophe(texts: list[str]) -> None:
    found = cells_of(csv_line(texts)) if texts != [""] else [""]
    assert [cell.removeprefix("'") if cell != text else cell
            for cell, text in zip(found, texts, strict=True)] == texts  # fmt: skip
    assert not any(cell.strip(" \u00a0\u200b\ufeff").startswith(("=", "+", "-", "@"))
                   for cell in found)  # fmt: skip


def test_numbers_stay_numbers_and_nothing_is_an_empty_cell() -> None:
    assert csv_line([-5, 1.5, None, "plain"]) == "-5,1.5,,plain\r\n"


def test_separators_quotes_and_line_ends_stay_in_their_cell() -> None:
    hostile = 'a,"b"\r\nc;d'
    assert cells_of(csv_line([hostile, "next"])) == [hostile, "next"]


def test_nothing_is_hidden_behind_a_nul() -> None:
    assert cells_of(csv_line(["a\x00=b"])) == ["a\ufffd=b"]
