"""The audit: who did what in the account."""

from gateway.core.ids import AccountId
from gateway.http.access_schemas import AuditDeeds, AuditLine, AuditQuery, AuditView, Named
from gateway.http.days import begin_of, end_of
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.audit import AuditFilter, ListedDeed
from gateway.runtime.call_view import moment

routes = RouteTable()


@routes.serve(Route("GET", "/audit", "audit.list", query=AuditQuery, out=AuditView))
async def list_audit(ask: Ask[Nothing, AuditQuery]) -> AuditView:
    """List who did what, newest first."""
    query, account = ask.query, ask.who.account
    wanted = filter_of(query, account.account_id, account.timezone)
    page = await ask.deps.audit.page(wanted, cursor=query.cursor, limit=query.limit)
    return AuditView(items=[_line(each) for each in page.deeds], next_cursor=page.next_cursor)


def filter_of(query: AuditDeeds, account_id: AccountId, zone: str) -> AuditFilter:
    """Read what is asked for; days begin and end at midnight of the zone."""
    return AuditFilter(
        account_id=account_id,
        action=query.action,
        actor=query.actor,
        subject=query.subject,
        since=begin_of(query.since, zone),
        until=end_of(query.until, zone),
    )


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
