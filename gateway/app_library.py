"""The library of recordings, as the settings want it."""

from collections.abc import Callable

from gateway.adapters.audio_transcoding import AudioTranscoding, TranscodeBounds
from gateway.adapters.sql_subjects import SqlSubjects
from gateway.core.ids import AccountId
from gateway.foundation import Foundation
from gateway.ports.clock import Clock
from gateway.runtime.library_deletion import LibraryDeletion
from gateway.runtime.library_desk import LibraryBounds, LibraryDesk, RecordingSource
from gateway.runtime.subject_erasure import SubjectErasure
from gateway.runtime.subject_export import SubjectExport, SubjectSources
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
        bounds=library_bounds(settings),
    )


def library_bounds(settings: Settings) -> LibraryBounds:
    """Return what looking after recordings may take of this node."""
    return LibraryBounds(
        archive_files_max=settings.library_archive_files_max,
        archive_bytes_max=settings.library_archive_bytes_max,
        exports_max=settings.library_exports_max,
        convert_length_max_s=settings.library_convert_length_max_s,
    )


def make_deletion(
    desk: LibraryDesk, stores: Foundation, balance_changed: Callable[[AccountId], None]
) -> LibraryDeletion:
    """Join what people delete and hold recordings with."""
    return LibraryDeletion(desk, stores.recording_life, balance_changed=balance_changed)


def make_subject_export(
    settings: Settings, stores: Foundation, source: RecordingSource, clock: Clock
) -> SubjectExport:
    """Join what gathers everything of a customer."""
    sources = SubjectSources(
        subjects=SqlSubjects(stores.database),
        library=stores.library,
        files=stores.stored_files,
        contents=source,
        transcripts=stores.transcripts,
    )
    return SubjectExport(sources, clock.wall, bounds=library_bounds(settings))


def make_subject_erasure(
    stores: Foundation, balance_changed: Callable[[AccountId], None]
) -> SubjectErasure:
    """Join what forgets a customer."""
    return SubjectErasure(
        SqlSubjects(stores.database),
        stores.recording_life,
        stores.audit,
        balance_changed=balance_changed,
    )
