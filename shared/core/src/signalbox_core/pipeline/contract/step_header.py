"""The header that passes the current step from the workflow side to an activity."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

import msgspec
from msgspec import Struct
from temporalio.api.common.v1 import Payload

from signalbox_core.pipeline.contract.approved_effect import EffectApproval
from signalbox_core.temporal.names import HEADER_CALL


class StepCall(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One activity call.

    Attributes:
        run_id: of a plain workflow; by default that of the workflow id.
        index: position of the item when the call is part of a `step.map`.
        total: number of items when the call is part of a `step.map`; else 0.
        auto_heartbeat: the call sets no heartbeat timeout, so the worker sends the heartbeats.
        approval: the decision that the call carries out, and what it may use.
        traceparent: the trace context of the workflow. Not in a header of its own, which would be encrypted
            and stored apart.
    """

    tenant: str
    step: str | None = None
    attempt: int = 1
    index: int = 0
    total: int = 0
    auto_heartbeat: bool = False
    approval: EffectApproval | None = None
    run_id: str | None = None
    traceparent: str | None = None


current_call: Final[ContextVar[StepCall | None]] = ContextVar("signalbox_call", default=None)
"""In workflow code: the step on whose behalf activities are started."""

_decoder: Final = msgspec.json.Decoder(StepCall)


def to_payload(value: Struct) -> Payload:
    """Encode a header value; Temporal applies no payload converter to headers."""
    return Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(value))


def read_step_call(headers: Mapping[str, Payload]) -> StepCall | None:
    """Read the step call from an activity's headers; None when no Signalbox workflow started it."""
    payload = headers.get(HEADER_CALL)
    return _decoder.decode(payload.data) if payload is not None else None
