"""Credentials for pages: scoped tokens, which backends mint, and stream tickets."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.responses import Response

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import Forbidden, NotFound
from signalbox_core.http.problems import FieldError, InvalidFields
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.api.access.token_schemas import AskTicket, MintToken, TicketIssued, TokenMinted
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.auth.principal import Principal, earliest
from signalbox_gateway.auth.scoped_tokens import ScopedTokens
from signalbox_gateway.auth.sessions import TicketStore
from signalbox_gateway.auth.token_scope import EndUser, ScopedToken, TokenPermission
from signalbox_gateway.changes.change_events import RecordChange, change_event
from signalbox_gateway.changes.difference import TrackedItem, compare
from signalbox_gateway.runs.lookup import RunReader, unknown_run

log = logging.getLogger(__name__)


class TokenHandlers:
    """The handlers of /v1/tokens and /v1/stream-tickets.

    Args:
        record: publishes a change for the ledger.
    """

    def __init__(
        self,
        tickets: TicketStore,
        scoped_tokens: ScopedTokens,
        runs: RunReader,
        pipelines: Mapping[str, PipelineSpec],
        record: RecordChange,
    ) -> None:
        self._tickets = tickets
        self._scoped_tokens = scoped_tokens
        self._runs = runs
        self._pipelines = pipelines
        self._record = record

    async def issue_ticket(self, call: ApiCall) -> Response:
        request = await call.body(AskTicket)
        for index, run_id in enumerate(request.runs):
            await self._check_run(call.principal, run_id, f"runs[{index}]")
        token, ticket = await self._tickets.issue(call.principal, frozenset(request.runs))
        return json_response(TicketIssued(ticket=token, expires_at=ticket.expires_at), 201)

    async def mint(self, call: ApiCall) -> Response:
        request, minter = await call.body(MintToken), call.principal
        for index, permission in enumerate(request.allow):
            await self._check_permission(minter, permission, f"allow[{index}]")
        if request.on_behalf_of is not None:
            _check_end_user(minter, request.on_behalf_of)
        expires_at = datetime.now(UTC) + timedelta(seconds=request.expires_in)
        token = ScopedToken(
            tenant=minter.tenant,
            key_id=minter.key_id,
            holder=minter.token_identity,
            allow=request.allow,
            times=request.times,
            expires_at=earliest(expires_at, minter.expires_at),
            end_user=request.on_behalf_of,
        )
        token_id, secret = await self._scoped_tokens.issue(token)
        # Before the secret is known to anyone, so that no token is used that the ledger does not have.
        await self._record_change("token.created", minter, None, token_item(token_id, token))
        user = request.on_behalf_of.id if request.on_behalf_of is not None else None
        log.info(
            "scoped token minted",
            extra={"tenant": minter.tenant, "minter": minter.subject.subject, "end_user": user},
        )
        return json_response(TokenMinted(id=token_id, token=secret, expires_at=token.expires_at), 201)

    async def revoke(self, call: ApiCall) -> Response:
        """Revoke a token of the caller; an admin may revoke each of the tenant.

        The token ends first, also while the revocation cannot be recorded: the repeated request records it.
        """
        token_id, caller = call.param("token_id"), call.principal
        tokens = self._scoped_tokens
        found = await tokens.get(token_id) or await tokens.get_revoked(token_id)
        if found is None or not _may_revoke(caller, found.token):
            raise NotFound("there is no such token, it has expired, or another caller minted it")
        await tokens.revoke(token_id)
        await self._record_change("token.revoked", caller, token_item(token_id, found.token), None)
        await tokens.forget(token_id)
        log.info(
            "scoped token revoked", extra={"tenant": caller.tenant, "revoked_by": caller.subject.subject}
        )
        return Response(status_code=204, headers={"cache-control": "no-store"})

    async def _record_change(
        self, name: str, by: Principal, before: TrackedItem | None, after: TrackedItem | None
    ) -> None:
        difference = compare(before, after)
        if difference is not None:
            # A token id is never used again, so its events need no further state.
            await self._record(
                change_event(name, by.tenant, difference, datetime.now(UTC), state="", by=by.subject)
            )

    async def _check_permission(self, minter: Principal, permission: TokenPermission, field: str) -> None:
        """Check a permission of a new token.

        Raises:
            Forbidden: the minter may not do it either.
            InvalidFields: the pipeline or the run is unknown.
        """
        minter.require(permission.role)
        if permission.start is not None and permission.start not in self._pipelines:
            detail = f"there is no pipeline {permission.start[:60]!r}"
            raise InvalidFields((FieldError(field=f"{field}.start", detail=detail),))
        if permission.watch is not None:
            await self._check_run(minter, permission.watch, f"{field}.watch")
        if permission.decide is not None:
            minter.require_decider()
            if permission.decide.run_id is not None:
                await self._check_run(minter, permission.decide.run_id, f"{field}.decide.run_id")

    async def _check_run(self, principal: Principal, run_id: str, field: str) -> None:
        """Raises: InvalidFields: the run is unknown, of another tenant, or not permitted by the token."""
        try:
            if principal.scope is not None and not await self._scoped_tokens.may_watch(
                principal.scope, run_id
            ):
                raise unknown_run(run_id)
            await self._runs.check(principal, run_id)
        except NotFound as error:
            raise InvalidFields((FieldError(field=field, detail=error.detail),)) from None


def token_item(token_id: str, token: ScopedToken) -> TrackedItem:
    """A token without its secret: what it permits, for whom, and until when."""
    return TrackedItem(
        tenant=token.tenant,
        id=token_id,
        facts={
            "allow": msgspec.json.encode(token.allow).decode(),
            "times": str(token.times),
            "expires_at": token.expires_at.isoformat(),
            "minted_by": token.key_id,
            **({"on_behalf_of": token.end_user.id} if token.end_user is not None else {}),
        },
    )


def _may_revoke(caller: Principal, token: ScopedToken) -> bool:
    return caller.tenant == token.tenant and (caller.key_id == token.key_id or caller.has(Role.ADMIN))


def _check_end_user(minter: Principal, user: EndUser) -> None:
    if not minter.may_name_end_users:
        raise Forbidden(
            "only an API key of kind service may mint tokens on behalf of end users; "
            "create one with `signalbox-admin keys new --kind service`",
            code="forbidden",
        )
    foreign = sorted(set(user.groups) - set(minter.subject.groups))
    if foreign:
        raise Forbidden(
            f"the API key is not in the group {foreign[0]!r}, so it cannot give it to an end user",
            code="forbidden",
        )
