"""Standard Webhooks 1.0.0 with symmetric secrets (`v1`, HMAC-SHA256): how a message is signed and verified.

Independent of the RFC 9421 profile of the other modules; other companies' systems send and receive these.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from signalbox_core.errors import InvalidInput, InvalidSignature

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
TOLERANCE: Final = timedelta(minutes=5)

UNSIGNED: Final = "webhook_unsigned"
MALFORMED: Final = "webhook_malformed"
SIGNATURE_INVALID: Final = "webhook_signature_invalid"
STALE: Final = "webhook_stale"

_PREFIX: Final = "whsec_"
_MIN_BYTES: Final = 24
_SCHEME: Final = "v1,"
_MAX_SIGNATURES: Final = 20
_MAX_TIMESTAMP_DIGITS: Final = 12
_MAX_ID_CHARS: Final = 200


def parse_secrets(text: str) -> list[bytes]:
    """Parse the secrets of a file, one a line.

    Raises:
        InvalidInput: a line is not `whsec_` and the base64 of at least 24 bytes.
    """
    try:
        secrets = [_decode(line.strip().removeprefix(_PREFIX)) for line in text.splitlines()]
    except (binascii.Error, ValueError):
        secrets = []
    if not secrets or any(len(secret) < _MIN_BYTES for secret in secrets):
        raise InvalidInput(f"a secret is {_PREFIX} and the base64 of {_MIN_BYTES} random bytes or more")
    return secrets


def signed_headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a signed webhook, with a signature of each secret.

    Args:
        message_id: the same for every attempt.
        timestamp: of this attempt, in seconds since the epoch.
    """
    digests = _digests(secrets, message_id, str(timestamp), body)
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(f"{_SCHEME}{base64.b64encode(each).decode()}" for each in digests),
    }


def verify(
    secrets: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    *,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """Verify a webhook: one of its signatures was made with one of the secrets, and recently.

    Args:
        headers: their names in lower case.
        now: seconds since the epoch.
        tolerance: by which the timestamp may differ from `now`, in the past and in the future.

    Returns:
        The message id; the same for every attempt of the sender.

    Raises:
        InvalidSignature: `webhook_unsigned` without the three headers, `webhook_malformed`,
            `webhook_signature_invalid`, or `webhook_stale`.
    """
    message_id, timestamp, signatures = (
        headers.get(name, "") for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
    )
    if not (message_id and timestamp and signatures):
        raise InvalidSignature(
            f"sign the webhook with the headers {ID_HEADER}, {TIMESTAMP_HEADER} and {SIGNATURE_HEADER}"
            " (Standard Webhooks)",
            code=UNSIGNED,
        )
    _check_id(message_id)
    signed_at = _parse_timestamp(timestamp)
    given = _parse_signatures(signatures)
    # Every pair is compared, so that the time taken does not depend on which one matches.
    matches = [
        hmac.compare_digest(expected, each)
        for expected in _digests(secrets, message_id, timestamp, body)
        for each in given
    ]
    if not any(matches):
        raise InvalidSignature(
            "no signature of the webhook matches: sign the exact bytes of the body with the secret that was"
            " agreed on",
            code=SIGNATURE_INVALID,
        )
    if abs(now - signed_at) > tolerance.total_seconds():
        raise InvalidSignature(
            f"the timestamp of the webhook differs from now by {abs(now - signed_at):.0f} s, and"
            f" {tolerance.total_seconds():.0f} s are allowed: check the clock, and sign each attempt anew",
            code=STALE,
        )
    return message_id


def _digests(secrets: Sequence[bytes], message_id: str, timestamp: str, body: bytes) -> list[bytes]:
    content = f"{message_id}.{timestamp}.".encode() + body
    return [hmac.digest(secret, content, hashlib.sha256) for secret in secrets]


def _check_id(message_id: str) -> None:
    if not (message_id.isascii() and message_id.isprintable()) or len(message_id) > _MAX_ID_CHARS:
        raise InvalidSignature(
            f"{ID_HEADER} must have 1 to {_MAX_ID_CHARS} printable ASCII characters",
            field=ID_HEADER,
            code=MALFORMED,
        )


def _parse_timestamp(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_TIMESTAMP_DIGITS:
        raise InvalidSignature(
            f"{TIMESTAMP_HEADER} must be whole seconds since 1970", field=TIMESTAMP_HEADER, code=MALFORMED
        )
    return int(text)


def _parse_signatures(text: str) -> list[bytes]:
    """The `v1` signatures of the header; those of other schemes are ignored, as the standard requires."""
    parts = text.split()
    given = [part.removeprefix(_SCHEME) for part in parts if part.startswith(_SCHEME)]
    if not given or len(parts) > _MAX_SIGNATURES:
        raise InvalidSignature(
            f"{SIGNATURE_HEADER} must have 1 to {_MAX_SIGNATURES} signatures, separated by spaces, and one or"
            " more of them of the form v1,<base64>",
            field=SIGNATURE_HEADER,
            code=MALFORMED,
        )
    try:
        return [_decode(each) for each in given]
    except (binascii.Error, ValueError):
        raise InvalidSignature(
            f"a v1 signature of {SIGNATURE_HEADER} is not base64", field=SIGNATURE_HEADER, code=MALFORMED
        ) from None


def _decode(text: str) -> bytes:
    """Decode base64, whose padding some senders leave out."""
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
