"""Every knob of the gateway in one model: `CALLGATE_*`, `*_FILE` secrets, a TOML file."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from typing_extensions import override

from gateway.core.errors import BadInput
from gateway.ports import Json
from gateway.settings_sources import (
    ENV_PREFIX,
    of_secret_files,
    of_toml_file,
    refuse_unknown_variables,
    secret_names,
)
from gateway.settings_storage import StorageSettings
from gateway.settings_types import (
    Addresses,
    BaseUrl,
    Hosts,
    IceServer,
    Networks,
    Origins,
    PortRange,
)

KIB = 1024
REDACTED = "**********"
Port = int


class Settings(StorageSettings, BaseSettings):
    """All settings, checked. Built by `load`, once, at the root."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    http_host: str = "127.0.0.1"
    """Address to listen on for browsers and Meta's webhooks."""
    http_port: Port = Field(8080, ge=0, le=65535)
    """Port for browsers and webhooks; 0 lets the system choose."""
    internal_host: str = "127.0.0.1"
    """Address of the metrics."""
    internal_port: Port = Field(0, ge=0, le=65535)
    """Port of the metrics for Prometheus (`/metrics`); 0 switches them off."""
    tls_cert: Path | None = None
    """Certificate chain (PEM) to serve HTTPS with; needs `tls_key`."""
    tls_key: Path | None = None
    """Private key (PEM) of `tls_cert`."""
    trusted_proxies: Networks = ()
    """Networks of reverse proxies whose `X-Forwarded-For` and `-Proto` are believed."""
    public_origins: Origins = ()
    """Origins at which browsers reach the web app, for example https://calls.example.com.
    The request's own origin is always accepted."""
    http_body_bytes_max: PositiveInt = 256 * KIB
    """Largest body of an API request."""
    webhook_body_bytes_max: PositiveInt = 4096 * KIB
    """Largest body of a webhook; Meta sends up to 3 MB."""
    browser_events_max: PositiveInt = 1000
    """News that may wait for a slow browser before it is disconnected."""
    browser_silent_max_s: PositiveFloat = 15.0
    """A browser that says nothing for so long counts as gone."""
    shutdown_grace_s: PositiveFloat = 10.0
    """How long requests under way may take when the gateway stops."""

    data_dir: Path = Path("~/.local/share/callgate")
    """Directory for everything kept on this machine."""
    database_url: SecretStr | None = None
    """`postgresql://user:password@host/name` or `sqlite:////path`; default: SQLite in
    `data_dir`."""
    database_connections_max: PositiveInt = 10
    """Open connections to the database per gateway."""
    database_connect_max_s: PositiveFloat = 3.0
    """Waiting for a connection to the database."""
    database_statement_max_s: PositiveFloat = 5.0
    """One statement, or waiting for another's lock."""
    database_operation_max_s: PositiveFloat = 10.0
    """One transaction in all."""
    redis_url: SecretStr | None = None
    """`redis://…`, `rediss://…` or `unix://…`; default: a Valkey server that the gateway
    starts and watches itself."""
    redis_timeout_s: PositiveFloat = 1.0
    """One command to Redis; nothing in a call waits for it."""
    secret_key: SecretStr | None = None
    """Keys that seal access tokens in the database: `id:base64[,id:base64…]`, 32 bytes each,
    the first one current. Default: a key made at the first start in `data_dir`/secret.key."""
    inbox_waiting_max: PositiveInt = 100_000
    """Unworked webhook events; more are refused, and Meta delivers them again later."""
    inbox_kept_s: PositiveFloat = 9 * 24 * 3600.0
    """How long worked webhook events are kept, to know a redelivery; Meta repeats for 7
    days."""
    trace_kept_s: PositiveFloat = 90 * 24 * 3600.0
    """How long the traces of calls are kept."""
    audit_kept_s: PositiveFloat = 730 * 24 * 3600.0
    """How long the audit is kept: who did what."""
    evidence_packages_max: PositiveInt = 2
    """Packages of evidence that are made at the same time; more wait for their turn."""
    purge_every_s: PositiveFloat = 3600.0
    """Between two clean-ups of worked webhook events, traces, ended sessions and the like."""

    whatsapp_graph_url: BaseUrl = "https://graph.facebook.com"
    """Base URL of Meta's Graph API."""
    whatsapp_graph_version: str = Field("v25.0", pattern=r"^v\d{1,3}\.\d{1,2}$")
    """Version of the Graph API."""
    whatsapp_app_secret: SecretStr | None = None
    """App secret that signs Meta's webhooks. Needed to serve."""
    whatsapp_app_secret_old: SecretStr | None = None
    """The app secret before it was changed; accepted too while it is set."""
    whatsapp_verify_token: SecretStr | None = None
    """Token that Meta's webhook verification must bring. Needed to serve."""
    whatsapp_media_hosts: Hosts = ("lookaside.fbsbx.com", "graph.facebook.com")
    """Hosts that media may be fetched from with an access token."""
    whatsapp_actpass_role: Literal["client", "server"] = "client"
    """Our DTLS role when Meta's answer leaves it open (`setup:actpass`)."""
    graph_connect_max_s: PositiveFloat = 3.0
    """Connecting to the Graph API."""
    graph_start_call_max_s: PositiveFloat = 10.0
    """The request that starts a call; it is never repeated."""
    graph_action_max_s: PositiveFloat = 5.0
    """Each other request."""
    graph_answer_tries_max: PositiveInt = 2
    """Sendings of pre_accept and accept."""
    graph_end_tries_max: PositiveInt = 5
    """Sendings of reject and terminate."""
    graph_backoff_first_s: PositiveFloat = 0.25
    """First pause before a repetition; later ones grow."""
    graph_backoff_max_s: PositiveFloat = 4.0
    """Longest pause before a repetition."""
    graph_retry_after_max_s: PositiveFloat = 5.0
    """Longest `Retry-After` that is waited for."""
    graph_breaker_failures_max: PositiveInt = 5
    """Failures in a row after which a number's requests pause."""
    graph_breaker_pause_s: PositiveFloat = 15.0
    """How long they pause."""

    media_bind: Addresses = ()
    """Addresses to bind media sockets to; default: all of this host but loopback."""
    media_public_addresses: Addresses = ()
    """Addresses at which the internet reaches this host's media (one-to-one NAT)."""
    media_port_range: PortRange = ""
    """UDP ports for media, LOW-HIGH; default: the system chooses."""
    media_start_worker: bool = True
    """Start a media worker where none answers; off if `callgate media` runs on its own."""
    media_alone_max_s: PositiveFloat = 120.0
    """A media worker that no gateway has spoken to for so long closes its calls and exits."""
    ice_servers: tuple[IceServer, ...] = ()
    """STUN and TURN servers for browsers, a JSON list of
    `{"urls": […], "username": "…", "credential": "…"}`. Rarely needed: the gateway itself is
    reachable."""

    ring_inbound_max_s: PositiveFloat = 30.0
    """How long agents are rung for an incoming call; Meta gives up after 30 to 60 s."""
    ring_outbound_max_s: PositiveFloat = 45.0
    """How long a WhatsApp user is rung."""
    connect_age_max_s: PositiveFloat = 60.0
    """An incoming call announced later than this after its start never rings."""
    claim_max_s: PositiveFloat = 2.0
    """How long an agent's leg may take to be heard after the agent answered; then the call
    is offered to others."""
    leg_connect_max_s: PositiveFloat = 8.0
    """How long ICE and DTLS of a leg may take."""
    reattach_max_s: PositiveFloat = 45.0
    """How long a call waits for an agent who lost the connection."""

    quota_plans: Path | None = None
    """TOML file with packages, free minutes and add-ons; default: the list that comes with
    the program (`callgate quota packages` prints it)."""
    quota_lease_s: PositiveInt = 15
    """Recording time that a media worker takes at once for each capture."""
    quota_hold_s: PositiveInt = 1
    """Recording time kept for a call before its recording is announced."""
    quota_min_free_to_record_s: PositiveInt = 10
    """With less than this left no recording is announced."""
    quota_store_patience_s: PositiveFloat = Field(4.0, lt=5.0)
    """How long a capture waits for the database before it stops; packets wait for 5 s."""
    quota_hold_age_max_s: PositiveFloat = 900.0
    """A hold that no call came back for is released after so long."""
    quota_rotate_max: PositiveInt = 20
    """Old recordings deleted at once to make room for a new one, where an account may."""

    announcement_max_s: float = Field(60.0, ge=1.0, le=300.0)
    """How long an account's own announcement may be."""
    announcement_bytes_max: PositiveInt = 10 * 1024 * KIB
    """Largest sound file that is taken as an announcement."""

    official_fetches_max: PositiveInt = 4
    """Recordings and transcripts of Meta's that are fetched at the same time."""
    official_file_bytes_max: PositiveInt = 256 * 1024 * KIB
    """Largest file that is fetched from Meta."""
    official_fetch_max_s: PositiveFloat = 600.0
    """How long fetching one of them may take."""
    official_risk_after_s: PositiveFloat = Field(24 * 3600.0, lt=7 * 24 * 3600.0)
    """Supervisors are told of a file that could not be fetched so long after Meta told of it;
    Meta keeps it for 7 days."""
    official_stuck_after_s: PositiveFloat = 3600.0
    """And of a call whose recordings are not compared so long after they should have been."""
    official_lost_shown_s: PositiveFloat = 7 * 24 * 3600.0
    """For so long a lost recording is shown and counted as one."""
    official_alarm_every_s: PositiveFloat = 300.0
    """Between two looks at what is at risk."""

    library_archive_files_max: int = Field(500, ge=1, le=1_000)
    """Most recordings in one download."""
    library_archive_bytes_max: PositiveInt = 2048 * 1024 * KIB
    """Most bytes in one download of several recordings."""
    library_exports_max: PositiveInt = 2
    """Downloads of several recordings, and lists as CSV, that are sent at the same time."""
    library_conversions_max: PositiveInt = 2
    """Recordings converted to WAV or MP3 at the same time, each in a process of its own."""
    library_convert_length_max_s: float = Field(4 * 3600.0, gt=0, le=6 * 3600.0)
    """Longest recording that is converted."""
    library_conversion_max_s: PositiveFloat = 1_800.0
    """How long converting one may take, its sending included."""
    library_stall_max_s: PositiveFloat = 60.0
    """Whoever takes nothing of what is sent for so long is left."""

    session_idle_max_s: PositiveFloat = 30 * 60.0
    """A browser unused for so long is signed out, never in mid-call."""
    session_age_max_s: PositiveFloat = 12 * 3600.0
    """A browser is signed out so long after signing in, never in mid-call."""
    login_window_s: PositiveFloat = 15 * 60.0
    """Window in which wrong passwords are counted."""
    login_tries_max: PositiveInt = 10
    """Wrong passwords for one e-mail in the window."""
    login_network_tries_max: PositiveInt = 50
    """Wrong passwords from one network (IPv4 /24, IPv6 /56) in the window."""
    api_tokens_max: PositiveInt = 50
    """API tokens that an account may have at a time."""
    api_token_age_max_s: PositiveFloat = 730 * 24 * 3600.0
    """The longest that an API token lasts."""
    api_token_requests_max: PositiveInt = 600
    """Requests with one API token in a minute, at each gateway."""
    argon2_memory_kib: int = Field(64 * KIB, ge=8)
    """Memory that hashing one password takes."""
    argon2_passes: PositiveInt = 3
    """Passes over that memory."""
    argon2_lanes: PositiveInt = 4
    """Lanes of that memory."""
    argon2_at_once_max: PositiveInt = 2
    """Passwords hashed at the same time."""
    argon2_waiting_max: PositiveInt = 50
    """Log-ins that may wait for their turn."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important lines to log."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto`: for people on a terminal, JSON otherwise."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key are given both or neither")
        url = self.redis_url.get_secret_value() if self.redis_url is not None else None
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("redis_url must begin with redis://, rediss:// or unix://")
        return self

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line, the environment, `*_FILE` secrets, the TOML file; in this order."""
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=of_secret_files(settings_cls)),
            InitSettingsSource(settings_cls, init_kwargs=of_toml_file(settings_cls)),
        )

    @property
    def data_path(self) -> Path:
        """`data_dir` with `~` opened up, absolute."""
        return self.data_dir.expanduser().absolute()

    @property
    def effective_database_url(self) -> SecretStr:
        """Where the database is."""
        return self.database_url or SecretStr(f"sqlite:///{self.data_path / 'callgate.db'}")

    @property
    def media_socket(self) -> Path:
        """Where the media worker listens."""
        return self.data_path / "media" / "worker.sock"

    @property
    def captures_path(self) -> Path:
        """Where the media worker writes what it captures."""
        return self.data_path / "media" / "captures"

    @property
    def recordings_path(self) -> Path:
        """Where recordings are kept."""
        return self.data_path / "recordings"

    @property
    def media_ports(self) -> tuple[int, int]:
        """First and last UDP port for media; zeros let the system choose."""
        low, _, high = self.media_port_range.partition("-")
        return (int(low), int(high)) if low else (0, 0)

    def ice_servers_for_browsers(self) -> tuple[dict[str, Json], ...]:
        """Return the ICE servers as RTCPeerConnection takes them, credentials included."""
        return tuple(server.for_browsers() for server in self.ice_servers)

    @property
    def redis_directory(self) -> Path:
        """Where the Valkey server of our own lives."""
        return self.data_path / "valkey"

    def missing_to_serve(self) -> tuple[str, ...]:
        """Name the settings without which calls cannot be served."""
        needed = ("whatsapp_app_secret", "whatsapp_verify_token")
        return tuple(name for name in needed if getattr(self, name) is None)


def load(**overrides: object) -> Settings:
    """Return the settings in force; `overrides` (the command line's) beat all sources.

    Raises `BadInput` that names every fault in words fit for the operator, without values.
    """
    refuse_unknown_variables(Settings)
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # checked by the model
    except ValidationError as error:
        faults = [_fault(each["loc"], each["msg"]) for each in error.errors()]
        raise BadInput("; ".join(faults)) from None
    except SettingsError as error:
        # Raised for a list that is no JSON; the message names the field, not the value.
        raise BadInput(f"the settings cannot be read: {error}") from None


def _fault(place: tuple[int | str, ...], message: str) -> str:
    """Put one fault in words: the variable and what is wrong, never the value."""
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    return f"{ENV_PREFIX}{'.'.join(str(part) for part in place).upper()}: {message}"


def redacted(settings: Settings) -> dict[str, Any]:
    """Return all settings fit to be shown: secrets are stars, unset ones None."""
    shown = settings.model_dump(mode="json")
    for name in secret_names(Settings):
        if shown[name] is not None:
            shown[name] = REDACTED
    return shown
