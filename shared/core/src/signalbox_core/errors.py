"""The error taxonomy: what a caller must change, what may succeed later; everything else is a bug.

Core knows no HTTP: the gateway maps classes to statuses, the activity interceptor to retries, the subscriber to ack or nack.
"""

from collections.abc import Mapping
from typing import ClassVar


class SignalboxError(Exception):
    """Base of every error this system raises on purpose.

    Attributes:
        code: stable, snake_case; part of the API.
        field: the input field at fault, as a path (`input.url`), when there is one.
        detail: the sentence a person reads; names the thing and the remedy, never a secret.
        facts: further members for programs (JSON-able values).
    """

    code: ClassVar[str] = "error"
    max_detail_chars: ClassVar[int] = 8_000

    def __init__(
        self, detail: str, *, field: str | None = None, code: str | None = None, **facts: object
    ) -> None:
        super().__init__(detail[: self.max_detail_chars])
        self.field = field
        self.own_code = code
        self.facts: Mapping[str, object] = facts

    @property
    def detail(self) -> str:
        return str(self.args[0])

    @property
    def stable_code(self) -> str:
        return self.own_code or self.code


class Rejected(SignalboxError):
    """The caller must change something; the same call will fail again."""

    code = "rejected"


class InvalidInput(Rejected):
    """A value breaks its contract; `field` names it."""

    code = "invalid_input"


class NotFound(Rejected):
    """No such thing, or not for this principal (the two look alike)."""

    code = "not_found"


class Conflict(Rejected):
    """The state of the thing forbids it (already decided, already finished, other body for the same key)."""

    code = "conflict"


class Forbidden(Rejected):
    """The principal is known and may not do this."""

    code = "forbidden"


class LimitExceeded(Rejected):
    """The work that an input causes exceeds a limit of time or memory; the same input would do so again."""

    code = "limit_exceeded"


class InvalidSignature(Rejected):
    """A signature is missing, malformed, stale, replayed or wrong."""

    code = "invalid_signature"


class Unavailable(SignalboxError):
    """A dependency is away; the same call may succeed later."""

    code = "unavailable"


class RateLimited(Unavailable):
    """Slow down; try again after `retry_after_s` seconds."""

    code = "rate_limited"

    def __init__(
        self, detail: str, *, retry_after_s: float, field: str | None = None, **facts: object
    ) -> None:
        super().__init__(detail, field=field, code=None, **facts)
        self.retry_after_s = retry_after_s
