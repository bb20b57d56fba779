"""What official recordings need, as the settings want it."""

from contextlib import AsyncExitStack

from gateway.adapters.official_files import OfficialFiles
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.whatsapp_media import FetchBounds, WhatsAppMedia
from gateway.core.recording.outlook import Patience
from gateway.foundation import Foundation
from gateway.ports.clock import Clock
from gateway.ports.storage import Contents
from gateway.runtime.after_calls import AfterCalls
from gateway.runtime.call_desk import CallDesk
from gateway.runtime.world import Official
from gateway.settings import Settings


async def open_official(
    stack: AsyncExitStack,
    settings: Settings,
    stores: Foundation,
    clock: SystemClock,
    contents: Contents,
) -> Official:
    """Open the way to Meta's files while `stack` is."""
    media = WhatsAppMedia(
        graph_url=settings.whatsapp_graph_url,
        version=settings.whatsapp_graph_version,
        hosts=settings.whatsapp_media_hosts,
        folder=settings.recordings_path,
        clock=clock,
        bounds=FetchBounds(
            file_bytes_max=settings.official_file_bytes_max,
            download_s=settings.official_fetch_max_s,
        ),
    )
    return Official(
        wishes=stores.wishes,
        announcements=stores.announcements,
        cases=stores.cases,
        books=stores.case_books,
        jobs=stores.jobs,
        transcripts=stores.transcripts,
        media=await stack.enter_async_context(media),
        files=OfficialFiles(settings.recordings_path, contents),
    )


def patience_of(settings: Settings) -> Patience:
    """Return how long things may take before supervisors are told."""
    return Patience(
        fetch_s=settings.official_risk_after_s,
        comparison_s=settings.official_stuck_after_s,
        lost_shown_s=settings.official_lost_shown_s,
    )


def after_calls(
    settings: Settings, stores: Foundation, desk: CallDesk, clock: Clock
) -> AfterCalls:
    """Return what tells people how their calls' recordings fared."""
    return AfterCalls(
        see=desk.one,
        books=stores.case_books,
        jobs=stores.jobs,
        transcripts=stores.transcripts,
        clock=clock,
        patience=patience_of(settings),
    )
