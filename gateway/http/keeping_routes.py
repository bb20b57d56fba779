"""How long an account's recordings are kept, what happens without minutes, what goes when."""

from dataclasses import asdict
from datetime import timedelta

from gateway.core.errors import Refused, VersionConflict
from gateway.core.recording.forecast import Going, forecast, together
from gateway.core.recording.retention import DAYS_MAX, KeepingRules, WhenFull
from gateway.core.zones import local_day
from gateway.http.keeping_schemas import (
    ForecastQuery,
    ForecastView,
    GoingDay,
    GoingView,
    KeepingChange,
    KeepingView,
)
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.recording_life import AccountRules

routes = RouteTable()


@routes.serve(Route("GET", "/settings/keeping", "settings.keeping_read", out=KeepingView))
async def read_keeping(ask: Ask[Nothing, Nothing]) -> KeepingView:
    """Show how long recordings are kept, and what happens when minutes run out."""
    return _shown(await ask.deps.recording_life.rules(ask.person.account_id))


@routes.serve(
    Route(
        "PUT",
        "/settings/keeping",
        "settings.keeping_change",
        body=KeepingChange,
        out=KeepingView,
        refusals=(409,),
    )
)
async def change_keeping(ask: Ask[KeepingChange, Nothing]) -> KeepingView:
    """Choose how long recordings are kept: what is over then goes with the next round."""
    body = ask.body
    rules = KeepingRules(WhenFull(body.when_full), body.retention_days, encrypts=body.encrypts)
    try:
        saved = await ask.deps.recording_life.change_rules(
            ask.person.account_id, rules, seen=body.version, order=ask.order
        )
    except VersionConflict:
        raise Refused("settings_changed", "Somebody else has changed these settings.") from None
    return _shown(saved)


@routes.serve(
    Route(
        "GET",
        "/settings/keeping/forecast",
        "settings.keeping_forecast",
        query=ForecastQuery,
        out=ForecastView,
    )
)
async def forecast_going(ask: Ask[Nothing, ForecastQuery]) -> ForecastView:
    """Tell what goes by itself and when: as things are, or if it were kept for another time."""
    account, life, query = ask.who.account, ask.deps.recording_life, ask.query
    if query.if_two_years:
        rules = KeepingRules()
    elif query.if_days is not None:
        rules = KeepingRules(retention_days=query.if_days)
    else:
        rules = (await life.rules(account.account_id)).rules
    kept = await life.kept_by_day(account.account_id)
    today = local_day(ask.deps.clock.wall(), account.timezone)
    until = today + timedelta(days=query.within_days)
    days = forecast(kept, rules, today=today, until=until)
    return ForecastView(
        today=today.isoformat(),
        until=until.isoformat(),
        retention_days=rules.retention_days,
        kept=_going(sum((each.kept for each in kept), Going())),
        at_once=_going(together(day for day in days if day.on == today)),
        going=_going(together(days)),
        days=[GoingDay(on=day.on.isoformat(), **asdict(day.going)) for day in days],
    )


def _going(going: Going) -> GoingView:
    return GoingView(**asdict(going))


def _shown(found: AccountRules) -> KeepingView:
    rules = found.rules
    return KeepingView(
        version=found.version,
        when_full=rules.when_full.value,
        retention_days=rules.retention_days,
        encrypts=rules.encrypts,
        retention_days_max=DAYS_MAX,
    )
