"""Destinations of the kind `webhook`: signed as Standard Webhooks 1.0.0 describes."""

import time
from datetime import datetime

import msgspec
from msgspec import Struct

from signalbox_core.crypto.standard_webhooks import parse_secrets, signed_headers
from signalbox_core.traces import current_context
from signalbox_gateway.notifications.destination import ChannelContext, read_secret
from signalbox_gateway.notifications.guarded_post import parse_post_url
from signalbox_gateway.notifications.notification import Notification


class WebhookDestination(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="webhook"
):
    """`secret_file`: one `whsec_…` secret a line; while a secret is rotated, each of them signs."""

    url: str
    secret_file: str

    @property
    def link_recipient(self) -> None:
        return None

    def check(self, context: ChannelContext) -> None:
        parse_post_url(self.url)
        parse_secrets(read_secret(context, self.secret_file))

    async def send(self, notification: Notification, context: ChannelContext) -> None:
        body = msgspec.json.encode(_payload(notification))
        secrets = parse_secrets(read_secret(context, self.secret_file))
        headers = signed_headers(secrets, notification.id, int(time.time()), body)
        trace = current_context()
        traceparent = {"traceparent": trace.traceparent} if trace is not None else {}
        await context.poster.post(
            self.url, body, {"content-type": "application/json", **headers, **traceparent}
        )


class _WebhookData(Struct, frozen=True, kw_only=True):
    """The data of a webhook; members are only added."""

    tenant: str
    run_id: str
    run_title: str
    approval_id: str
    title: str
    url: str
    deadline_at: datetime | None
    decided_by: str | None
    handed_to: str | None
    subject: str | None
    outcome: str | None


class _WebhookPayload(Struct, frozen=True, kw_only=True):
    type: str
    timestamp: datetime
    data: _WebhookData


def _payload(notification: Notification) -> _WebhookPayload:
    data = _WebhookData(
        tenant=notification.tenant,
        run_id=notification.run_id,
        run_title=notification.run_title,
        approval_id=notification.approval_id,
        title=notification.title,
        url=notification.url,
        deadline_at=notification.deadline_at,
        decided_by=notification.decided_by,
        handed_to=notification.handed_to,
        subject=notification.subject,
        outcome=notification.outcome,
    )
    return _WebhookPayload(type=notification.event, timestamp=notification.at, data=data)
