"""The library of recordings, as the settings want it."""

from collections.abc import Callable
from functools import partial

from gateway.adapters.audio_transcoding import AudioTranscoding, TranscodeBounds
from gateway.adapters.folder_storage import FolderStorage
from gateway.adapters.sql_recording_life import SqlRecordingLife
from gateway.core.ids import AccountId
from gateway.foundation import Foundation
from gateway.ports.clock import Clock
from gateway.runtime.library_deletion import LibraryDeletion
from gateway.runtime.library_desk import LibraryBounds, LibraryDesk
from gateway.runtime.library_files import open_plain
from gateway.settings import Settings


def make_library(settings: Settings, stores: Foundation, clock: Clock) -> LibraryDesk:
    """Join what people look through recordings with."""
    return LibraryDesk(
        stores.library,
        partial(open_plain, FolderStorage(settings.recordings_path)),
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
    return LibraryDeletion(
        desk, SqlRecordingLife(stores.database), balance_changed=balance_changed
    )
