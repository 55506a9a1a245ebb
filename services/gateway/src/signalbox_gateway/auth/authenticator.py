"""Finding the principal of a request: API key or token, session, stream ticket."""

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.requests import HTTPConnection

from signalbox_core.crypto.api_keys import ApiKey, read_api_keys
from signalbox_core.errors import Forbidden, NotFound
from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.auth.issuers import Holder
from signalbox_gateway.auth.oidc import Tokens, principal_of
from signalbox_gateway.auth.principal import Principal, earliest
from signalbox_gateway.auth.sessions import COOKIE, Session, Sessions, Ticket, Tickets
from signalbox_gateway.http.problems import Unauthenticated

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_DOTS_OF_A_TOKEN: Final = 2


class ApiKeys:
    """The API keys of a file, hot-reloaded; a version that cannot be loaded leaves the previous keys in use.

    Raises:
        InvalidInput: the file cannot be loaded at the start.
    """

    def __init__(self, path: Path) -> None:
        self._file = FollowedFile(path, read_api_keys, content="API keys")

    def by_secret(self, secret: str) -> ApiKey | None:
        """The key, unless it is unknown or has expired."""
        digest = hashlib.sha256(secret.encode()).hexdigest()
        found = None
        # Every key is compared, so the time taken tells nothing about which one came close.
        for key in self._file.value:
            if hmac.compare_digest(key.sha256.lower(), digest):
                found = key
        return found if found is not None and found.is_good_at(datetime.now(UTC)) else None

    def by_id(self, key_id: str) -> ApiKey | None:
        """The key, unless it is unknown or has expired."""
        return next(
            (key for key in self._file.value if key.id == key_id and key.is_good_at(datetime.now(UTC))), None
        )

    async def run(self, every_s: float = 1.0) -> None:
        """Reload the file when it changes, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.reload)

    def reload(self) -> None:
        self._file.reload()


class Authenticator:
    """Finds the principal of a request: API key or token, else session cookie; for a stream also a ticket."""

    def __init__(
        self, keys: ApiKeys, tokens: Tokens, sessions: Sessions, tickets: Tickets, public_origin: str
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._sessions = sessions
        self._tickets = tickets
        self._origin = public_origin

    async def principal(self, request: HTTPConnection, *, reads: bool = False) -> Principal:
        """`reads`: the request changes nothing, whatever its method.

        Raises:
            Unauthenticated: nobody is named, or the proof is not valid.
            Forbidden: another site sent the request.
        """
        header = request.headers.get("authorization")
        if header is not None:
            return await self.by_bearer(_bearer(header))
        token = request.cookies.get(COOKIE)
        if token is None:
            raise Unauthenticated(
                "Authentication required: send `Authorization: Bearer <API key or token>` or sign in"
            )
        if not reads and request.scope.get("method") not in _SAFE_METHODS:
            self.check_origin(request)
        return self._of(await self._sessions.find(token), "session")

    async def listener(self, request: HTTPConnection, run_id: str) -> Principal:
        """Like `principal`, and a `?ticket=` for this run will do.

        Raises:
            NotFound: the ticket is for other runs.
        """
        ticket = request.query_params.get("ticket")
        if ticket is None or "authorization" in request.headers:
            return await self.principal(request)
        grant = await self._tickets.find(ticket)
        if grant is not None and run_id not in grant.runs:
            raise NotFound(f"there is no run {run_id}", code="unknown_run")
        return self._of(grant, "ticket")

    async def by_bearer(self, proof: str) -> Principal:
        """Raises: Unauthenticated: the API key or token is not good here (any more)."""
        if proof.count(".") == _DOTS_OF_A_TOKEN:
            return await self._tokens.principal(proof)
        key = self._keys.by_secret(proof)
        if key is None:
            raise Unauthenticated("the API key is not known, or has expired; ask an admin for a current one")
        return _principal(key, None)

    def check_origin(self, request: HTTPConnection) -> None:
        """A cookie travels by itself, so a request that changes something must prove that it comes from our own pages."""
        site = request.headers.get("sec-fetch-site")
        if site == "same-origin" or (site is None and request.headers.get("origin") == self._origin):
            return
        raise Forbidden(
            "a request with a session cookie must come from the console's own pages; programs use an API key",
            code="other_origin",
        )

    def _of(self, grant: Session | Ticket | None, what: str) -> Principal:
        """The grant's principal. Key or issuer are asked again each time: revoking either ends its sessions and tickets at once."""
        if grant is None:
            raise Unauthenticated(f"the {what} has ended: get a new one")
        if grant.holder is not None:
            return self._of_holder(grant.holder, grant.expires_at, what)
        key = self._keys.by_id(grant.key_id)
        if key is None:
            raise Unauthenticated(f"the {what} has ended: get a new one")
        return _principal(key, grant.expires_at)

    def _of_holder(self, holder: Holder, expires_at: datetime, what: str) -> Principal:
        if not self._tokens.recheck(holder):
            raise Unauthenticated(f"the {what} has ended: get a new one")
        return principal_of(holder, expires_at)


def _principal(key: ApiKey, expires_at: datetime | None) -> Principal:
    expires = earliest(expires_at, key.expires_at) if expires_at is not None else key.expires_at
    return Principal(key_id=key.id, name=key.name, tenant=key.tenant, roles=key.roles, expires_at=expires)


def _bearer(header: str) -> str:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("send `Authorization: Bearer <API key or token>`; other schemes are not known")
    return secret.strip()
