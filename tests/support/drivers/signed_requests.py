"""Keys and signed requests for tests: a key file with one sender, and ways to sign a request wrongly."""

import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from signalbox_core.signatures import (
    Algorithm,
    KeyRecord,
    LoadedKey,
    Signer,
    content_digest,
    load_key,
    profile,
)

ORIGIN = "http://127.0.0.1:8081"
URL = f"{ORIGIN}/v1/events"
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SECRET = b"a shared secret of more than thirty-two bytes"


def new_private_key(algorithm: Algorithm) -> PrivateKey:
    if algorithm is Algorithm.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm is Algorithm.ECDSA_P256:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def public_pem(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signer_and_key(
    algorithm: Algorithm = Algorithm.ED25519,
    keyid: str = "key-1",
    *,
    private: PrivateKey | None = None,
    clock: Callable[[], float] = time.time,
    **record: Any,
) -> tuple[Signer, LoadedKey]:
    """A signer and the record that verifies it; `record` overrides the record's fields."""
    fields = {"keyid": keyid, "alg": algorithm, "sender": "worker", "tenant": "*"} | record
    if algorithm is Algorithm.HMAC:
        key = load_key(KeyRecord(secret_file="s", **fields), lambda _name: SECRET)
        return Signer(keyid, algorithm, SECRET, clock=clock), key
    private = private or new_private_key(algorithm)
    return Signer(keyid, algorithm, private, clock=clock), load_key(
        KeyRecord(public_pem=public_pem(private), **fields), lambda _name: b""
    )


def write_private_key(path: Path, key: PrivateKey) -> Path:
    path.write_bytes(private_pem(key))
    return path


COVERED = tuple(f'"{name}"' for name in profile.COVERED)


def sign_by_hand(
    signer: Signer,
    body: bytes,
    *,
    components: Sequence[str] = COVERED,
    parameters: Sequence[str],
    values: Mapping[str, str] | None = None,
    url: str = URL,
) -> dict[str, str]:
    """Sign serialized component ids and parameters in the given order, also if the profile forbids them."""
    digest = content_digest(body)
    known = {
        "@method": "POST",
        "@target-uri": url,
        "content-digest": digest,
        "content-type": ONE,
        **(values or {}),
    }
    inner = f"({' '.join(components)}){''.join(f';{parameter}' for parameter in parameters)}"
    lines = [f"{name}: {known[name.split(';')[0].strip(chr(34))]}" for name in components]
    base = "\n".join([*lines, f'"@signature-params": {inner}'])
    signature = b64encode(signer.sign_base(base.encode())).decode()
    return {
        "Content-Type": ONE,
        "Content-Digest": digest,
        "Signature-Input": f"{profile.LABEL}={inner}",
        "Signature": f"{profile.LABEL}=:{signature}:",
    }


def parameters_at(second: int, **overrides: str | None) -> list[str]:
    """The profile's parameters; an override replaces a serialized value, None omits the parameter."""
    usual: dict[str, str | None] = {
        "created": str(second),
        "expires": str(second + 300),
        "nonce": '"0123456789abcdefABCD"',
        "keyid": '"key-1"',
        "alg": '"ed25519"',
        "tag": f'"{profile.TAG}"',
    }
    return [f"{name}={value}" for name, value in (usual | overrides).items() if value is not None]
