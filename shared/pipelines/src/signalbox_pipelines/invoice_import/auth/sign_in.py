"""Signing in for a run: the picture, then the answer with the password that only this worker reads."""

from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.crypto.secret_refs import SecretRefs
from signalbox_core.errors import InvalidInput, RateLimited
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.auth.sessions import Sessions
from signalbox_pipelines.invoice_import.messages import Account, CaptchaPicture, SignInOutcome, SignInRequest
from signalbox_pipelines.invoice_import.pacing.pacing import Pacing
from signalbox_pipelines.invoice_import.portal.captcha import CaptchaSolver, data_address, redrawn
from signalbox_pipelines.invoice_import.portal.client import Captcha, PortalClient
from signalbox_pipelines.invoice_import.portal.faults import Blocked, Busy
from signalbox_pipelines.invoice_import.portal.login import LoginRefused

_BUSY_WAIT_S: Final = 5.0


class Credentials(Struct, frozen=True):
    """What a secret holds: JSON `{"username", "password"}`, or the password alone; then the tax code is the user name."""

    password: Secret
    username: str


class _Wire(Struct, frozen=True, forbid_unknown_fields=True):
    password: str
    username: str = ""


class Desk:
    """Where a run signs in."""

    def __init__(
        self,
        *,
        client: PortalClient,
        pacing: Pacing,
        sessions: Sessions,
        secrets: SecretRefs,
        solver: CaptchaSolver,
    ) -> None:
        self._client = client
        self._pacing = pacing
        self._sessions = sessions
        self._secrets = secrets
        self._solver = solver

    async def picture(self, account: Account) -> CaptchaPicture:
        """A new captcha, after a look that there is a password to go with it.

        Raises:
            NotFound, InvalidInput: the secret.
            Busy, RateLimited, Blocked, Drift: the portal.
        """
        await self._credentials(account)
        async with self._pacing.turn(account.tax_code, "query"):
            captcha = await self._client.captcha()
        await self._sessions.keep_cookies(captcha.key, captcha.cookies)
        return CaptchaPicture(
            key=captcha.key,
            picture=data_address(redrawn(captcha.svg)),
            solved=await self._solver.solve(captcha.svg),
        )

    async def sign_in(self, request: SignInRequest) -> SignInOutcome:
        """One try. The picture is used up by it, whatever comes of it; so is a try of a wrong password, which is why none is repeated."""
        account = request.account
        credentials = await self._credentials(account)
        captcha = Captcha(
            key=request.captcha_key, svg="", cookies=await self._sessions.take_cookies(request.captcha_key)
        )
        try:
            async with self._pacing.turn(account.tax_code, "query"):
                session = await self._client.authenticate(
                    credentials.username, credentials.password, captcha, request.text
                )
        except LoginRefused as refused:
            return SignInOutcome(status=refused.kind, message=refused.detail)
        except Blocked as blocked:
            return SignInOutcome(status="portal_blocked", message=blocked.detail)
        except RateLimited as limited:
            return SignInOutcome(status="busy", message=limited.detail, wait_s=limited.retry_after_s)
        except Busy as busy:
            return SignInOutcome(status="busy", message=busy.detail, wait_s=_BUSY_WAIT_S)
        await self._sessions.keep(account, session)
        return SignInOutcome(status="signed_in", expires_at=session.expires_at)

    async def _credentials(self, account: Account) -> Credentials:
        secret = (await self._secrets.get(account.tenant, account.secret_ref)).reveal()
        if not secret.lstrip().startswith("{"):
            return Credentials(Secret(secret), account.tax_code)
        try:
            wire = msgspec.json.decode(secret, type=_Wire)
        except msgspec.MsgspecError:
            # Nothing of it is quoted.
            detail = f'secret {account.secret_ref!r} is no JSON with "password" and, if it is not the tax code, "username"'
            raise InvalidInput(detail, field="secret_ref") from None
        return Credentials(Secret(wire.password), wire.username or account.tax_code)
