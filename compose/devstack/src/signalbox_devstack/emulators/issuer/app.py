"""The issuer's endpoints: OpenID Connect Discovery, a token on request, and switches for tests."""

import time
import uuid
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LIFETIME_S: Final = 600
ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")


class SigningKey:
    """A key pair for one algorithm."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.kid = f"{algorithm.lower()}-{uuid.uuid4().hex[:8]}"
        self.private = _private_key(algorithm)

    def jwk(self) -> dict[str, Any]:
        """The public key as a JWK (RFC 7517)."""
        public: Any = self.private.public_key()
        made: dict[str, Any] = get_default_algorithms()[self.algorithm].to_jwk(public, as_dict=True)
        made.pop("key_ops", None)
        return {**made, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class IssuerApp:
    """The application. `fetches` counts the requests for metadata and keys."""

    def __init__(self) -> None:
        self.fetches: dict[str, int] = {"metadata": 0, "keys": 0}
        self._keys = {algorithm: SigningKey(algorithm) for algorithm in ALGORITHMS}
        self._is_down = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/keys", self._jwks),
                Route("/token", self._token, methods=["POST"]),
                Route("/rotate", self._rotate, methods=["POST"]),
                Route("/down", self._down, methods=["POST"]),
                Route("/stats", self._stats),
                Route("/healthz", self._stats),
            ]
        )

    async def _metadata(self, request: Request) -> Response:
        self.fetches["metadata"] += 1
        if self._is_down:
            return Response(status_code=503)
        origin = _origin(request)
        body = {"issuer": origin, "jwks_uri": f"{origin}/keys", "token_endpoint": f"{origin}/token"}
        return JSONResponse({**body, "id_token_signing_alg_values_supported": list(ALGORITHMS)})

    async def _jwks(self, _request: Request) -> Response:
        self.fetches["keys"] += 1
        if self._is_down:
            return Response(status_code=503)
        return JSONResponse({"keys": [key.jwk() for key in self._keys.values()]})

    async def _token(self, request: Request) -> Response:
        """Issue a token. The JSON body overrides claims; null removes one.

        `alg` selects the key, `headers` are added to the token's header.
        """
        requested = await request.json()
        key = self._keys[requested.pop("alg", "ES256")]
        headers = {"kid": key.kid, **requested.pop("headers", {})}
        now = int(time.time())
        claims = {
            "iss": _origin(request),
            "aud": "signalbox",
            "sub": "user-1",
            "iat": now,
            "exp": now + LIFETIME_S,
            **requested,
        }
        present = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(present, key.private, key.algorithm, headers)
        return JSONResponse({"access_token": token, "token_type": "Bearer"})

    async def _rotate(self, _request: Request) -> Response:
        """Replace all keys; the old ones are no longer published."""
        self._keys = {algorithm: SigningKey(algorithm) for algorithm in ALGORITHMS}
        return Response(status_code=204)

    async def _down(self, request: Request) -> Response:
        """`{"down": true}`: metadata and keys return 503 until `{"down": false}`."""
        self._is_down = bool((await request.json())["down"])
        return Response(status_code=204)

    async def _stats(self, _request: Request) -> Response:
        return JSONResponse(self.fetches)


def _origin(request: Request) -> str:
    """The origin that the caller used; the port is not known before."""
    return f"http://{request.url.netloc}"


def _private_key(algorithm: str) -> Any:
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm == "ES256"
        else ed25519.Ed25519PrivateKey.generate()
    )
