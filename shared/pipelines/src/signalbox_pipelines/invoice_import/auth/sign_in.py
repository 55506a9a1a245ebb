"""Signing in for a run: fetch the captcha, then send the answer with the password.

The password is read here and leaves the worker only towards the portal.
"""

from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.crypto.secret_refs import SecretRefs
from signalbox_core.errors import InvalidInput, RateLimited
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.auth.session_store import PortalSessionStore
from signalbox_pipelines.invoice_import.messages import (
    CaptchaPicture,
    ImportAccount,
    SignInOutcome,
    SignInRequest,
)
from signalbox_pipelines.invoice_import.pacing.rate_limiter import PortalRateLimiter
from signalbox_pipelines.invoice_import.portal.captcha import CaptchaSolver, data_uri, redraw
from signalbox_pipelines.invoice_import.portal.client import Captcha, PortalClient
from signalbox_pipelines.invoice_import.portal.faults import PortalBlocked, PortalBusy
from signalbox_pipelines.invoice_import.portal.login import LoginRefused

_BUSY_WAIT_S: Final = 5.0


class Credentials(Struct, frozen=True):
    """The content of a secret: JSON with `username` and `password`, or the password alone.

    Without a user name it is the tax code.
    """

    password: Secret
    username: str


class _CredentialsBody(Struct, frozen=True, forbid_unknown_fields=True):
    password: str
    username: str = ""


class SignInService:
    """Signs runs in to the portal."""

    def __init__(
        self,
        *,
        client: PortalClient,
        limiter: PortalRateLimiter,
        sessions: PortalSessionStore,
        secrets: SecretRefs,
        solver: CaptchaSolver,
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._sessions = sessions
        self._secrets = secrets
        self._solver = solver

    async def fetch_captcha(self, account: ImportAccount) -> CaptchaPicture:
        """Fetch a new captcha, after checking that the password exists.

        Raises:
            NotFound, InvalidInput: the secret is missing or malformed.
            PortalBusy, RateLimited, PortalBlocked, UnexpectedResponse: the portal failed.
        """
        await self._credentials(account)
        async with self._limiter.permit(account.tax_code, "query"):
            captcha = await self._client.captcha()
        await self._sessions.save_cookies(captcha.key, captcha.cookies)
        return CaptchaPicture(
            key=captcha.key,
            picture=data_uri(redraw(captcha.svg)),
            solved=await self._solver.solve(captcha.svg),
        )

    async def sign_in(self, request: SignInRequest) -> SignInOutcome:
        """Make one attempt, which uses up the captcha.

        Never retried automatically: each wrong password counts towards a lock of the account.
        """
        account = request.account
        credentials = await self._credentials(account)
        captcha = Captcha(
            key=request.captcha_key, svg="", cookies=await self._sessions.pop_cookies(request.captcha_key)
        )
        try:
            async with self._limiter.permit(account.tax_code, "query"):
                session = await self._client.authenticate(
                    credentials.username, credentials.password, captcha, request.text
                )
        except LoginRefused as error:
            return SignInOutcome(status=error.kind, message=error.detail)
        except PortalBlocked as error:
            return SignInOutcome(status="portal_blocked", message=error.detail)
        except RateLimited as error:
            return SignInOutcome(status="busy", message=error.detail, wait_s=error.retry_after_s)
        except PortalBusy as error:
            return SignInOutcome(status="busy", message=error.detail, wait_s=_BUSY_WAIT_S)
        await self._sessions.save(account, session)
        return SignInOutcome(status="signed_in", expires_at=session.expires_at)

    async def _credentials(self, account: ImportAccount) -> Credentials:
        secret = (await self._secrets.get(account.tenant, account.secret_ref)).reveal()
        if not secret.lstrip().startswith("{"):
            return Credentials(Secret(secret), account.tax_code)
        try:
            body = msgspec.json.decode(secret, type=_CredentialsBody)
        except msgspec.MsgspecError:
            # The message must not quote any of it.
            detail = (
                f'secret {account.secret_ref!r} must be a password, or JSON with "password" '
                'and, if it is not the tax code, "username"'
            )
            raise InvalidInput(detail, field="secret_ref") from None
        return Credentials(Secret(body.password), body.username or account.tax_code)
