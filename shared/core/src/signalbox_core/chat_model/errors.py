"""Classification of chat API errors: which may succeed on retry, and what fixes the others. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from signalbox_core.chat_model.wire import ChatApiError, ChatApiErrorBody
from signalbox_core.errors import RateLimited, Rejected, SignalboxError, Unavailable
from signalbox_core.http.retry_after import retry_after_s

DEFAULT_RETRY_AFTER_S: Final = 20.0
MAX_BODY_BYTES: Final = 16_384
_RETRYABLE_STATUSES: Final = frozenset({408, 409, 425})
_CONTENT_FILTER_CODES: Final = frozenset({"content_filter", "content_policy_violation"})
_QUOTA_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_credits"})
_CONTEXT_CODES: Final = frozenset({"context_length_exceeded", "string_above_max_length"})
_CONTEXT_WORDS: Final = re.compile(
    r"context (?:length|window|size)|maximum context|too many tokens|prompt is too long", re.IGNORECASE
)
_PAYMENT_REQUIRED: Final = 402
_REMEDIES: Final[Mapping[int, str]] = {
    401: "check SIGNALBOX_WORKER_MODEL_API_KEY",
    403: "check SIGNALBOX_WORKER_MODEL_API_KEY and its permissions",
    404: "check SIGNALBOX_WORKER_MODEL_URL and SIGNALBOX_WORKER_MODEL_NAME",
    413: "shorten the text",
}


def classify_error(url: str, status: int, headers: Mapping[str, str], body: bytes) -> SignalboxError:
    """Map a response with a status other than 200 to an error.

    Returns:
        Rejected (`content_filtered`, `model_quota`, `model_context`, `model_refused`) when a retry cannot
        help, RateLimited for 429 and for 503 with `Retry-After`, Unavailable (`model_unavailable`) for the
        other temporary failures.
    """
    api_error = decode_error_body(body)
    final = _final_error(url, status, api_error)
    if final is not None:
        return final
    retry_after = retry_after_s(headers, datetime.now(UTC))
    if status == 429 or (status == 503 and retry_after is not None):
        return RateLimited(
            f"the model at {url} is rate-limited",
            retry_after_s=DEFAULT_RETRY_AFTER_S if retry_after is None else retry_after,
        )
    if status in _RETRYABLE_STATUSES or status >= 500:
        return Unavailable(
            f"the model at {url} is unavailable (status {status})", code="model_unavailable", status=status
        )
    return _refused(url, status, api_error)


def classify_stream_error(url: str, api_error: ChatApiError) -> SignalboxError:
    """Map an error event sent inside a stream that began with status 200.

    A numeric `code` is the HTTP status that the error would have had.
    """
    code = str(api_error.code)
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 0
    final = _final_error(url, status, api_error)
    if final is not None:
        return final
    if status == 429:
        return RateLimited(f"the model at {url} is rate-limited", retry_after_s=DEFAULT_RETRY_AFTER_S)
    if 400 <= status < 500 and status not in _RETRYABLE_STATUSES:
        return _refused(url, status, api_error)
    return Unavailable(
        f"the model at {url} failed during the answer: {api_error.message[:300]}", code="model_unavailable"
    )


def _final_error(url: str, status: int, api_error: ChatApiError) -> Rejected | None:
    """Return the error whose cause is known and that no retry can help; None for others."""
    if api_error.code in _CONTENT_FILTER_CODES:
        return content_filtered(url)
    if api_error.code in _QUOTA_CODES or status == _PAYMENT_REQUIRED:
        return Rejected(
            f"the account used at {url} has no quota left; raise its quota with the provider",
            code="model_quota",
            status=status,
        )
    is_context = api_error.code in _CONTEXT_CODES or (
        status < 500 and _CONTEXT_WORDS.search(api_error.message) is not None
    )
    if is_context:
        return Rejected(
            f"the text is longer than the model at {url} can read; shorten it or choose another model",
            code="model_context",
            field="text",
        )
    return None


def _refused(url: str, status: int, api_error: ChatApiError) -> Rejected:
    remedy = _REMEDIES.get(status, "check SIGNALBOX_WORKER_MODEL_NAME and the request")
    # An authentication error may quote the API key.
    reason = "" if status in (401, 403) or not api_error.message else f": {api_error.message[:300]}"
    return Rejected(
        f"the model at {url} rejected the request (status {status}){reason}; {remedy}",
        code="model_refused",
        status=status,
    )


def content_filtered(url: str) -> Rejected:
    return Rejected(
        f"the content filter of the model at {url} blocked the answer; change the text",
        code="content_filtered",
    )


def declined(url: str, reason: str) -> Rejected:
    return Rejected(
        f"the model at {url} declined to answer: {reason[:300]}; change the text", code="model_declined"
    )


def called_a_tool(url: str) -> Rejected:
    return Rejected(
        f"the model at {url} answered with a call of a tool, and no tool was offered; choose another model",
        code="model_called_tool",
    )


def only_reasoned(url: str) -> Rejected:
    return Rejected(
        f"the model at {url} used all tokens of its answer for reasoning; raise max_output_tokens",
        code="model_only_reasoned",
        field="max_output_tokens",
    )


def not_the_api(url: str) -> Rejected:
    return Rejected(
        f"{url} returned a web page, not an answer of a model; check SIGNALBOX_WORKER_MODEL_URL",
        code="model_refused",
    )


def stopped(url: str, finish_reason: str) -> Unavailable:
    return Unavailable(f"the model at {url} stopped with {finish_reason!r}", code="model_unavailable")


def decode_error_body(body: bytes) -> ChatApiError:
    """Decode an error response; an empty ChatApiError when the body has another form."""
    try:
        error = msgspec.json.decode(body, type=ChatApiErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ChatApiError()
    return error if isinstance(error, ChatApiError) else ChatApiError(message=error)
