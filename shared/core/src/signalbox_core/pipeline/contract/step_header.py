"""What an activity is told about the step it works for: a header, written by the workflow side and read by the activity side."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

import msgspec
from msgspec import Struct
from temporalio.api.common.v1 import Payload

from signalbox_core.temporal.names import HEADER_CALL


class Call(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One activity call.

    Attributes:
        total: number of items when the call is one of a `step.map`.
        auto_heartbeat: the call states no heartbeat of its own, so the worker heartbeats for it.
    """

    tenant: str
    step: str | None = None
    attempt: int = 1
    index: int = 0
    total: int = 0
    auto_heartbeat: bool = False


current_call: Final[ContextVar[Call | None]] = ContextVar("signalbox_call", default=None)
"""In workflow code: for which step the activities started now work."""

_decoder: Final = msgspec.json.Decoder(Call)


def to_payload(value: Struct) -> Payload:
    """A header's value; headers pass no payload converter."""
    return Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(value))


def call_of(headers: Mapping[str, Payload]) -> Call | None:
    """The call of an activity, or None for one that no Signalbox workflow started."""
    payload = headers.get(HEADER_CALL)
    return _decoder.decode(payload.data) if payload is not None else None
