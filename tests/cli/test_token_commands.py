"""`callgate token …`."""

import pytest

from tests.cli.conftest import Callgate


@pytest.fixture
def acme(callgate: Callgate) -> str:
    callgate("account", "add", "acme", "--name", "Acme", "--timezone", "Asia/Jakarta")
    return "acme"


def make(callgate: Callgate, *more: str) -> tuple[str, str]:
    ran = callgate("token", "create", "acme", "--name", "CRM", *more)
    first, second = ran.out.splitlines()
    return first.split()[1], second.removeprefix("secret: ")


def test_a_token_is_made_listed_and_revoked(callgate: Callgate, acme: str) -> None:
    prefix, secret = make(callgate, "--scope", "calls.read", "--scope", "quota.read")
    assert secret.startswith(f"{prefix}_")
    listed = callgate("token", "list", acme).out
    assert prefix in listed
    assert secret not in listed
    assert "calls.read,quota.read" in listed
    assert "live" in listed
    assert "revoked" in callgate("token", "revoke", acme, prefix).out
    assert "revoked" in callgate("token", "list", acme).out


def test_a_token_that_acts_for_a_person_names_them_by_email(
    callgate: Callgate, acme: str
) -> None:
    callgate(
        *("user", "add", acme, "--email", "ayu@example.com", "--name", "Ayu", "--generate")
    )
    make(callgate, "--scope", "calls.dial", "--acts-for", "ayu@example.com")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--scope", "calls.dial"), "person"),
        (("--scope", "calls.read", "--days", "9000"), "730 days"),
        (("--scope", "calls.read", "--acts-for", "nobody@example.com"), "nobody signs in"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    callgate: Callgate, acme: str, more: tuple[str, ...], words: str
) -> None:
    ran = callgate("token", "create", acme, "--name", "CRM", *more, code=1)
    assert words in ran.err


def test_an_unknown_scope_or_token_is_refused(callgate: Callgate, acme: str) -> None:
    callgate("token", "create", acme, "--name", "x", "--scope", "everything", code=2)
    assert "no such token" in callgate("token", "revoke", acme, "cgt_x", code=1).err
    assert "no account" in callgate("token", "list", "nobody", code=1).err
