"""After the call: what was said, which recordings are open, and how the days compare."""

from aiohttp import web

from gateway.core.csv_text import BYTE_ORDER_MARK, csv_line
from gateway.core.recording.report import REPORT_COLUMNS, ReconciledDay, report_cells
from gateway.http.after_call_schemas import (
    OpenPage,
    OpenQuery,
    OpenRecordingView,
    PassageView,
    ReportDay,
    ReportView,
    TranscriptView,
)
from gateway.http.call_views import peer_view
from gateway.http.days import DaysQuery
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.audit import Deed
from gateway.runtime.after_calls import OpenRecording
from gateway.runtime.call_view import moment

routes = RouteTable()


@routes.serve(
    Route("GET", "/calls/{call_id}/transcript", "calls.transcript", out=TranscriptView)
)
async def read_transcript(ask: Ask[Nothing, Nothing]) -> TranscriptView:
    """Show what was said in a call, where WhatsApp wrote it down."""
    found = await ask.deps.after_calls.transcript(ask.person, ask.call_id)
    await ask.note(Deed.TRANSCRIPT_READ, ask.call_id)
    return TranscriptView(
        language=found.language,
        passages=[
            PassageView(
                speaker=each.speaker,
                begin_ms=each.begin_ms,
                end_ms=each.end_ms,
                text=each.text,
            )
            for each in found.passages
        ],
    )


@routes.serve(
    Route("GET", "/recordings/open", "recordings.open", query=OpenQuery, out=OpenPage)
)
async def list_open(ask: Ask[Nothing, OpenQuery]) -> OpenPage:
    """List recordings that are not settled, why, and until when; the oldest call first."""
    query = ask.query
    page = await ask.deps.after_calls.open(
        ask.person, at_risk_only=query.at_risk, cursor=query.cursor, limit=query.limit
    )
    return OpenPage(items=[_open(each) for each in page.items], next_cursor=page.next_cursor)


@routes.serve(
    Route(
        "GET",
        "/recordings/reconciliation",
        "recordings.reconciliation",
        query=DaysQuery,
        out=ReportView,
    )
)
async def read_report(ask: Ask[Nothing, DaysQuery]) -> ReportView:
    """Add up recorded calls by day: verdicts, what is stored and charged, both recordings."""
    zone = ask.who.account.timezone
    since, until = ask.query.bounds(now=ask.deps.clock.wall(), zone=zone)
    days = await ask.deps.after_calls.days(ask.person, since=since, until=until, zone=zone)
    return ReportView(
        timezone=zone, since=since, until=until, days=[_day(each) for each in days]
    )


@routes.serve(
    Route(
        "GET",
        "/recordings/reconciliation.csv",
        "recordings.reconciliation_csv",
        query=DaysQuery,
        content="text/csv",
    )
)
async def read_report_csv(ask: Ask[Nothing, DaysQuery]) -> web.Response:
    """Give the same as a table for spreadsheets."""
    zone = ask.who.account.timezone
    since, until = ask.query.bounds(now=ask.deps.clock.wall(), zone=zone)
    days = await ask.deps.after_calls.days(ask.person, since=since, until=until, zone=zone)
    told = {"since": since.isoformat(), "until": until.isoformat()}
    await ask.note(Deed.REPORT_DOWNLOADED, "reconciliation", **told)
    lines = [csv_line(REPORT_COLUMNS), *(csv_line(report_cells(each)) for each in days)]
    name = f"reconciliation-{since}-{until}.csv"
    return web.Response(
        text=BYTE_ORDER_MARK + "".join(lines),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _day(day: ReconciledDay) -> ReportDay:
    return ReportDay(
        day=day.day,
        calls=day.calls,
        undecided=day.undecided,
        verdicts={verdict.value: count for verdict, count in day.verdicts.items()},
        stored_ms=day.stored_ms,
        charged_ms=day.charged_ms,
        official_ms=day.official_ms,
        local_ms=day.local_ms,
        difference_ms=day.difference_ms,
    )


def _open(found: OpenRecording) -> OpenRecordingView:
    of, job = found.of, found.job
    conclusion = of.case.conclusion
    return OpenRecordingView(
        call_id=of.case.opening.call_id,
        direction=of.direction.value,
        peer=peer_view(of.peer),
        ended_at=moment(of.case.facts.ended_at),
        verdict=None if conclusion is None else conclusion.verdict.value,
        waits_for=found.outlook.waits_for.value,
        until=None if found.outlook.until is None else moment(found.outlook.until),
        at_risk=found.outlook.is_at_risk,
        tries=0 if job is None else job.tries,
        trouble="" if job is None else job.trouble,
        next_try_at=None if job is None else moment(job.due_at),
    )
