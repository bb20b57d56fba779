"""Everything outside that the runtime acts on, in one bundle; `app.py` fills it."""

from dataclasses import dataclass, field

from gateway.core.call.call import CallTiming
from gateway.core.ids import NodeId
from gateway.core.recording.outlook import Patience
from gateway.ports.accounts import Directory
from gateway.ports.announcements import Announcements
from gateway.ports.calls import CallStore, TombstoneStore
from gateway.ports.case_books import CaseBooks
from gateway.ports.cases import Cases, FileWork, Transcripts
from gateway.ports.clock import Clock, NewId
from gateway.ports.jobs import Jobs
from gateway.ports.live import LiveBus, Presence
from gateway.ports.media import MediaEngine
from gateway.ports.official import MediaFiles
from gateway.ports.quota import BudgetLine, Minutes
from gateway.ports.recordings import Assembler, RecordingStore
from gateway.ports.webhooks import Inbox, ReadWebhook
from gateway.ports.whatsapp import WhatsAppApi
from gateway.ports.wishes import Wishes
from gateway.runtime.quota_keeper_budget import KeeperBounds


@dataclass(frozen=True, slots=True)
class Official:
    """What official recordings need."""

    wishes: Wishes
    announcements: Announcements
    cases: Cases
    books: CaseBooks
    jobs: Jobs
    transcripts: Transcripts
    media: MediaFiles
    files: FileWork


@dataclass(frozen=True, slots=True)
class World:
    """The ports. Opened and closed by whoever made them."""

    calls: CallStore
    tombstones: TombstoneStore
    inbox: Inbox
    read_webhook: ReadWebhook
    directory: Directory
    presence: Presence
    bus: LiveBus
    media: MediaEngine
    minutes: Minutes
    budgets: BudgetLine
    """Of the media worker."""
    recordings: RecordingStore
    assembler: Assembler
    whatsapp: WhatsAppApi
    clock: Clock
    new_id: NewId
    official: Official | None = None
    """None: Meta is asked for no recording."""


@dataclass(frozen=True, slots=True)
class NodeLife:
    """This start of this node. `epoch` is higher than that of every start before."""

    node_id: NodeId
    epoch: int


@dataclass(frozen=True, slots=True)
class RuntimeLimits:
    """Bounds of the runtime. Durations in seconds."""

    store_patience_s: float = 2.0
    """How long a call waits for the store before it goes on without."""
    store_retry_max_s: float = 1.0
    backlog_max: int = 100
    """Steps of one call that may wait for the store."""
    mailbox_max: int = 256
    """Events that may wait for one call; more is a fault of ours and ends it."""
    worker_wait_s: float = 10.0
    """How long a start waits for the media worker before it looks after its calls."""
    inbox_poll_s: float = 1.0
    inbox_rows_max: int = 200
    """Webhook events in hand at once."""
    inbox_tries_max: int = 6
    """Tries of one webhook event, with doubling pauses from half a second."""
    trace_lines_max: int = 20_000
    """Trace lines that may wait for the store."""
    trace_flush_s: float = 0.5
    agent_legs_max: int = 4
    """Legs of one agent (tabs, devices); the oldest unused one makes room."""
    presence_poll_s: float = 1.0
    """How often presence is looked at while something rings."""
    quality_s: float = 5.0
    """Between two pieces of news about one call's quality."""
    assemblies_max: int = 2
    """Recordings made at once, each in a process of its own."""


@dataclass(frozen=True, slots=True)
class JobBounds:
    """Bounds of the jobs; durations in seconds."""

    at_once_max: int = 4
    poll_s: float = 5.0
    lease_s: float = 120.0
    """A node that dies gives its jobs to others after so long."""
    outage_pause_max_s: float = 300.0
    """While nobody answers, one job asks at least so often whether that has changed."""


@dataclass(frozen=True, slots=True)
class AlarmBounds:
    """When people are told that recordings may be lost."""

    every_s: float = 300.0
    """Between two looks, seconds."""
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """What the operator may set."""

    timing: CallTiming = field(default_factory=CallTiming)
    limits: RuntimeLimits = field(default_factory=RuntimeLimits)
    keeper: KeeperBounds = field(default_factory=KeeperBounds)
    jobs: JobBounds = field(default_factory=JobBounds)
    alarm: AlarmBounds = field(default_factory=AlarmBounds)
