"""Who may open a stream, and the rate limits of opening one."""

from starlette.requests import HTTPConnection

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import NotFound
from signalbox_core.logs import add_log_fields
from signalbox_gateway.auth.authenticator import Authenticator
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.auth.rate_limits import RequestLimiter
from signalbox_gateway.auth.scoped_tokens import ScopedTokens
from signalbox_gateway.auth.token_scope import not_permitted
from signalbox_gateway.http.error_codes import Unauthenticated
from signalbox_gateway.runs.lookup import RunReader, unknown_run


class StreamAccess:
    """Authenticates, authorizes and counts requests for streams."""

    def __init__(
        self,
        authenticator: Authenticator,
        scoped_tokens: ScopedTokens,
        runs: RunReader,
        limiter: RequestLimiter,
    ) -> None:
        self._authenticator = authenticator
        self._scoped_tokens = scoped_tokens
        self._runs = runs
        self._limiter = limiter

    async def authorize(self, request: HTTPConnection, run_id: str) -> Principal:
        """The principal of a listener of one run. Raises: NotFound: the run does not exist for its tenant."""
        principal = await self._authenticator.listener(request, run_id)
        principal.require(Role.VIEWER)
        if principal.scope is not None and not await self._scoped_tokens.may_watch(principal.scope, run_id):
            raise unknown_run(run_id)
        await self._runs.check(principal, run_id)
        return principal

    async def authenticate(self, request: HTTPConnection) -> Principal:
        """The principal of a listener of all runs of a tenant."""
        principal = await self._authenticator.principal(request)
        principal.require(Role.VIEWER)
        if principal.scope is not None:
            raise not_permitted("following all runs")
        return principal

    async def count(self, request: HTTPConnection, run_id: str | None) -> None:
        """Count a request for a stream, as other requests are counted.

        Args:
            run_id: the first requested run; None for all runs of the tenant.

        Raises:
            Unauthenticated: the credentials are missing, invalid or expired.
            RateLimited: the principal, or the address with its failed authentications, exceeds its limit.
        """
        try:
            principal = await (
                self._authenticator.principal(request)
                if run_id is None
                else self._authenticator.listener(request, run_id)
            )
        except Unauthenticated:
            await self._limiter.count_failure(request)
            raise
        except NotFound:
            # The ticket is for other runs; whether it is for another run of the stream is checked later.
            await self._limiter.count_failure(request)
            return
        add_log_fields(tenant=principal.tenant, principal=principal.key_id)
        await self._limiter.count_request(principal)
