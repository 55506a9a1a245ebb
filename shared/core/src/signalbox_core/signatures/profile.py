"""The signature profile (RFC 9421 §1.4) as constants; docs/signatures.md describes it."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

LABEL: Final = "signalbox"
TAG: Final = "signalbox-event"
COVERED: Final = ("@method", "@target-uri", "content-digest", "content-type")
PARAMETERS: Final = ("created", "expires", "nonce", "keyid", "alg", "tag")

MAX_AGE: Final = timedelta(seconds=300)
MAX_LIFETIME: Final = timedelta(seconds=300)
CLOCK_SKEW: Final = timedelta(seconds=5)
# Longer than a replayed delivery stays within the window: maximum age plus the skew on both sides.
NONCE_KEPT: Final = timedelta(seconds=320)
MIN_NONCE_CHARS: Final = 16
MAX_NONCE_CHARS: Final = 128
MAX_KEYID_CHARS: Final = 128

MAX_HEADER_BYTES: Final = 32 * 1024
MAX_HEADER_LINES: Final = 100
MAX_SIGNATURE_FIELD_BYTES: Final = 4 * 1024
MAX_LABELS: Final = 4

MIN_HMAC_SECRET_BYTES: Final = 32
MIN_RSA_BITS: Final = 2048

ACCEPT_SIGNATURE: Final = (
    f'{LABEL}=("{COVERED[0]}" "{COVERED[1]}" "{COVERED[2]}" "{COVERED[3]}")'
    f';created;expires;nonce;keyid;alg;tag="{TAG}"'
)


class Algorithm(StrEnum):
    """The algorithms of the profile, named as in the RFC 9421 registry. Ed25519 is preferred."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256-sha256"
    RSA_PSS = "rsa-pss-sha512"
    HMAC = "hmac-sha256"
