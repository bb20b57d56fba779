"""Lines of CSV (RFC 4180) that no spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Sequence

BYTE_ORDER_MARK = "\ufeff"
"""Before the first line: Excel takes the text for UTF-8 only then."""
Cell = str | int | float | None

# What a spreadsheet may compute with, full-width forms included (OWASP, "CSV injection").
_BEGIN_FORMULAS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def csv_line(cells: Sequence[Cell]) -> str:
    """Write one line with its end; texts that look like formulas begin with an apostrophe.

    Numbers are ours and stay numbers; None is an empty cell.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_guarded(cell) for cell in cells])
    return text.getvalue()


def _guarded(cell: Cell) -> str | int | float:
    if not isinstance(cell, str):
        return "" if cell is None else cell
    # NUL ends a cell for some readers, and so would hide what comes after it.
    text = cell.replace("\x00", "\ufffd")
    shown = text.lstrip(" \u00a0\u200b\ufeff")
    return f"'{text}" if shown[:1] in _BEGIN_FORMULAS and shown else text
