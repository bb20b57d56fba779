"""What packs the evidence of calls, as the settings want it."""

from gateway.foundation import Foundation
from gateway.ports.clock import Clock
from gateway.ports.storage import Contents
from gateway.runtime.evidence_desk import EvidenceDesk, EvidenceSources
from gateway.settings import Settings


def make_evidence_desk(
    settings: Settings, stores: Foundation, contents: Contents, clock: Clock
) -> EvidenceDesk:
    """Join the parts; `contents` gives the files of recordings."""
    sources = EvidenceSources(
        book=stores.evidence,
        calls=stores.calls,
        cases=stores.cases,
        contents=contents,
        directory=stores.directory,
        files=stores.stored_files,
        transcripts=stores.transcripts,
    )
    return EvidenceDesk(sources, clock, at_once_max=settings.evidence_packages_max)
