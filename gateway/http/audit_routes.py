"""The audit: who did what in the account."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.http.access_schemas import AuditLine, AuditQuery, AuditView, Named
from gateway.http.quota_routes import FIRST_DAY, LAST_DAY
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.audit import AuditFilter, ListedDeed
from gateway.runtime.call_view import moment

routes = RouteTable()


@routes.serve(Route("GET", "/audit", "audit.list", query=AuditQuery, out=AuditView))
async def list_audit(ask: Ask[Nothing, AuditQuery]) -> AuditView:
    """List who did what, newest first."""
    query, zone = ask.query, ZoneInfo(ask.who.account.timezone)
    wanted = AuditFilter(
        account_id=ask.person.account_id,
        action=query.action,
        actor=query.actor,
        subject=query.subject,
        since=None if query.since is None else _begin(query.since, zone),
        until=None if query.until is None else _begin(_day_after(query.until), zone),
    )
    page = await ask.deps.audit.page(wanted, cursor=query.cursor, limit=query.limit)
    return AuditView(items=[_line(each) for each in page.deeds], next_cursor=page.next_cursor)


def _begin(day: date, zone: ZoneInfo) -> float:
    within = max(FIRST_DAY, min(day, LAST_DAY))
    return datetime.combine(within, time.min, zone).timestamp()


def _day_after(day: date) -> date:
    return min(day, LAST_DAY) + timedelta(days=1)


def _line(listed: ListedDeed) -> AuditLine:
    entry = listed.entry
    return AuditLine(
        at=moment(entry.at),
        action=entry.action,
        actor=None if entry.actor is None else Named(id=entry.actor, name=listed.actor_name),
        token=None
        if entry.token_id is None
        else Named(id=entry.token_id, name=listed.token_name),
        subject=entry.subject,
        fields=dict(entry.fields),
    )
