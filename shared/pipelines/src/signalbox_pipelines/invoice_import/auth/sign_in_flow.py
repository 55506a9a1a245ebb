"""How a run gets a session: a captcha to a person (or a configured solver), at most three wrong ones, and a question when that does not do.

Workflow code: a conversation between the portal and people, in the step `sign_in`.
"""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from signalbox_core.errors import Rejected
from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from signalbox_core.pipeline.workflow.steps import StepScope
from signalbox_pipelines.invoice_import.activities import InvoiceActivities
from signalbox_pipelines.invoice_import.auth.questions import (
    CaptchaAnswer,
    CaptchaEvidence,
    TroubleCode,
    TroubleEvidence,
    check_captcha,
)
from signalbox_pipelines.invoice_import.contract import CAPTCHA, TROUBLE
from signalbox_pipelines.invoice_import.messages import (
    Account,
    CaptchaPicture,
    CaptchaRequest,
    SignInOutcome,
    SignInRequest,
)
from signalbox_pipelines.invoice_import.state.import_state import Ledger

PICTURE: Final = CallOptions(
    timeout=timedelta(minutes=1), maximum_attempts=120, longest_retry_after=timedelta(seconds=60)
)
"""As patient as the rest of the import: the session may end while the portal is away."""
ENTER: Final = CallOptions(timeout=timedelta(seconds=45), maximum_attempts=1)
_LOST_WAIT_S: Final = 3.0
MAX_WRONG: Final = 3
MAX_UNANSWERED: Final = 3
"""Pictures in a row that nobody answers; then one question waits for days instead of a new picture every three minutes."""
MAX_CAPTCHAS: Final = 100
"""In one run: each is kept in its snapshot."""
_NOBODY: Final = CaptchaAnswer(text="")
_REMEDY: Final[dict[TroubleCode, str]] = {
    "wrong_password": "Put the right password under the secret's name, or name another secret; then try again. Every wrong try counts"
    " towards a lock of the account.",
    "wrong_captchas": "Three pictures were read wrong. Try again with a new one.",
    "nobody_answered": "Nobody typed the characters of the last pictures. Try again when somebody can, within three minutes.",
    "portal_blocked": "The portal's firewall blocks our requests. Wait some hours and see whether a browser can sign in; then try again.",
    "account_locked": "The portal has locked the account. Unlock it there, then try again.",
}


class Entrance:
    """Signs a run in, as often as it takes."""

    def __init__(self, run: Run, ledger: Ledger, account: Account, why: str) -> None:
        self._run = run
        self._ledger = ledger
        self._account = account
        self._why = why
        self._wrong = 0
        self._unanswered = 0
        self._read_by = ""

    async def pass_through(self) -> Account:
        """Return with a session open; the account may name another secret by then.

        Raises:
            Rejected: somebody gave up; the code is the trouble's.
        """
        async with self._run.step("sign_in") as step:
            while True:
                outcome = await self._try(step)
                if outcome is None:
                    continue
                if outcome.status == "signed_in":
                    self._ledger.sign_ins += 1
                    until = f" until {outcome.expires_at:%Y-%m-%d %H:%M} UTC" if outcome.expires_at else ""
                    step.say(f"signed in as {self._account.tax_code}{until}{self._read_by}")
                    return self._account
                await self._cope(step, outcome)

    async def _try(self, step: StepScope) -> SignInOutcome | None:
        """One picture and its answer; None when nobody answered."""
        if self._ledger.captchas >= MAX_CAPTCHAS:
            raise Rejected(
                f"{MAX_CAPTCHAS} pictures were asked for in this run; start another one",
                code="too_many_sign_ins",
            )
        self._ledger.captchas += 1
        picture = await step.call(
            InvoiceActivities.fetch_captcha, CaptchaRequest(account=self._account), PICTURE
        )
        self._read_by = "; a configured program read the picture" if picture.solved else ""
        text = picture.solved or (await self._ask(picture)).text.strip()
        if not text:
            self._unanswered += 1
            if self._unanswered >= MAX_UNANSWERED:
                self._unanswered = 0
                await self._ask_trouble("nobody_answered")
            return None
        self._unanswered = 0
        request = SignInRequest(account=self._account, captcha_key=picture.key, text=text)
        try:
            return await step.call(InvoiceActivities.sign_in, request, ENTER)
        except ActivityError as error:
            if is_cancelled_exception(error) or _is_final(error):
                raise
            # The worker died with it, or lost its Redis: the picture may be used up, so there is a new one.
            return SignInOutcome(status="busy", message="the try was lost", wait_s=_LOST_WAIT_S)

    async def _cope(self, step: StepScope, outcome: SignInOutcome) -> None:
        """Whatever stands between the run and its session."""
        if outcome.status == "busy":
            step.progress(0, message=f"the portal is busy; the next try is in {outcome.wait_s:.0f} s")
            await workflow.sleep(outcome.wait_s)
        elif outcome.status == "wrong_captcha":
            self._wrong += 1
            step.progress(
                0,
                message=f"the characters were not right ({self._wrong} of {MAX_WRONG}); here is a new picture",
            )
            if self._wrong >= MAX_WRONG:
                self._wrong = 0
                await self._ask_trouble("wrong_captchas")
        elif outcome.status in ("wrong_password", "account_locked", "portal_blocked"):
            await self._ask_trouble(outcome.status)

    async def _ask(self, picture: CaptchaPicture) -> CaptchaAnswer:
        evidence = CaptchaEvidence(
            tax_code=self._account.tax_code,
            picture=picture.picture,
            alt="Six letters and digits, drawn for people to read",
            expires_at=workflow.now() + CAPTCHA.deadline,
            tries_left=MAX_WRONG - self._wrong,
            why=self._why,
        )
        return await self._run.ask(
            CAPTCHA, options=None, evidence=evidence, check=check_captcha, default=_NOBODY
        )

    async def _ask_trouble(self, code: TroubleCode) -> None:
        self._account = await ask_trouble(self._run, self._ledger, self._account, code)


def _is_final(error: ActivityError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.non_retryable


async def ask_trouble(run: Run, ledger: Ledger, account: Account, code: TroubleCode) -> Account:
    """Wait for somebody to mend it.

    Raises:
        Rejected: they gave up; the code is the trouble's.
    """
    evidence = TroubleEvidence(tax_code=account.tax_code, code=code, message=_REMEDY[code])
    decision = await run.ask(TROUBLE, options=("again", "give_up"), evidence=evidence)
    if decision.action == "give_up":
        raise Rejected(
            f"the import of {account.tax_code} was given up: {_REMEDY[code].partition('.')[0].lower()}",
            code=code,
        )
    if decision.secret_ref:
        ledger.secret_ref = decision.secret_ref
    return Account(
        tenant=account.tenant, run_id=account.run_id, tax_code=account.tax_code, secret_ref=ledger.secret_ref
    )
