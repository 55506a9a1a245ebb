"""Standard Webhooks of other companies' systems, whose signature is the credential."""

import logging
import time
from typing import Final, Literal

from msgspec import Struct
from starlette.responses import Response

from signalbox_core.crypto.standard_webhooks import verify
from signalbox_core.errors import InvalidSignature, NotFound, Rejected, Unavailable
from signalbox_core.logs import add_log_fields
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.auth.rate_limits import RequestLimiter
from signalbox_gateway.http.metrics import InboundMetrics
from signalbox_gateway.http.request_body import check_json_members, read_json_body
from signalbox_gateway.runs.inbound.event_delivery import InboundDelivery
from signalbox_gateway.runs.inbound.webhooks import Webhook, Webhooks

log = logging.getLogger(__name__)
MAX_WEBHOOK_BYTES: Final = 256 * 1024


class WebhookView(Struct, frozen=True, kw_only=True):
    """What became of a webhook.

    `received`: it is stored, now or by an earlier request. `recorded`: it is stored, and takes effect when a
    worker or Temporal is available again. `ignored`: it has a type that is not configured.
    """

    status: Literal["received", "recorded", "ignored"]


class WebhookHandler:
    """The handler of /v1/webhooks/{name}.

    Args:
        webhooks: None in a gateway that receives none.
    """

    def __init__(
        self,
        webhooks: FollowedFile[Webhooks] | None,
        delivery: InboundDelivery,
        limiter: RequestLimiter,
        metrics: InboundMetrics,
    ) -> None:
        self._webhooks = webhooks
        self._delivery = delivery
        self._limiter = limiter
        self._count = metrics.count_webhook

    async def receive(self, call: ApiCall) -> Response:
        """Verify the webhook and deliver its event."""
        webhooks = self._webhooks.current() if self._webhooks is not None else None
        webhook = webhooks.by_name.get(call.param("name")) if webhooks is not None else None
        if webhooks is None or webhook is None:
            await self._limiter.count_failure(call.request)
            raise NotFound("no webhook of this name is configured", code="unknown_webhook")
        body = await read_json_body(call.request, MAX_WEBHOOK_BYTES)
        message_id = await self._verify(call, webhook, self._secrets(webhooks, webhook), body)
        add_log_fields(tenant=webhook.tenant, principal=webhook.principal.key_id, webhook_id=message_id)
        await self._limiter.count(webhook.principal.key_id)
        view = await self._deliver(webhook, body, message_id)
        return json_response(view, 202 if view.status == "recorded" else 200)

    def _secrets(self, webhooks: Webhooks, webhook: Webhook) -> list[bytes]:
        try:
            return webhooks.secrets_of(webhook)
        except Unavailable as error:
            self._count(webhook.name, "retried")
            log.error(
                "secret file of a webhook unreadable", extra={"webhook": webhook.name, "error": error.detail}
            )
            raise

    async def _verify(self, call: ApiCall, webhook: Webhook, secrets: list[bytes], body: bytes) -> str:
        headers = call.request.headers
        try:
            return verify(secrets, headers, body, time.time(), tolerance=webhook.tolerance)
        except InvalidSignature as error:
            self._count(webhook.name, "unverified")
            log.warning("webhook not verified", extra={"webhook": webhook.name, "code": error.stable_code})
            await self._limiter.count_failure(call.request)
            raise

    async def _deliver(self, webhook: Webhook, body: bytes, message_id: str) -> WebhookView:
        try:
            await check_json_members(body)
            view = await self._send(webhook, body, message_id)
        except Rejected as error:
            self._count(webhook.name, "refused")
            log.error(
                "event of a webhook refused",
                extra={"webhook": webhook.name, "code": error.stable_code, "error": error.detail},
            )
            raise
        except Unavailable:
            self._count(webhook.name, "retried")
            raise
        self._count(webhook.name, "ignored" if view.status == "ignored" else "delivered")
        return view

    async def _send(self, webhook: Webhook, body: bytes, message_id: str) -> WebhookView:
        found = webhook.read(body, message_id)
        if found is None:
            return WebhookView(status="ignored")
        event, run_id = found
        add_log_fields(event_id=event.event_id)
        with bind_payloads_to(webhook.tenant):
            delivered = await self._delivery.deliver(event, run_id, webhook.principal)
        is_known = all(item.status != "recorded" for item in delivered)
        return WebhookView(status="received" if is_known else "recorded")
