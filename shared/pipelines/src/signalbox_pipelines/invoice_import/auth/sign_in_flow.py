"""How a run signs in: a person or a configured solver reads the captcha; repeated failure asks a person.

Workflow code, in the step `sign_in`.
"""

from datetime import timedelta
from typing import Final

from msgspec.structs import replace
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
    CaptchaPicture,
    CaptchaRequest,
    ImportAccount,
    SignInOutcome,
    SignInRequest,
)
from signalbox_pipelines.invoice_import.state.import_state import ImportState

FETCH_CAPTCHA: Final = CallOptions(
    timeout=timedelta(minutes=1), maximum_attempts=120, longest_retry_after=timedelta(seconds=60)
)
"""Retries as long as the rest of the import: the session may end while the portal is unavailable."""
SIGN_IN: Final = CallOptions(timeout=timedelta(seconds=45), maximum_attempts=1, rate_limit_wait=timedelta())
_LOST_ATTEMPT_WAIT_S: Final = 3.0
MAX_WRONG: Final = 3
MAX_UNANSWERED: Final = 3
"""Unanswered captchas in a row; then `trouble` waits for days, instead of a new image every three minutes."""
MAX_CAPTCHAS: Final = 100
"""Per run, because each is kept in the run's snapshot."""
_NO_ANSWER: Final = CaptchaAnswer(text="")
# Evidence is part of the digest of a question: changing a sentence refuses the answers to open questions.
_REMEDY: Final[dict[TroubleCode, str]] = {
    "wrong_password": "Put the right password under the secret's name, or name another secret;"
    " then try again. Every wrong try counts towards a lock of the account.",
    "wrong_captchas": "Three pictures were read wrong. Try again with a new one.",
    "nobody_answered": "Nobody typed the characters of the last pictures."
    " Try again when somebody can, within three minutes.",
    "portal_blocked": "The portal's firewall blocks our requests."
    " Wait some hours and see whether a browser can sign in; then try again.",
    "account_locked": "The portal has locked the account. Unlock it there, then try again.",
}


class SignInFlow:
    """Signs a run in, with as many attempts as it takes."""

    def __init__(self, run: Run, state: ImportState, account: ImportAccount, why: str) -> None:
        self._run = run
        self._state = state
        self._account = account
        self._why = why
        self._wrong = 0
        self._unanswered = 0
        self._read_by = ""

    async def sign_in(self) -> ImportAccount:
        """Sign in and return the account, which may name another secret than before.

        Raises:
            Rejected: a person gave up; the code is that of the problem.
        """
        async with self._run.step("sign_in") as step:
            while True:
                outcome = await self._attempt(step)
                if outcome is None:
                    continue
                if outcome.status == "signed_in":
                    self._state.sign_ins += 1
                    until = f" until {outcome.expires_at:%Y-%m-%d %H:%M} UTC" if outcome.expires_at else ""
                    step.say(f"signed in as {self._account.tax_code}{until}{self._read_by}")
                    return self._account
                await self._resolve_failure(step, outcome)

    async def _attempt(self, step: StepScope) -> SignInOutcome | None:
        """Make one attempt with a new captcha; None when nobody answered."""
        if self._state.captchas >= MAX_CAPTCHAS:
            raise Rejected(
                f"this run has used {MAX_CAPTCHAS} captchas; start the import again",
                code="too_many_sign_ins",
            )
        self._state.captchas += 1
        picture = await step.call(
            InvoiceActivities.fetch_captcha, CaptchaRequest(account=self._account), FETCH_CAPTCHA
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
            return await step.call(InvoiceActivities.sign_in, request, SIGN_IN)
        except ActivityError as error:
            if is_cancelled_exception(error) or _is_final(error):
                raise
            # The worker died, or lost Redis. The captcha may be used up, so start over with a new one.
            return SignInOutcome(status="busy", message="the attempt was lost", wait_s=_LOST_ATTEMPT_WAIT_S)

    async def _resolve_failure(self, step: StepScope, outcome: SignInOutcome) -> None:
        """Wait, prepare for another captcha, or ask a person, depending on the failure."""
        if outcome.status == "busy":
            step.progress(0, message=f"the portal is busy; the next try is in {outcome.wait_s:.0f} s")
            await workflow.sleep(outcome.wait_s)
        elif outcome.status == "wrong_captcha":
            self._wrong += 1
            step.progress(
                0,
                message=f"wrong characters ({self._wrong} of {MAX_WRONG}); here is a new picture",
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
            CAPTCHA, options=None, evidence=evidence, check=check_captcha, default=_NO_ANSWER
        )

    async def _ask_trouble(self, code: TroubleCode) -> None:
        self._account = await ask_trouble(self._run, self._state, self._account, code)


def _is_final(error: ActivityError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.non_retryable


async def ask_trouble(
    run: Run, state: ImportState, account: ImportAccount, code: TroubleCode
) -> ImportAccount:
    """Ask a person to fix the problem; return the account, which may name another secret.

    Raises:
        Rejected: the person gave up; the code is that of the problem.
    """
    evidence = TroubleEvidence(tax_code=account.tax_code, code=code, message=_REMEDY[code])
    decision = await run.ask(TROUBLE, options=("again", "give_up"), evidence=evidence)
    if decision.action == "give_up":
        raise Rejected(
            f"the import of {account.tax_code} was given up: {_REMEDY[code].partition('.')[0].lower()}",
            code=code,
        )
    if decision.secret_ref:
        state.secret_ref = decision.secret_ref
    return replace(account, secret_ref=state.secret_ref)
