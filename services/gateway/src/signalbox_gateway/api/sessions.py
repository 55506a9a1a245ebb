"""Signs browsers in and out."""

from datetime import datetime
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from signalbox_core.crypto.api_keys import Role
from signalbox_core.ids import run_key
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import Identity, NoBody, SignIn
from signalbox_gateway.auth.authenticator import Authenticator
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.auth.sessions import COOKIE, SessionStore
from signalbox_gateway.settings import Settings

_RUN_ID: Final = "{run_id}"


class SessionHandlers:
    """The handlers of /v1/sessions."""

    def __init__(
        self, authenticator: Authenticator, sessions: SessionStore, settings: Settings, namespace: str
    ) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._settings = settings
        self._namespace = namespace

    async def sign_in(self, call: ApiCall) -> Response:
        # Login CSRF: another site must not sign the browser in to an account of its choice.
        if "origin" in call.request.headers or "sec-fetch-site" in call.request.headers:
            self._authenticator.check_origin(call.request)
        request = await call.body(SignIn)
        principal = await self._authenticator.by_bearer(request.api_key or request.token or "")
        token, session = await self._sessions.open(principal)
        response = json_response(self._identity(principal, session.expires_at), 201)
        response.set_cookie(
            COOKIE, token, expires=session.expires_at, path="/", secure=True, httponly=True, samesite="strict"
        )
        return response

    async def show(self, call: ApiCall) -> Response:
        return json_response(self._identity(call.principal, call.principal.expires_at))

    async def sign_out(self, call: ApiCall) -> Response:
        """End the session of the cookie, if there is one; idempotent."""
        await call.body(NoBody)
        token = call.request.cookies.get(COOKIE)
        if token is not None:
            self._authenticator.check_origin(call.request)
            await self._sessions.close(token)
        response = Response(status_code=204, headers={"cache-control": "no-store"})
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return response

    def _identity(self, principal: Principal, expires_at: datetime | None) -> Identity:
        return Identity(
            name=principal.name,
            subject=principal.subject,
            tenant=principal.tenant,
            roles=tuple(sorted(principal.roles)),
            expires_at=expires_at,
            temporal_ui_url=self._settings.temporal_ui_url,
            trace_url=self._settings.trace_url,
            temporal_run_url=self._run_url(principal),
        )

    def _run_url(self, principal: Principal) -> str | None:
        """The address in Temporal's UI that lists the executions of a run; a retry adds one."""
        ui = self._settings.temporal_ui_url
        if ui is None or not principal.has(Role.OPERATOR):
            return None
        # The setting may be the address of the UI's list of namespaces.
        origin = ui.partition("/namespaces")[0].rstrip("/")
        query = quote(f'WorkflowId="{run_key(principal.tenant, _RUN_ID)}"', safe="{}")
        return f"{origin}/namespaces/{quote(self._namespace, safe='')}/workflows?query={query}"
