"""The library of recordings, as the settings want it."""

from collections.abc import Callable

from gateway.adapters.audio_transcoding import AudioTranscoding, TranscodeBounds
from gateway.core.ids import AccountId
from gateway.foundation import Foundation
from gateway.ports.clock import Clock
from gateway.runtime.library_deletion import LibraryDeletion
from gateway.runtime.library_desk import LibraryBounds, LibraryDesk, RecordingSource
from gateway.settings import Settings


def make_library(
    settings: Settings, stores: Foundation, source: RecordingSource, clock: Clock
) -> LibraryDesk:
    """Join what people look through recordings with."""
    return LibraryDesk(
        stores.library,
        source,
        AudioTranscoding(
            TranscodeBounds(
                at_once_max=settings.library_conversions_max,
                whole_max_s=settings.library_conversion_max_s,
            )
        ),
        clock,
        bounds=LibraryBounds(
            archive_files_max=settings.library_archive_files_max,
            archive_bytes_max=settings.library_archive_bytes_max,
            exports_max=settings.library_exports_max,
            convert_length_max_s=settings.library_convert_length_max_s,
        ),
    )


def make_deletion(
    desk: LibraryDesk, stores: Foundation, balance_changed: Callable[[AccountId], None]
) -> LibraryDeletion:
    """Join what people delete and hold recordings with."""
    return LibraryDeletion(desk, stores.recording_life, balance_changed=balance_changed)
