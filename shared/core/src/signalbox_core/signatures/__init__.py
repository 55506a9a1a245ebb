"""Signed deliveries: RFC 9421 signatures over RFC 9530 digests; the profile is docs/signatures.md."""

from signalbox_core.signatures import profile
from signalbox_core.signatures.claim import SignatureClaim, check_window, read_claim
from signalbox_core.signatures.digest import check_digest, content_digest
from signalbox_core.signatures.jwks import JwksSource, read_jwks
from signalbox_core.signatures.keyfile import (
    KeyFile,
    load_key_set,
    read_key_file,
    write_key_file,
)
from signalbox_core.signatures.keys import KeyRecord, KeySet, LoadedKey, load_key
from signalbox_core.signatures.profile import Algorithm
from signalbox_core.signatures.signer import Signer
from signalbox_core.signatures.target import parse_origin, target_uri
from signalbox_core.signatures.verification import SignedMessage, refusal, verify

__all__ = [
    "Algorithm",
    "JwksSource",
    "KeyFile",
    "KeyRecord",
    "KeySet",
    "LoadedKey",
    "SignatureClaim",
    "SignedMessage",
    "Signer",
    "check_digest",
    "check_window",
    "content_digest",
    "load_key",
    "load_key_set",
    "parse_origin",
    "profile",
    "read_claim",
    "read_jwks",
    "read_key_file",
    "refusal",
    "target_uri",
    "verify",
    "write_key_file",
]
