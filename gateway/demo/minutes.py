"""Recording minutes for the demo's account."""

import time
from datetime import UTC, datetime, timedelta

from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId
from gateway.core.quota import charge
from gateway.core.quota.charge import Stamp
from gateway.core.quota.contract import SubscriptionTerm
from gateway.core.quota.plan import MS_PER_MINUTE
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish
from gateway.foundation import open_foundation
from gateway.settings import Settings

OWNED_MS = 400 * MS_PER_MINUTE
"""Five users of a plan with 80 minutes each."""


async def sell_minutes(settings: Settings, cid: str, *, leave_ms: int = OWNED_MS) -> None:
    """Have an account record all its calls, with so much time left.

    What it owns beyond that counts as used by an earlier call.
    """
    now = time.time()
    end = (datetime.now(UTC) + timedelta(days=300)).date()
    async with open_foundation(settings, SystemClock()) as stores:
        account = await stores.accounts.account(cid)
        term = SubscriptionTerm("plan", "sales-suite-plus", 5, now - 60, end)
        await stores.contracts.subscribe(account.account_id, term, stamp=Stamp(now))
        if leave_ms < OWNED_MS:
            view = await stores.minutes.view(account.account_id, now=now)
            used = charge.Recorded(view.balance.free_ms - leave_ms)
            await stores.minutes.settle(CallId("earlier"), account.account_id, used, Stamp(now))
        await stores.accounts.set_records(account.account_id, Records.BOTH)


async def ask_official(settings: Settings, cid: str) -> None:
    """Have WhatsApp announce, record and write down an account's calls, too."""
    wish = Wish(
        Records.BOTH, purpose="quality assurance and training", language="en", transcribes=True
    )
    now = time.time()
    async with open_foundation(settings, SystemClock()) as stores:
        account = await stores.accounts.account(cid)
        known = await stores.wishes.of_account(account.account_id)
        await stores.wishes.save(
            account.account_id, wish, seen=known.version, actor=None, now=now
        )
