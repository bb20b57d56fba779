"""The price list: the guide's figures, and what is wrong with a bad one."""

from pathlib import Path

import pytest

from gateway.adapters.plan_file import load_plans, shipped_plans
from gateway.core.errors import BadInput
from gateway.core.quota.plan import MS_PER_MINUTE, Eligibility, PlanBook, parse_plans

GOOD = """
grace_days = 30
licensed_users_max = 1000
add_on_packs_max = 100
[add_on]
minutes = 1000
price_idr = 50000
[[package]]
code = "plus"
name = "Plus"
eligibility = "free_quota"
free_minutes_per_user = 80
"""


@pytest.fixture
def book() -> PlanBook:
    return load_plans(None)


def test_five_users_of_sales_suite_plus_have_400_minutes(book: PlanBook) -> None:
    assert book.package("sales-suite-plus").free_ms(5) == 400 * MS_PER_MINUTE


def test_two_users_of_qontak_360_have_600_minutes(book: PlanBook) -> None:
    assert book.package("qontak-360").free_ms(2) == 600 * MS_PER_MINUTE


@pytest.mark.parametrize(
    ("code", "minutes"),
    [
        ("sales-suite-plus", 80),
        ("sales-suite-ultimate", 200),
        ("service-suite-plus", 80),
        ("service-suite-ultimate", 200),
        ("qontak-360", 300),
    ],
)
def test_eligible_packages_have_free_minutes(book: PlanBook, code: str, minutes: int) -> None:
    package = book.package(code)
    assert package.eligibility is Eligibility.FREE_QUOTA
    assert package.free_ms(1) == minutes * MS_PER_MINUTE


def test_fourteen_packages_record_only_with_an_add_on(book: PlanBook) -> None:
    listed = [p for p in book.packages.values() if p.eligibility is Eligibility.ADD_ON_ONLY]
    assert len(listed) == 14
    assert all(p.free_ms(100) == 0 for p in listed)


@pytest.mark.parametrize("code", ["broadcast", "qontak-lite"])
def test_broadcast_and_lite_never_record(book: PlanBook, code: str) -> None:
    assert book.package(code).eligibility is Eligibility.NEVER


def test_a_pack_is_1000_minutes_for_50000_rupiah_with_30_days_of_grace(
    book: PlanBook,
) -> None:
    assert book.add_on.pack_ms == 1000 * MS_PER_MINUTE
    assert book.add_on.price_idr == 50_000
    assert book.grace_days == 30


def test_an_unknown_package_names_the_nearest(book: PlanBook) -> None:
    with pytest.raises(BadInput, match="sales-suite-plus"):
        book.package("sales-plus")


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_absurd_counts_are_refused(book: PlanBook, count: int) -> None:
    with pytest.raises(BadInput, match="licensed users must be from 1"):
        book.check_licensed_users(count)
    with pytest.raises(BadInput, match="packs must be from 1"):
        book.check_packs(count)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("grace_days = 30", "grace_days = -1", "grace_days must be from 0"),
        ("grace_days = 30", "", "grace_days is missing"),
        ("grace_days = 30", "grace_days = true", "grace_days has the wrong type"),
        ("minutes = 1000", "minutes = 0", "minutes must be from 1"),
        ("minutes = 1000", "minutes = 1000.5", "minutes has the wrong type"),
        ("price_idr = 50000", "price_idr = -5", "price_idr must be from 0"),
        ("price_idr = 50000", "price = 5", "unknown price"),
        ('code = "plus"', 'code = "Plus!"', "code must be like"),
        ('name = "Plus"', 'name = " "', "name is empty"),
        ('eligibility = "free_quota"', 'eligibility = "maybe"', "eligibility must be one of"),
        ('eligibility = "free_quota"', 'eligibility = "never"', "only goes with free_quota"),
        ("free_minutes_per_user = 80", "", "free_minutes_per_user is missing"),
        ("free_minutes_per_user = 80", "free_minutes_per_user = 0", "must be from 1"),
        ("[add_on]", "[[add_on]]", "add_on has the wrong type"),
        ("[add_on]", "[", "not TOML"),
    ],
)
def test_a_wrong_entry_is_named(old: str, new: str, said: str) -> None:
    parse_plans(GOOD)
    with pytest.raises(BadInput, match=said):
        parse_plans(GOOD.replace(old, new))


def test_two_packages_cannot_share_a_code() -> None:
    again = GOOD[GOOD.index("[[package]]") :]
    with pytest.raises(BadInput, match="package 2: the code 'plus' is taken"):
        parse_plans(GOOD + again)


def test_the_shipped_list_is_the_default_and_can_be_replaced(tmp_path: Path) -> None:
    assert load_plans(None) == parse_plans(shipped_plans())
    own = tmp_path / "plans.toml"
    own.write_text(GOOD)
    assert list(load_plans(own).packages) == ["plus"]
    with pytest.raises(BadInput, match="cannot be read"):
        load_plans(tmp_path / "absent.toml")
