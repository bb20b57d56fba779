"""The account's call settings: what is recorded, by whom, and what is said before."""

from typing import Any

from gateway.core.recording.announcement import (
    LANGUAGES,
    PURPOSE_CHARS_MAX,
    Kind,
    opening_words,
)
from gateway.core.recording.facts import Mode
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish, checked_wish
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.settings_schemas import (
    AnnouncedLanguage,
    CallSettingsChange,
    CallSettingsView,
    announcement_view,
)
from gateway.http.shapes import Nothing
from gateway.ports.announcements import StoredAnnouncement
from gateway.ports.wishes import StoredWish

LANGUAGES_SHOWN = [
    AnnouncedLanguage(
        code=code,
        recording=opening_words(code, Kind.RECORDING),
        recording_and_transcription=opening_words(code, Kind.BOTH),
    )
    for code in LANGUAGES
]

routes = RouteTable()


@routes.serve(Route("GET", "/settings/calls", "settings.calls_read", out=CallSettingsView))
async def read_call_settings(ask: Ask[Nothing, Nothing]) -> CallSettingsView:
    """Show what is recorded, and what is said before."""
    account_id = ask.person.account_id
    stored = await ask.deps.wishes.of_account(account_id)
    return _shown(ask, stored, await ask.deps.announcements.current(account_id))


@routes.serve(
    Route(
        "PUT",
        "/settings/calls",
        "settings.calls_change",
        body=CallSettingsChange,
        out=CallSettingsView,
        refusals=(409,),
    )
)
async def change_call_settings(ask: Ask[CallSettingsChange, Nothing]) -> CallSettingsView:
    """Choose what is recorded from the next call on."""
    body = ask.body
    announcement = await ask.deps.announcements.current(ask.person.account_id)
    wish = checked_wish(
        Wish(
            records=Records(body.records),
            mode=Mode(body.mode),
            purpose=body.purpose,
            language=body.language,
            transcribes=body.transcription,
            transcribes_alone=body.transcription_alone,
        ),
        has_announcement=announcement is not None,
    )
    saved = await ask.deps.wishes.save(
        ask.person.account_id,
        wish,
        seen=body.version,
        actor=ask.person.user_id,
        now=ask.deps.clock.wall(),
    )
    return _shown(ask, saved, announcement)


def _shown(
    ask: Ask[Any, Nothing], stored: StoredWish, announcement: StoredAnnouncement | None
) -> CallSettingsView:
    wish, limits = stored.wish, ask.deps.limits
    return CallSettingsView(
        version=stored.version,
        records=wish.records.value,
        mode=wish.mode.value,
        purpose=wish.purpose,
        language=wish.language,
        transcription=wish.transcribes,
        transcription_alone=wish.transcribes_alone,
        spoken=wish.spoken,
        announcement=None if announcement is None else announcement_view(announcement),
        announcement_max_s=limits.announcement_max_s,
        announcement_bytes_max=limits.announcement_bytes_max,
        purpose_chars_max=PURPOSE_CHARS_MAX,
        languages=LANGUAGES_SHOWN,
    )
