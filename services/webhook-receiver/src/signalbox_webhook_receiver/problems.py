"""The receiver's problem responses (RFC 9457).

A problem repeats nothing that the caller sent and omits the error's facts: what would help a forger is
logged and counted instead.
"""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from signalbox_core.errors import SignalboxError
from signalbox_core.http import responses
from signalbox_core.signatures.profile import ACCEPT_SIGNATURE

_CHALLENGE: Final = {
    "www-authenticate": 'Signature realm="signalbox"',
    "accept-signature": ACCEPT_SIGNATURE,
}


def problem_response(error: SignalboxError, *, extensions: Mapping[str, object] | None = None) -> Response:
    """The response of an error, with the headers that its code calls for."""
    return responses.problem_response(
        error, headers=_headers(error), challenge=_CHALLENGE, extensions=extensions
    )


def internal_error_response() -> Response:
    """The response of an unexpected exception; reveals nothing about it."""
    return responses.internal_error_response("internal error; it was logged. The delivery may be sent again")


def _headers(error: SignalboxError) -> dict[str, str]:
    match error.stable_code:
        case "draining":
            return {"connection": "close", "retry-after": "1"}
        case "in_flight":
            return {"retry-after": "1"}
        case _:
            return {}
