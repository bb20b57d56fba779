"""`callgate quota …` and the contract commands of `callgate account`, as an operator types."""

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import BudgetId, WorkerId
from gateway.foundation import Foundation, open_foundation
from gateway.settings import load
from tests.cli.conftest import Callgate

CID = "C-1001"
END = str(date.today() + timedelta(days=300))  # noqa: DTZ011 (any day far ahead)


@dataclass(frozen=True, slots=True)
class Operator:
    """Types commands, into the program itself, on a data directory of their own."""

    callgate: Callgate

    def run(self, *words: str) -> str:
        return self.callgate(*words).out

    def fails(self, *words: str, code: int = 1) -> str:
        return self.callgate(*words, code=code).err

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def stored(self, work: Callable[[Foundation], Any]) -> Any:
        async def with_stores() -> Any:
            async with open_foundation(load(), SystemClock()) as stores:
                await stores.migrate()
                return await work(stores)

        return asyncio.run(with_stores())

    def balance(self) -> dict[str, Any]:
        (row,) = self.json("quota", "show", CID)
        return dict(row)


@pytest.fixture
def operator(callgate: Callgate) -> Operator:
    callgate("account", "add", CID, "--name", "Toko Maju", "--timezone", "Asia/Jakarta")
    return Operator(callgate)


@pytest.fixture
def subscribed(operator: Operator) -> Operator:
    subscribe(operator)
    return operator


def subscribe(operator: Operator, users: int = 5, *more: str) -> str:
    return operator.run(
        *("account", "subscribe", CID, "--package", "sales-suite-plus"),
        *("--users", str(users), "--ends-on", END, *more),
    )


def test_a_subscription_and_an_add_on_give_their_minutes(subscribed: Operator) -> None:
    bought = subscribed.run("quota", "top-up", CID, "--packs", "2", "--note", "order 7")
    assert "2,000:00 min" in bought
    assert "IDR 100,000" in bought
    row = subscribed.balance()
    assert (row["capacity_ms"], row["free_ms"]) == (2400 * 60_000, 2400 * 60_000)
    shown = subscribed.run("quota", "show")
    for word in (CID, "sales-suite-plus", "active", "2,400:00"):
        assert word in shown


def test_every_minute_is_explained(subscribed: Operator) -> None:
    async def talk(stores: Foundation) -> None:
        account = await stores.accounts.account(CID)
        stamp = Stamp(SystemClock().wall(), note="first")
        await stores.minutes.settle(
            CallId("call-1"), account.account_id, Recorded(61_500), stamp
        )

    subscribed.stored(talk)
    explained = subscribed.run("quota", "explain", CID, "--limit", "1")
    for word in ("settle", "call-1", "first", "1:01.500", "400:00", "--cursor"):
        assert word in explained
    lines = subscribed.json("quota", "explain", CID)["items"]
    assert [line["amount_ms"] for line in lines] == [61_500, 400 * 60_000]
    (day,) = subscribed.json("quota", "usage", CID)
    assert (day["recorded_ms"], day["calls"]) == (61_500, 1)
    assert "1:01.500" in subscribed.run("quota", "usage", CID)
    assert subscribed.run("quota", "verify") == f"{CID}: exact\n"


def test_what_will_happen_to_the_capacity_is_told(subscribed: Operator) -> None:
    subscribed.run("quota", "top-up", CID, "--packs", "1")
    plan = subscribed.json("quota", "capacity", CID)
    assert sum(plan["now"].values()) == 1400 * 60_000
    assert sum(change["amount_ms"] for change in plan["changes"]) == -1400 * 60_000
    assert "licensed users" in subscribed.run("quota", "capacity", CID)
    contract = subscribed.json("account", "contract", CID)
    assert contract["terms"][0]["contract_ends_on"] == END
    assert contract["add_ons"][0]["ends_on"] == END
    assert "Sales Suite Plus, 5 users" in subscribed.run("account", "contract", CID)


