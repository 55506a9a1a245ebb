"""The gateway's problems (RFC 9457) and lost connections as the errors of `signalbox_core.errors`."""

from datetime import UTC, datetime
from typing import TypeVar

import httpx2
import msgspec
from msgspec import Struct

from signalbox_core.errors import RateLimited, Rejected, SignalboxError, Unavailable
from signalbox_core.http.problems import CLASS_OF_STATUS, FieldError
from signalbox_core.http.retry_after import parse_retry_after

T = TypeVar("T", bound=Struct)


class ReceivedProblem(Struct, frozen=True, kw_only=True):
    """A problem as it is read: of a gateway, or of a proxy that sends fewer members."""

    detail: str = ""
    title: str = ""
    code: str = "error"
    errors: tuple[FieldError, ...] = ()


def error_of(status: int, body: bytes, retry_after: str | None = None) -> SignalboxError:
    """The error of a refusing response; `field` is the first field at fault."""
    try:
        problem = msgspec.json.decode(body, type=ReceivedProblem)
    except (msgspec.DecodeError, msgspec.ValidationError):
        problem = ReceivedProblem(detail=f"the gateway returned {status} without a problem document")
    detail = problem.detail or problem.title or f"the gateway returned {status}"
    field = problem.errors[0].field if problem.errors else None
    if status == 429:
        wait_s = parse_retry_after(retry_after or "", datetime.now(UTC))
        return RateLimited(detail, retry_after_s=1.0 if wait_s is None else wait_s)
    kind = CLASS_OF_STATUS.get(status) or (Rejected if 400 <= status < 500 else Unavailable)
    return kind(detail, field=field, code=problem.code)


def unreachable(base_url: str, error: Exception) -> Unavailable:
    """A connection that failed or broke."""
    if isinstance(error, httpx2.ConnectError):
        return Unavailable(
            f"no gateway responds at {base_url}: start one (make dev), or set SIGNALBOX_URL",
            field="SIGNALBOX_URL",
        )
    reason = str(error) or type(error).__name__
    return Unavailable(f"the connection to {base_url} was lost: {reason}; try again")


def decode_answer(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unavailable(
            f"the response is not from a gateway ({error}): check SIGNALBOX_URL", field="SIGNALBOX_URL"
        ) from None
