"""Packages, eligibility, free minutes, add-ons: the operator's price list as a value.

The list itself is `plans.toml` beside this module, or the operator's own file of that shape.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from gateway.core.errors import BadInput

MS_PER_MINUTE = 60_000

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_BOOK_KEYS = {"grace_days", "licensed_users_max", "add_on_packs_max", "add_on", "package"}
_ADD_ON_KEYS = {"minutes", "price_idr"}
_PACKAGE_KEYS = {"code", "name", "eligibility", "free_minutes_per_user"}
_MINUTES_MAX = 1_000_000
_PRICE_MAX = 1_000_000_000
_COUNT_MAX = 1_000_000
_GRACE_DAYS_MAX = 366

_Kind = TypeVar("_Kind", str, int, dict[str, object], list[object])


class Eligibility(StrEnum):
    """Whether a package may record."""

    FREE_QUOTA = "free_quota"
    """Yes, with free minutes for each licensed user."""
    ADD_ON_ONLY = "add_on_only"
    """Only while an add-on runs."""
    NEVER = "never"
    """Not at all; add-ons cannot be bought."""


@dataclass(frozen=True, slots=True)
class Package:
    """What a customer subscribes to."""

    code: str
    name: str
    eligibility: Eligibility
    free_ms_per_user: int

    def free_ms(self, licensed_users: int) -> int:
        """Return the initial free quota of a customer with so many licensed users."""
        return self.free_ms_per_user * licensed_users


@dataclass(frozen=True, slots=True)
class AddOnOffer:
    """One pack of additional minutes."""

    pack_ms: int
    price_idr: int


@dataclass(frozen=True, slots=True)
class PlanBook:
    """The whole price list."""

    packages: Mapping[str, Package]
    add_on: AddOnOffer
    grace_days: int
    """Days after an end during which minutes still count."""
    licensed_users_max: int
    add_on_packs_max: int

    def package(self, code: str) -> Package:
        """Return a package. Raises `BadInput` that names the nearest codes."""
        found = self.packages.get(code)
        if found is not None:
            return found
        near = difflib.get_close_matches(code, self.packages, n=3) or sorted(self.packages)
        raise BadInput(f"there is no package {code!r}; did you mean {', '.join(near)}?")

    def check_licensed_users(self, count: int) -> None:
        """Raise `BadInput` unless a contract can have so many users."""
        if not 1 <= count <= self.licensed_users_max:
            raise BadInput(
                f"licensed users must be from 1 to {self.licensed_users_max:,}, not {count:,}"
            )

    def check_packs(self, count: int) -> None:
        """Raise `BadInput` unless a customer can buy so many packs at once."""
        if not 1 <= count <= self.add_on_packs_max:
            raise BadInput(
                f"add-on packs must be from 1 to {self.add_on_packs_max:,}, not {count:,}"
            )


def parse_plans(text: str) -> PlanBook:
    """Read a price list. Raises `BadInput` that says which entry is wrong and how."""
    try:
        book = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"the plan file is not TOML: {error}") from error
    where = "the plan file"
    _refuse_unknown(book, _BOOK_KEYS, where)
    add_on = _value(book, "add_on", dict[str, object], where)
    _refuse_unknown(add_on, _ADD_ON_KEYS, f"{where}, [add_on]")
    return PlanBook(
        packages=_packages(_value(book, "package", list[object], where), where),
        add_on=AddOnOffer(
            pack_ms=_number(add_on, "minutes", 1, _MINUTES_MAX, f"{where}, [add_on]")
            * MS_PER_MINUTE,
            price_idr=_number(add_on, "price_idr", 0, _PRICE_MAX, f"{where}, [add_on]"),
        ),
        grace_days=_number(book, "grace_days", 0, _GRACE_DAYS_MAX, where),
        licensed_users_max=_number(book, "licensed_users_max", 1, _COUNT_MAX, where),
        add_on_packs_max=_number(book, "add_on_packs_max", 1, _COUNT_MAX, where),
    )


def _packages(entries: list[object], where: str) -> dict[str, Package]:
    packages: dict[str, Package] = {}
    for number, entry in enumerate(entries, 1):
        here = f"{where}, package {number}"
        if not isinstance(entry, dict):
            raise BadInput(f"{here} must be a table")
        package = _package(entry, here)
        if package.code in packages:
            raise BadInput(f"{here}: the code {package.code!r} is taken by an earlier one")
        packages[package.code] = package
    if not packages:
        raise BadInput(f"{where} lists no package")
    return packages


def _package(entry: dict[str, object], where: str) -> Package:
    code = _value(entry, "code", str, where)
    if not _CODE.fullmatch(code):
        raise BadInput(f"{where}: code must be like sales-suite-plus, not {code!r}")
    where = f"{where} ({code})"
    _refuse_unknown(entry, _PACKAGE_KEYS, where)
    name = _value(entry, "name", str, where)
    if not name.strip():
        raise BadInput(f"{where}: name is empty")
    try:
        eligibility = Eligibility(_value(entry, "eligibility", str, where))
    except ValueError:
        choices = ", ".join(Eligibility)
        raise BadInput(f"{where}: eligibility must be one of {choices}") from None
    if eligibility is Eligibility.FREE_QUOTA:
        minutes = _number(entry, "free_minutes_per_user", 1, _MINUTES_MAX, where)
    elif "free_minutes_per_user" in entry:
        raise BadInput(f"{where}: free_minutes_per_user only goes with free_quota")
    else:
        minutes = 0
    return Package(code, name, eligibility, minutes * MS_PER_MINUTE)


def _value(table: dict[str, object], key: str, kind: type[_Kind], where: str) -> _Kind:
    if key not in table:
        raise BadInput(f"{where}: {key} is missing")
    value = table[key]
    plain = getattr(kind, "__origin__", kind)
    # bool is an int in Python, but `true` is no number of minutes.
    if isinstance(value, bool) or not isinstance(value, plain):
        raise BadInput(f"{where}: {key} has the wrong type")
    return value


def _number(table: dict[str, object], key: str, low: int, high: int, where: str) -> int:
    number = _value(table, key, int, where)
    if not low <= number <= high:
        raise BadInput(f"{where}: {key} must be from {low:,} to {high:,}, not {number:,}")
    return number


def _refuse_unknown(table: dict[str, object], known: set[str], where: str) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        raise BadInput(f"{where}: unknown {', '.join(unknown)}")
