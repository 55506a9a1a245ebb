"""The error taxonomy: errors that a caller must fix, and errors after which the same call may succeed later.

Any other exception is a bug. This module does not depend on HTTP: the gateway maps classes to statuses, the
activity interceptor to retries, and the subscriber to ack or nack.
"""

from collections.abc import Mapping
from typing import ClassVar


class SignalboxError(Exception):
    """Base of every error that this system raises on purpose.

    Attributes:
        code: stable, in snake_case; part of the API.
        field: the path of the invalid input field (`input.url`), when there is one.
        detail: the message for a person; names the thing and the remedy, never a secret.
        facts: further members for programs; their values can be encoded as JSON.
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
    """The caller must change something: the same call would fail again."""

    code = "rejected"


class InvalidInput(Rejected):
    """A value is invalid; `field` names it."""

    code = "invalid_input"


class NotFound(Rejected):
    """It does not exist, or this principal may not see it; the two are indistinguishable."""

    code = "not_found"


class Conflict(Rejected):
    """The current state forbids it: already decided, already finished, another body for the same key."""

    code = "conflict"


class Forbidden(Rejected):
    """The principal is authenticated and lacks the permission."""

    code = "forbidden"


class LimitExceeded(Rejected):
    """The work that an input causes exceeds a limit of time or memory; the same input would do so again."""

    code = "limit_exceeded"


class InvalidSignature(Rejected):
    """A signature is missing, malformed, stale, replayed or wrong."""

    code = "invalid_signature"


class Unavailable(SignalboxError):
    """A dependency is unavailable; the same call may succeed later."""

    code = "unavailable"


class RateLimited(Unavailable):
    """Too many calls; the same call may succeed after `retry_after_s` seconds."""

    code = "rate_limited"

    def __init__(
        self, detail: str, *, retry_after_s: float, field: str | None = None, **facts: object
    ) -> None:
        super().__init__(detail, field=field, code=None, **facts)
        self.retry_after_s = retry_after_s
