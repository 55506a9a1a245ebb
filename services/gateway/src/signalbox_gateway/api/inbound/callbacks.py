"""One-time callback URLs: a POST ends the wait of a run. The URL is the only credential."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import Struct
from starlette.responses import Response

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Conflict, NotFound
from signalbox_core.ids import tenant_of
from signalbox_core.pipeline.contract.callback_tokens import open_token
from signalbox_core.pipeline.contract.external_event import (
    CALLBACK_CLOSED,
    MAX_DATA_BYTES,
    UNKNOWN_EVENT,
    Callback,
    InboundEvent,
)
from signalbox_core.pipeline.spec import ExternalEvent, PipelineSpec
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_core.traces import current_context
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.auth.rate_limits import RequestLimiter
from signalbox_gateway.http.error_codes import Unauthenticated
from signalbox_gateway.runs.inbound.external_events import ExternalEvents


class CallbackView(Struct, frozen=True, kw_only=True):
    """The outcome of a callback. `recorded`: it is stored, and no worker has answered yet."""

    status: Literal["received", "recorded"]


class CallbackHandler:
    """The handler of /v1/callbacks/{token}.

    Args:
        keys: None in a gateway without payload keys; every URL is then invalid.
    """

    def __init__(
        self,
        keys: KeyRing | None,
        events: ExternalEvents,
        pipelines: Mapping[str, PipelineSpec],
        limiter: RequestLimiter,
    ) -> None:
        self._keys = keys
        self._events = events
        self._pipelines = pipelines
        self._limiter = limiter

    async def receive(self, call: ApiCall) -> Response:
        """Send the body to the run that waits for it, once."""
        callback = open_token(call.param("token"), self._keys) if self._keys is not None else None
        tenant = tenant_of(callback.workflow_id) if callback is not None else None
        if callback is None or tenant is None:
            raise Unauthenticated(
                "this callback URL is not valid; use it exactly as you received it",
                code="callback_invalid",
            )
        await self._limiter.count(f"callback:{callback.workflow_id}/{callback.wait_id}")
        if datetime.now(UTC) >= callback.expires_at:
            raise Conflict(
                f"this callback expired at {callback.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
                code="callback_expired",
            )
        data = await call.body(self._declared(callback).data, max_bytes=MAX_DATA_BYTES)
        trace = current_context()
        event = InboundEvent(
            name=callback.name,
            event_id=f"callback:{callback.wait_id}",
            data=msgspec.Raw(msgspec.json.encode(data)),
            delivery_id=secrets.token_hex(13),
            wait_id=callback.wait_id,
            traceparent=trace.traceparent if trace is not None else None,
        )
        with bind_payloads_to(tenant):
            is_known = await self._send(callback, event)
        return json_response(
            CallbackView(status="received" if is_known else "recorded"), 200 if is_known else 202
        )

    async def _send(self, callback: Callback, event: InboundEvent) -> bool:
        """Whether a worker has confirmed it. Raises: Conflict: `callback_used` or `callback_closed`."""
        try:
            return await self._events.send_to_run(callback.workflow_id, event) is not None
        except NotFound as error:
            if error.stable_code != "unknown_run":
                raise
            raise Conflict("the run of this callback has ended", code=CALLBACK_CLOSED) from None

    def _declared(self, callback: Callback) -> ExternalEvent[Struct]:
        spec = self._pipelines.get(callback.pipeline)
        event = spec.external_event(callback.name) if spec is not None else None
        if event is None:
            raise NotFound(
                "the pipeline of this callback is not installed here, or its contract has changed",
                code=UNKNOWN_EVENT,
            )
        return event
