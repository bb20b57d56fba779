"""What the parts that serve a gateway share."""

from dataclasses import dataclass

from media.commands import CommandDesk
from media.event_log import EventLog
from media.protocol import Snapshot
from media.settings import WorkerSettings
from media.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The worker as its gateway sees it."""

    settings: WorkerSettings
    worker_id: str
    boot_id: str
    """Changes with every start of the process."""
    switchboard: Switchboard
    events: EventLog
    desk: CommandDesk

    def snapshot(self) -> Snapshot:
        """All legs, and the number of the last event they already reflect."""
        return take_snapshot(self.switchboard, self.events)


def take_snapshot(switchboard: Switchboard, events: EventLog) -> Snapshot:
    """All legs, and the number of the last event they already reflect."""
    return Snapshot(last_seq=events.last_seq, legs=switchboard.snapshot())
