"""What the parts that serve a gateway share."""

from dataclasses import dataclass

from media.captures import Captures
from media.commands import CommandDesk
from media.event_log import EventLog
from media.protocol import Snapshot
from media.recorder import Recorder
from media.settings import WorkerSettings
from media.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The worker as its gateway sees it."""

    settings: WorkerSettings
    worker_id: str
    """The same for every process that serves this socket on this host."""
    boot_id: str
    """Changes with every start of the process."""
    switchboard: Switchboard
    recorder: Recorder | None
    events: EventLog
    desk: CommandDesk

    def snapshot(self) -> Snapshot:
        """Everything that lives, and the number of the last event it already reflects."""
        captures = None if self.recorder is None else self.recorder.captures
        return take_snapshot(self.switchboard, captures, self.events)


def take_snapshot(
    switchboard: Switchboard, captures: Captures | None, events: EventLog
) -> Snapshot:
    """Everything that lives, and the number of the last event it already reflects."""
    recorded, budgets = ((), ()) if captures is None else captures.snapshot()
    return Snapshot(
        last_seq=events.last_seq,
        legs=switchboard.snapshot(),
        captures=recorded,
        budgets=budgets,
    )
