"""What the HTTP edge counts, on a registry of its own; shown on the internal port."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpMetrics:
    """Counters of one gateway process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "callgate_http_requests_total",
            "Answers by route and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self.request_s = Histogram(
            "callgate_http_request_seconds",
            "Time to answer, by route.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.deliveries = Counter(
            "callgate_webhook_deliveries_total",
            "Webhook deliveries by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self.inbox_items = Counter(
            "callgate_webhook_items_total",
            "Inner webhook events by whether they were new.",
            ("seen",),
            registry=self.registry,
        )
        self.sockets = Gauge(
            "callgate_event_sockets",
            "Open WebSockets of browsers.",
            registry=self.registry,
        )
        self.sockets_closed = Counter(
            "callgate_event_sockets_closed_total",
            "WebSockets that we closed, by code.",
            ("code",),
            registry=self.registry,
        )
        self.logins = Counter(
            "callgate_logins_total",
            "Attempts to sign in by outcome.",
            ("outcome",),
            registry=self.registry,
        )
