"""Destinations of the kind `webhook`: signed as Standard Webhooks 1.0.0 describes."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.traces import current_context
from signalbox_gateway.notifications.destination import ChannelContext, read_secret
from signalbox_gateway.notifications.guarded_post import parse_post_url
from signalbox_gateway.notifications.notification import Notification

_PREFIX: Final = "whsec_"
_MIN_BYTES: Final = 24


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
    )
    return _WebhookPayload(type=notification.event, timestamp=notification.at, data=data)


def signed_headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a signed webhook, with a signature of each secret.

    Args:
        message_id: the same for every attempt.
        timestamp: of this attempt, in seconds since the epoch.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode() for secret in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def parse_secrets(text: str) -> list[bytes]:
    """Parse the secrets of a file, one a line.

    Raises:
        InvalidInput: a line is not `whsec_` and the base64 of at least 24 bytes.
    """
    try:
        secrets = [
            base64.b64decode(line.strip().removeprefix(_PREFIX), validate=True) for line in text.splitlines()
        ]
    except binascii.Error:
        secrets = []
    if not secrets or any(len(secret) < _MIN_BYTES for secret in secrets):
        raise InvalidInput(f"a secret is {_PREFIX} and the base64 of {_MIN_BYTES} random bytes or more")
    return secrets
