"""The route of webhooks of other companies' systems."""

from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.inbound.webhooks import WebhookHandler, WebhookView
from signalbox_gateway.api.routes.replies import INVALID_BODY, problem


def webhook_routes(webhooks: WebhookHandler) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/webhooks/{name}",
            name="receive_webhook",
            summary="Receive an external event as a Standard Webhook; idempotent by `webhook-id`",
            role=None,
            handle=webhooks.receive,
            body_media_type="application/json",
            replies=(
                Reply(200, "Stored, a duplicate, or of a type that is ignored", WebhookView),
                Reply(
                    202,
                    "Stored; no worker responded or Temporal is unavailable, so it takes effect later",
                    WebhookView,
                ),
                problem(401, "The signature is missing, wrong, or too old or new"),
                problem(404, "The webhook or the run does not exist, or no pipeline declares the event"),
                problem(409, "The run has ended, or too many events are waiting"),
                *INVALID_BODY,
                problem(429, "The sender exceeds its rate limit"),
                problem(503, "Temporal is unavailable; the event is not stored"),
            ),
        ),
    )
