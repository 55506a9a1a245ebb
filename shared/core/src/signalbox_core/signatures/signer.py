"""Signs deliveries according to the profile, with a new `created` and nonce per call."""

import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import SigningKey
from http_message_signatures.algorithms import HTTPSignatureAlgorithm

from signalbox_core.errors import InvalidInput
from signalbox_core.signatures import profile
from signalbox_core.signatures.digest import content_digest
from signalbox_core.signatures.keys import IMPLEMENTATIONS
from signalbox_core.signatures.profile import Algorithm
from signalbox_core.signatures.target import target_uri

_COMPONENTS: Final = " ".join(f'"{name}"' for name in profile.COVERED)
_LIFETIME_S: Final = int(profile.MAX_LIFETIME.total_seconds())


class Signer:
    """Signs requests with one key.

    Safe to share; sign every attempt again, since each call has a new nonce.
    """

    def __init__(
        self, keyid: str, algorithm: Algorithm, key: SigningKey, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.keyid = keyid
        self.algorithm = algorithm
        implementation: Callable[..., HTTPSignatureAlgorithm] = IMPLEMENTATIONS[algorithm]
        self._implementation = implementation(private_key=key)
        self._clock = clock

    @classmethod
    def from_file(cls, keyid: str, path: str | Path) -> "Signer":
        """Load a private key in PEM (Ed25519, P-256 or RSA ≥ 2048 bits) or an HMAC secret.

        Raises:
            InvalidInput: the file cannot be read, or its key is weak or of another type.
        """
        try:
            body = Path(path).read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"cannot read the private key {path}: {error.strerror}", field="private_key_file"
            ) from None
        if b"-----BEGIN" in body:
            return cls(keyid, *_private_key(body, path))
        secret = body.strip()
        if len(secret) < profile.MIN_HMAC_SECRET_BYTES:
            raise InvalidInput(
                f"{path} holds neither a private key in PEM nor a secret of 32 bytes",
                field="private_key_file",
            )
        return cls(keyid, Algorithm.HMAC, secret)

    def sign(self, method: str, url: str, body: bytes, content_type: str) -> dict[str, str]:
        """Return the headers of this request: Content-Type, Content-Digest, Signature-Input and Signature.

        Args:
            url: absolute and encoded exactly as it will be sent.
        """
        created = int(self._clock())
        digest = content_digest(body)
        parameters = (
            f"({_COMPONENTS});created={created};expires={created + _LIFETIME_S}"
            f';nonce="{secrets.token_urlsafe(18)}";keyid="{self.keyid}";alg="{self.algorithm}"'
            f';tag="{profile.TAG}"'
        )
        values = (method.upper(), target_uri(url), digest, content_type)
        lines = [f'"{name}": {value}' for name, value in zip(profile.COVERED, values, strict=True)]
        base = "\n".join((*lines, f'"@signature-params": {parameters}'))
        signature = b64encode(self.sign_base(base.encode("ascii"))).decode()
        return {
            "Content-Type": content_type,
            "Content-Digest": digest,
            "Signature-Input": f"{profile.LABEL}={parameters}",
            "Signature": f"{profile.LABEL}=:{signature}:",
        }

    def sign_base(self, base: bytes) -> bytes:
        """Sign a complete signature base (RFC 9421 §2.5)."""
        signature: bytes = self._implementation.sign(base)
        return signature


def _private_key(pem: bytes, path: str | Path) -> tuple[Algorithm, SigningKey]:
    try:
        key: PrivateKeyTypes = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidInput(
            f"{path} is not a private key in PEM without a password", field="private_key_file"
        ) from None
    match key:
        case ed25519.Ed25519PrivateKey():
            return Algorithm.ED25519, key
        case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()):
            return Algorithm.ECDSA_P256, key
        case rsa.RSAPrivateKey(key_size=bits) if bits >= profile.MIN_RSA_BITS:
            return Algorithm.RSA_PSS, key
    raise InvalidInput(
        f"{path} must be a private key for Ed25519, P-256 or RSA with at least 2048 bits",
        field="private_key_file",
    )
