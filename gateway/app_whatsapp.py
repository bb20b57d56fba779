"""The way to Meta as the settings want it, and the secrets of the way back."""

from contextlib import AsyncExitStack

from gateway.adapters.system_clock import SystemClock
from gateway.adapters.whatsapp_api import RetryPolicy, WhatsAppCalls
from gateway.adapters.whatsapp_breaker import GraphBreaker
from gateway.adapters.whatsapp_graph import GraphClient, GraphTimeouts
from gateway.http.webhook_signature import WebhookSecrets
from gateway.ports.whatsapp import OnGraphRequest
from gateway.settings import Settings


async def open_whatsapp(
    stack: AsyncExitStack, settings: Settings, clock: SystemClock, on_request: OnGraphRequest
) -> WhatsAppCalls:
    """Open the Graph API while `stack` is; `on_request` is told of every request."""
    graph = await stack.enter_async_context(
        GraphClient(
            base_url=settings.whatsapp_graph_url,
            version=settings.whatsapp_graph_version,
            clock=clock,
            on_request=on_request,
            timeouts=GraphTimeouts(
                connect_s=settings.graph_connect_max_s,
                start_call_s=settings.graph_start_call_max_s,
                action_s=settings.graph_action_max_s,
            ),
        )
    )
    return WhatsAppCalls(
        graph,
        clock=clock,
        retries=RetryPolicy(
            answer_tries_max=settings.graph_answer_tries_max,
            end_tries_max=settings.graph_end_tries_max,
            backoff_first_s=settings.graph_backoff_first_s,
            backoff_max_s=settings.graph_backoff_max_s,
            retry_after_max_s=settings.graph_retry_after_max_s,
        ),
        breaker=GraphBreaker(
            failures_max=settings.graph_breaker_failures_max,
            pause_s=settings.graph_breaker_pause_s,
        ),
    )


def webhook_secrets(settings: Settings) -> WebhookSecrets:
    """Return what webhooks are verified with; the settings must be complete."""
    assert settings.whatsapp_app_secret is not None
    assert settings.whatsapp_verify_token is not None
    secrets = [settings.whatsapp_app_secret.get_secret_value()]
    if settings.whatsapp_app_secret_old is not None:
        secrets.append(settings.whatsapp_app_secret_old.get_secret_value())
    return WebhookSecrets(
        app_secrets=secrets, verify_token=settings.whatsapp_verify_token.get_secret_value()
    )
