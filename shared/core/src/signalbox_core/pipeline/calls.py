"""What an activity is told about the step it works for: a header, written by the workflow side and read by the activity side."""

from contextvars import ContextVar
from typing import Final

import msgspec
from msgspec import Struct
from temporalio.api.common.v1 import Payload

from signalbox_core.temporal.names import HEADER_CALL


class Call(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One activity call. `total` is the number of items when the call is one of a `step.map`."""

    tenant: str
    step: str | None = None
    attempt: int = 1
    index: int = 0
    total: int = 0


current_call: Final[ContextVar[Call | None]] = ContextVar("signalbox_call", default=None)
"""In workflow code: for which step the activities started now work."""

_decoder: Final = msgspec.json.Decoder(Call)


def to_header(call: Call) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=msgspec.json.encode(call))


def from_headers(headers: "dict[str, Payload] | object") -> Call | None:
    """The call of an activity, or None for one that no Signalbox workflow started."""
    payload = headers.get(HEADER_CALL) if hasattr(headers, "get") else None
    return _decoder.decode(payload.data) if payload is not None else None