def test_the_price_list_is_shown_and_can_be_replaced(
    subscribed: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = subscribed.run("quota", "packages")
    assert "qontak-360" in listed
    assert "1,000 min for IDR 50,000" in listed
    own = tmp_path / "plans.toml"
    own.write_text(
        "grace_days = 5\nlicensed_users_max = 9\nadd_on_packs_max = 9\n[add_on]\nminutes = 10\n"
        'price_idr = 1\n[[package]]\ncode = "sales-suite-plus"\nname = "Plus"\n'
        'eligibility = "free_quota"\nfree_minutes_per_user = 100\n'
    )
    monkeypatch.setenv("CALLGATE_QUOTA_PLANS", str(own))
    assert "400:00 → 500:00" in subscribed.run("quota", "replan")
    own.write_text("grace_days = -5")
    assert "plans.toml" in subscribed.fails("quota", "show")


def test_a_customer_who_leaves_owns_nothing(
    subscribed: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    asked = subscribed.callgate("account", "churn", CID, code=1)
    assert "Does C-1001 leave?" in asked.out
    assert subscribed.balance()["capacity_ms"] == 400 * 60_000
    subscribed.run("account", "churn", CID, "--yes")
    row = subscribed.balance()
    assert (row["capacity_ms"], row["standing"], row["package"]) == (0, "churned", None)


def test_orders_that_cannot_be_are_refused_in_plain_words(operator: Operator) -> None:
    def subscribe_with(package: str, users: str, ends_on: str) -> str:
        return operator.fails(
            *("account", "subscribe", CID, "--package", package),
            *("--users", users, "--ends-on", ends_on),
        )

    assert "did you mean sales-suite-plus" in subscribe_with("sales-plus", "5", END)
    assert "from 1 to 100,000, not -3" in subscribe_with("qontak-360", "-3", END)
    assert "from 1 to 100,000, not 0" in subscribe_with("qontak-360", "0", END)
    assert "before the start" in subscribe_with("qontak-360", "1", "2020-01-01")
    assert "YYYY-MM-DD" in subscribe_with("qontak-360", "1", "31.12.2030")
    assert "absurdly" in subscribe_with("qontak-360", "1", "9999-12-31")
    assert "needs a subscription" in operator.fails("quota", "top-up", CID, "--packs", "1")
    assert operator.fails("quota", "show", "C-nobody").startswith("callgate: ")
    assert "cursor" in operator.fails("quota", "explain", CID, "--cursor", "x")
    assert "days" in operator.fails("quota", "usage", CID, "--since", "2001-01-01")
    subscribe(operator)
    for packs in ("0", "-1", "999999999"):
        assert "packs must be" in operator.fails("quota", "top-up", CID, "--packs", packs)
    assert operator.balance()["capacity_ms"] == 400 * 60_000


def test_seats_that_shrink_below_use_must_be_meant(subscribed: Operator) -> None:
    async def use(stores: Foundation) -> None:
        account = await stores.accounts.account(CID)
        await stores.minutes.settle(
            CallId("c"), account.account_id, Recorded(300 * 60_000), Stamp(SystemClock().wall())
        )

    subscribed.stored(use)
    words = ("account", "subscribe", CID, "--package", "sales-suite-plus", "--users", "1")
    refused = subscribed.fails(*words, "--ends-on", END)
    assert "220.0 min are freed" in refused
    said = subscribed.run(*words, "--ends-on", END, "--allow-overdrawn")
    assert "overdrawn by 220:00 min" in said


def test_a_lost_workers_minutes_are_shown_and_written_off(subscribed: Operator) -> None:
    async def crash(stores: Foundation) -> None:
        account = await stores.accounts.account(CID)
        await stores.minutes.take_hold(account.account_id, CallId("c"), now=0.0)
        await stores.minutes.open_capture(
            CallId("c"), account.account_id, WorkerId("w-1"), fresh=BudgetId("b")
        )
        await stores.minutes.suspend_worker(WorkerId("w-1"))

    assert "nothing in suspense" in subscribed.run("quota", "suspense", CID)
    subscribed.stored(crash)
    assert "w-1" in subscribed.run("quota", "suspense", CID)
    assert subscribed.balance()["suspense_ms"] == 1_000
    assert "no such worker" in subscribed.fails("quota", "write-off", "w-2", "--yes")
    assert "1 calls written off" in subscribed.run("quota", "write-off", "w-1", "--yes")
    assert subscribed.balance()["reserved_ms"] == 0
