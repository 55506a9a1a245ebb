"""What a model server's refusal means: come later, or never. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from signalbox_core.chat_model.wire import Failed, Problem
from signalbox_core.errors import RateLimited, Rejected, SignalboxError, Unavailable
from signalbox_core.http.retry_after import retry_after_s

DEFAULT_WAIT_S: Final = 20.0
_LATER: Final = frozenset({408, 409, 425})
_FILTERED: Final = frozenset({"content_filter", "content_policy_violation"})
_NO_MONEY: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_REMEDY: Final[Mapping[int, str]] = {
    401: "check SIGNALBOX_WORKER_MODEL_API_KEY",
    403: "check SIGNALBOX_WORKER_MODEL_API_KEY and what it may use",
    404: "check SIGNALBOX_WORKER_MODEL_URL and _NAME",
    413: "shorten the text",
}
MAX_BODY_BYTES: Final = 16_384


def refusal(address: str, status: int, headers: Mapping[str, str], body: bytes) -> SignalboxError:
    """The error for an answer that is not 200."""
    problem = problem_in(body)
    if problem.code in _FILTERED:
        return filtered(address)
    if problem.code in _NO_MONEY:
        return Rejected(
            f"the account at {address} has no quota left; raise it there", code="model_quota", status=status
        )
    wait = retry_after_s(headers, datetime.now(UTC))
    if status == 429 or (status == 503 and wait is not None):
        return RateLimited(
            f"the model at {address} asks to slow down",
            retry_after_s=DEFAULT_WAIT_S if wait is None else wait,
        )
    if status in _LATER or status >= 500:
        return Unavailable(
            f"the model at {address} has a problem of its own ({status})",
            code="model_unavailable",
            status=status,
        )
    remedy = _REMEDY.get(status, "check SIGNALBOX_WORKER_MODEL_NAME and the request")
    # What a server says of a key may quote the key.
    said = "" if status in (401, 403) or not problem.message else f": {problem.message[:300]}"
    return Rejected(
        f"the model at {address} refuses ({status}){said}; {remedy}", code="model_refused", status=status
    )


def filtered(address: str) -> Rejected:
    return Rejected(
        f"the model at {address} withholds the answer (content filter); change the text",
        code="content_filtered",
    )


def told_in_stream(address: str, problem: Problem) -> SignalboxError:
    """The error for a problem that came inside a stream that had begun."""
    if problem.code in _FILTERED:
        return filtered(address)
    return Unavailable(f"the model at {address} broke off: {problem.message[:300]}", code="model_unavailable")


def problem_in(body: bytes) -> Problem:
    try:
        error = msgspec.json.decode(body, type=Failed).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Problem()
    return error if isinstance(error, Problem) else Problem(message=error)
