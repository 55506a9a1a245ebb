"""Who is calling and what they may do: API keys, sessions, stream tickets; roles deny by default."""

import asyncio
import hashlib
import hmac
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from starlette.requests import HTTPConnection

from signalbox_core.errors import Forbidden, InvalidInput, NotFound
from signalbox_gateway.problems import Unauthenticated
from signalbox_gateway.sessions import COOKIE, Sessions, Tickets

log = logging.getLogger(__name__)


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


# A role and what it contains; what is not listed is denied.
CONTAINS: Final[Mapping[Role, frozenset[Role]]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.VIEWER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.VIEWER}),
    Role.ADMIN: frozenset(Role),
}
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Principal(Struct, frozen=True, kw_only=True):
    """Who is calling. `expires_at` is when this proof of identity ends (sessions and tickets)."""

    key_id: str
    name: str
    tenant: str
    roles: frozenset[Role]
    expires_at: datetime | None = None

    def has(self, role: Role) -> bool:
        return any(role in CONTAINS[own] for own in self.roles)

    def require(self, role: Role) -> None:
        """Raises: Forbidden: the principal lacks the role."""
        if not self.has(role):
            raise Forbidden(f"this needs the role {role}; {self.name} has: {', '.join(sorted(self.roles)) or 'none'}", role=str(role))


class ApiKey(Struct, frozen=True, kw_only=True):
    """`sha256` is the hex digest of the key; the key itself is kept nowhere."""

    id: str
    sha256: str
    tenant: str
    roles: frozenset[Role]
    name: str


class KeyFile(Struct, frozen=True, kw_only=True):
    keys: tuple[ApiKey, ...]


class ApiKeys:
    """The API keys of a file, read again when it changes; a file that cannot be read leaves the last good ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._keys = read_keys(path)

    def by_secret(self, secret: str) -> ApiKey | None:
        digest = hashlib.sha256(secret.encode()).hexdigest()
        found = None
        # Every key is compared, so the time taken tells nothing about which one came close.
        for key in self._keys:
            if hmac.compare_digest(key.sha256.lower(), digest):
                found = key
        return found

    def by_id(self, key_id: str) -> ApiKey | None:
        return next((key for key in self._keys if key.id == key_id), None)

    async def run(self, every_s: float = 1.0) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.reload)

    def reload(self) -> None:
        stamp = _stamp(self._path)
        if stamp in (None, self._stamp):
            return
        try:
            self._keys = read_keys(self._path)
        except InvalidInput as error:
            log.error("API keys not read again", extra={"detail": error.detail})
        self._stamp = stamp


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Raises: InvalidInput: the file is absent or not a key file; the message names it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeyFile).keys
    except OSError as error:
        raise InvalidInput(f"cannot read the API keys file {path}: {error.strerror}", field="SIGNALBOX_GATEWAY_API_KEYS_FILE") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the API keys file {path} is not valid: {error}", field="SIGNALBOX_GATEWAY_API_KEYS_FILE") from None


class Authenticator:
    """Finds the principal of a request: API key, else session cookie; for a stream also a ticket."""

    def __init__(self, keys: ApiKeys, sessions: Sessions, tickets: Tickets, public_origin: str) -> None:
        self._keys = keys
        self._sessions = sessions
        self._tickets = tickets
        self._origin = public_origin

    async def principal(self, request: HTTPConnection) -> Principal:
        """Raises: Unauthenticated: nobody is named, or the key or session is not valid; Forbidden: another site sent the request."""
        header = request.headers.get("authorization")
        if header is not None:
            return self.by_key(_bearer(header))
        token = request.cookies.get(COOKIE)
        if token is None:
            raise Unauthenticated("send `Authorization: Bearer <API key>`, or sign in for a session cookie")
        if request.scope.get("method") not in _SAFE_METHODS:
            self.check_origin(request)
        session = await self._sessions.find(token)
        return self._of_key_id(session.key_id if session else None, session.expires_at if session else None, "session")

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
        return self._of_key_id(grant.key_id if grant else None, grant.expires_at if grant else None, "ticket")

    def by_key(self, secret: str) -> Principal:
        """Raises: Unauthenticated: the API key is not known."""
        key = self._keys.by_secret(secret)
        if key is None:
            raise Unauthenticated("the API key is not known; ask an admin for a current one")
        return _principal(key, None)

    def check_origin(self, request: HTTPConnection) -> None:
        """A cookie travels by itself, so a request that changes something must prove that it comes from our own pages."""
        site = request.headers.get("sec-fetch-site")
        if site == "same-origin" or (site is None and request.headers.get("origin") == self._origin):
            return
        raise Forbidden(
            "a request with a session cookie must come from the console's own pages; programs use an API key", code="other_origin"
        )

    def _of_key_id(self, key_id: str | None, expires_at: datetime | None, what: str) -> Principal:
        # The key is looked up again each time: revoking it ends its sessions and tickets at once.
        key = self._keys.by_id(key_id) if key_id is not None else None
        if key is None:
            raise Unauthenticated(f"the {what} has ended: get a new one")
        return _principal(key, expires_at)


def _principal(key: ApiKey, expires_at: datetime | None) -> Principal:
    return Principal(key_id=key.id, name=key.name, tenant=key.tenant, roles=key.roles, expires_at=expires_at)


def _bearer(header: str) -> str:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("send `Authorization: Bearer <API key>`; other schemes are not known")
    return secret.strip()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
