"""Names of files that people keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ids import CallId
from gateway.core.recording.file_names import file_stem

CALL = CallId("c" * 26)
AT = 1_790_000_000.0


def test_a_name_tells_when_in_the_accounts_zone_with_whom_and_which_call() -> None:
    name = file_stem(CALL, AT, "Asia/Jakarta", "Budi Santoso")
    assert name == f"2026-09-21_21-13-20_Budi-Santoso_{CALL}"


@pytest.mark.parametrize(
    ("who", "kept"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("..\\..\\windows\\system32", "windows-system32"),
        ("C:evil.exe", "C-evil-exe"),
        ('quo"te\r\nSet-Cookie: a=b', "quo-te-Set-Cookie-a-b"),
        ("\u202egpj.exe", "gpj-exe"),
        ("null\x00byte", "null-byte"),
        ("=HYPERLINK(1)", "HYPERLINK-1"),
        ("\u0e2a\u0e21\u0e0a\u0e32\u0e22", "\u0e2a\u0e21\u0e0a\u0e32\u0e22"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("\U0001f600", ""),
        ("", ""),
    ],
)
def test_hostile_and_foreign_names_lose_what_is_no_letter(who: str, kept: str) -> None:
    name = file_stem(CALL, AT, "UTC", who)
    assert name == "_".join(part for part in ("2026-09-21_14-13-20", kept, CALL) if part)


@given(st.text())
def test_any_name_is_one_plain_part_of_a_path(who: str) -> None:
    name = file_stem(CALL, AT, "UTC", who)
    assert not set(name) & set('/\\:*?"<>|\r\n\x00\u202e')
    assert len(name) <= 100
    assert name.endswith(CALL)
    assert name.encode("utf-8")
