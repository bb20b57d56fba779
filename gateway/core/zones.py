"""Moments as people of a time zone read them; zones are IANA names."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def local_time(at: float, zone: str) -> datetime:
    """Return a moment, seconds since 1970, with the zone's clock and offset."""
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))


def local_day(at: float, zone: str) -> date:
    """Return the day that a moment belongs to in a zone."""
    return local_time(at, zone).date()


def start_of_day(day: date, zone: str) -> float:
    """Return when a day begins in a zone, also where daylight saving skips midnight."""
    return datetime.combine(day, time(), ZoneInfo(zone)).timestamp()
