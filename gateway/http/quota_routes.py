"""Recording minutes: how they stand, what used them, and every entry of the ledger."""

from gateway.http.days import DaysQuery
from gateway.http.quota_schemas import (
    LedgerLine,
    LedgerQuery,
    LedgerView,
    QuotaView,
    UsageDay,
    UsageView,
)
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.quota import DayUse
from gateway.runtime.call_view import moment
from gateway.runtime.quota_view import body_of

routes = RouteTable()


@routes.serve(Route("GET", "/quota", "quota.read", out=QuotaView))
async def read_quota(ask: Ask[Nothing, Nothing]) -> QuotaView:
    """Show how the account's recording minutes stand now."""
    quota = await ask.deps.minutes_now(ask.person.account_id)
    return QuotaView.model_validate(body_of(quota))


@routes.serve(Route("GET", "/quota/usage", "quota.usage", query=DaysQuery, out=UsageView))
async def read_usage(ask: Ask[Nothing, DaysQuery]) -> UsageView:
    """Show the minutes recorded and returned by day."""
    zone = ask.who.account.timezone
    since, until = ask.query.bounds(now=ask.deps.clock.wall(), zone=zone)
    days = await ask.deps.quota_books.usage(
        ask.person.account_id, since=since, until=until, zone=zone
    )
    return UsageView(
        timezone=zone, since=since, until=until, days=[_day(each) for each in days]
    )


@routes.serve(Route("GET", "/quota/ledger", "quota.ledger", query=LedgerQuery, out=LedgerView))
async def read_ledger(ask: Ask[Nothing, LedgerQuery]) -> LedgerView:
    """List what happened to the minutes, entry by entry, newest first."""
    page = await ask.deps.quota_books.ledger(
        ask.person.account_id, cursor=ask.query.cursor, limit=ask.query.limit
    )
    items = [
        LedgerLine(
            at=moment(line.entry.at),
            kind=line.entry.kind.value,
            amount_ms=line.entry.amount_ms,
            call_id=line.entry.call_id,
            actor_id=line.entry.actor,
            note=line.entry.note,
            capacity_ms=line.totals.capacity_ms,
            used_ms=line.totals.used_ms,
        )
        for line in page.lines
    ]
    return LedgerView(items=items, next_cursor=page.next_cursor)


def _day(use: DayUse) -> UsageDay:
    return UsageDay(
        day=use.day,
        recorded_ms=use.recorded_ms,
        returned_ms=use.returned_ms,
        calls=use.calls,
    )
