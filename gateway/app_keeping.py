"""What keeps recordings for their time, as the settings want it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.adapters.aes_sealing import AesSealing
from gateway.adapters.capture_assembly import AssemblyPlaces, CaptureAssembly
from gateway.adapters.folder_storage import FolderStorage
from gateway.adapters.object_store import ObjectStorage, ObjectStoreAccess, parse_url
from gateway.foundation import Foundation
from gateway.ports.clock import Clock
from gateway.ports.jobs import JobKind
from gateway.ports.storage import FileCounts, Storage
from gateway.runtime.job_runner import JobRunner
from gateway.runtime.recording_figures import KeepingFigures
from gateway.runtime.recording_scrub import RecordingScrub
from gateway.runtime.recording_storing import (
    StoreOrders,
    StoreRounds,
    StoreWork,
    StoringBounds,
)
from gateway.runtime.recording_upkeep import ByteSweep, Recheck
from gateway.runtime.recording_vault import Places, RecordingVault
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import JobBounds
from gateway.settings import Settings

_chance = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Keeping:
    """The parts that share the storages of this node.

    In the server `keep_going` must be called; a command uses single parts.
    """

    places: Places
    vault: RecordingVault
    scrub: RecordingScrub
    orders: StoreOrders
    work: StoreWork
    sweep: ByteSweep
    recheck: Recheck
    figures: KeepingFigures
    count_files: Callable[[], Awaitable[FileCounts]]
    """How it stands with files now. Raises `StoreDown`."""

    def keep_going(
        self, settings: Settings, stores: Foundation, clock: Clock, tasks: Tasks
    ) -> None:
        """Move files where they belong and remove what is due, until `tasks` close."""
        runner = JobRunner(
            stores.jobs,
            {JobKind.STORE: self.work},
            clock=clock,
            tasks=tasks,
            chance=_chance.random,
            bounds=JobBounds(at_once_max=settings.storage_moves_max),
        )
        rounds = StoreRounds(self.orders, self.sweep, clock, wake=runner.wake)
        tasks.keep_running(runner.run, name="moves of recordings")
        tasks.keep_running(rounds.run, name="files of recordings")


def open_storage(settings: Settings) -> Storage | None:
    """Return the object store, if there is one. Raises `BadInput`."""
    if settings.storage_url is None:
        return None
    bucket, prefix = parse_url(settings.storage_url)
    return ObjectStorage(
        ObjectStoreAccess(
            bucket=bucket,
            prefix=prefix,
            endpoint=settings.storage_endpoint,
            region=settings.storage_region,
            access_key_id=settings.storage_access_key_id,
            secret_access_key=settings.storage_secret_access_key,
            request_max_s=settings.storage_request_max_s,
            retries_max=settings.storage_retries_max,
        )
    )


def open_keeping(settings: Settings, stores: Foundation, clock: Clock) -> Keeping:
    """Join the parts. Raises `BadInput` for a store that cannot be used."""
    folder = settings.recordings_path
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    places = Places(stores.node_id, FolderStorage(folder), open_storage(settings))
    sealing, figures = AesSealing(), KeepingFigures()
    vault = RecordingVault(stores.stored_files, stores.data_keys, sealing, places, folder)
    bounds = StoringBounds(settings.storage_after_s, settings.storage_jobs_max)
    scrub = RecordingScrub(
        stores.stored_files,
        places,
        vault,
        recordings=stores.recordings,
        assembler=CaptureAssembly(AssemblyPlaces(settings.captures_path, folder)),
        clock=clock,
        figures=figures,
    )

    async def count_files() -> FileCounts:
        return await stores.file_counter.count(
            made_before=clock.wall() - bounds.after_s, has_store=places.store is not None
        )

    return Keeping(
        places=places,
        vault=vault,
        scrub=scrub,
        orders=StoreOrders(
            stores.stored_files, stores.jobs, bounds, has_store=places.store is not None
        ),
        work=StoreWork(
            stores.stored_files,
            stores.data_keys,
            sealing,
            places,
            vault,
            life=stores.recording_life,
            clock=clock,
            scratch=folder,
            figures=figures,
        ),
        sweep=ByteSweep(stores.stored_files, places, figures),
        recheck=Recheck(
            scrub, every_s=settings.storage_check_every_s, files_max=settings.storage_checks_max
        ),
        figures=figures,
        count_files=count_files,
    )
