"""Authenticates requests: API key or token, session cookie, stream ticket."""

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import structs
from starlette.requests import HTTPConnection

from signalbox_core.crypto.api_keys import ApiKey, read_api_keys
from signalbox_core.errors import Forbidden, NotFound
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.oidc import Tokens, principal_of
from signalbox_gateway.auth.principal import CONTAINS, Principal, earliest
from signalbox_gateway.auth.scoped_tokens import PREFIX, ScopedTokens
from signalbox_gateway.auth.sessions import COOKIE, BrowserSession, SessionStore, StreamTicket, TicketStore
from signalbox_gateway.auth.token_scope import ScopedToken, TokenScope, effective_roles, end_user_subject
from signalbox_gateway.http.error_codes import Unauthenticated

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_JWT_DOTS: Final = 2


class ApiKeys:
    """The API keys of a file, hot-reloaded; a version that cannot be loaded leaves the previous keys in use.

    Raises:
        InvalidInput: the file cannot be loaded at the start.
    """

    def __init__(self, path: Path) -> None:
        self._file = FollowedFile(path, read_api_keys, content="API keys")

    @property
    def all(self) -> tuple[ApiKey, ...]:
        """The keys of the file, expired ones included."""
        return self._file.value

    def by_secret(self, secret: str) -> ApiKey | None:
        """The key, unless it is unknown or has expired."""
        digest = hashlib.sha256(secret.encode()).hexdigest()
        found = None
        # Every key is compared, so that the time taken does not reveal which one was close.
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
    """Finds the principal of a request: by API key, token or session cookie; for streams also by ticket."""

    def __init__(
        self,
        keys: ApiKeys,
        tokens: Tokens,
        scoped_tokens: ScopedTokens,
        *,
        sessions: SessionStore,
        tickets: TicketStore,
        public_origin: str,
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._scoped_tokens = scoped_tokens
        self._sessions = sessions
        self._tickets = tickets
        self._origin = public_origin

    async def principal(self, request: HTTPConnection, *, is_read_only: bool = False) -> Principal:
        """Authenticate the request.

        Args:
            is_read_only: the request has no side effects, whatever its method; skips the CSRF check.

        Raises:
            Unauthenticated: there are no credentials, or they are invalid or expired.
            Forbidden: a request with a session cookie came from another site.
        """
        header = request.headers.get("authorization")
        if header is not None:
            credential = _bearer(header)
            if credential.startswith(PREFIX):
                return self._principal_of_scope(await self._scoped_tokens.find(credential))
            return await self.by_bearer(credential)
        token = request.cookies.get(COOKIE)
        if token is None:
            raise Unauthenticated(
                "Authentication required: send `Authorization: Bearer <API key or token>` or sign in"
            )
        if not is_read_only and request.scope.get("method") not in _SAFE_METHODS:
            self.check_origin(request)
        principal = self._principal_of_grant(await self._sessions.find(token), "session")
        return structs.replace(principal, door="console")

    async def listener(self, request: HTTPConnection, run_id: str) -> Principal:
        """Authenticate a listener of the run: like `principal`, and accepts `?ticket=`.

        Raises:
            NotFound: the ticket is not for this run.
        """
        ticket = request.query_params.get("ticket")
        if ticket is None or "authorization" in request.headers:
            return await self.principal(request)
        grant = await self._tickets.find(ticket)
        if grant is not None and run_id not in grant.runs:
            raise NotFound(f"there is no run {run_id}", code="unknown_run")
        if grant is not None and grant.token_id is not None:
            return self._principal_of_scope(await self._scoped_tokens.get(grant.token_id))
        return self._principal_of_grant(grant, "ticket")

    async def by_bearer(self, credential: str) -> Principal:
        """Authenticate an API key or JWT; a scoped token opens no session.

        Raises:
            Unauthenticated: it is invalid or expired.
        """
        if credential.count(".") == _JWT_DOTS:
            return await self._tokens.principal(credential)
        key = self._keys.by_secret(credential)
        if key is None:
            raise Unauthenticated("the API key is invalid or has expired; ask an admin for a new one")
        return _principal(key, None)

    def check_origin(self, request: HTTPConnection) -> None:
        """CSRF check of a request with a session cookie, which browsers attach by themselves.

        Raises:
            Forbidden: the request does not come from the public origin.
        """
        site = request.headers.get("sec-fetch-site")
        if site == "same-origin" or (site is None and request.headers.get("origin") == self._origin):
            return
        raise Forbidden(
            "requests with a session cookie must come from the console's origin; programs use an API key",
            code="other_origin",
        )

    def _principal_of_scope(self, scope: TokenScope | None) -> Principal:
        """The principal of a scoped token: never more than its minter may do now."""
        token = scope.token if scope is not None else None
        minter = self._principal_of_grant(token, "token")
        assert scope is not None
        user = scope.token.end_user
        if minter.tenant != scope.token.tenant or (user is not None and not minter.may_name_end_users):
            raise Unauthenticated("the token's minter has changed; get a new token")
        subject = end_user_subject(minter.subject, user) if user is not None else minter.subject
        minter_roles = [role for own in minter.roles for role in CONTAINS[own]]
        return Principal(
            key_id=f"token:{scope.token_id[:32]}",
            name=subject.name if user is not None and subject.name is not None else minter.name,
            tenant=minter.tenant,
            roles=effective_roles(scope.token.allow, minter_roles),
            subject=subject,
            expires_at=minter.expires_at,
            scope=scope,
            door="token",
        )

    def _principal_of_grant(
        self, grant: BrowserSession | StreamTicket | ScopedToken | None, kind: str
    ) -> Principal:
        """Who a session, ticket or token was issued to; a revoked key, subject or issuer ends it at once."""
        if grant is None:
            raise Unauthenticated(f"the {kind} has expired or was revoked; get a new one")
        if grant.holder is not None:
            if not self._tokens.is_still_trusted(grant.holder):
                raise Unauthenticated(f"the {kind} has expired or was revoked; get a new one")
            return principal_of(grant.holder, grant.expires_at)
        key = self._keys.by_id(grant.key_id)
        if key is None:
            raise Unauthenticated(f"the {kind} has expired or was revoked; get a new one")
        return _principal(key, grant.expires_at)


def _principal(key: ApiKey, expires_at: datetime | None) -> Principal:
    expires = earliest(expires_at, key.expires_at) if expires_at is not None else key.expires_at
    name = key.name if key.kind == "human" else None
    return Principal(
        key_id=key.id,
        name=key.name,
        tenant=key.tenant,
        roles=key.roles,
        subject=Subject(subject=key.stable_subject, kind=key.kind, name=name, groups=key.groups),
        expires_at=expires,
    )


def _bearer(header: str) -> str:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("send `Authorization: Bearer <API key or token>`; no other scheme is supported")
    return secret.strip()
