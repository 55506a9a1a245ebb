"""What an import asks a person: the characters of a picture, and what to do when signing in does not work."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.results import Reference

TroubleCode = Literal[
    "wrong_password", "wrong_captchas", "nobody_answered", "portal_blocked", "account_locked"
]


class CaptchaEvidence(Struct, frozen=True, kw_only=True):
    """The picture, as a `data:image/svg+xml;base64,…` address: show it as `<img src>` only, where no script in it can run.

    Attributes:
        expires_at: the portal forgets the picture then, and a new one is asked.
        tries_left: wrong answers that are still harmless, this one included.
        why: "sign in", or "the session ended; the import goes on where it was".
    """

    tax_code: str
    picture: str
    alt: str
    expires_at: datetime
    tries_left: int
    why: str


class CaptchaAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Case does not matter."""

    text: Annotated[str, Meta(title="Characters in the picture", min_length=4, max_length=12)]


class TroubleEvidence(Struct, frozen=True, kw_only=True):
    """What stands in the way, and the remedy."""

    tax_code: str
    code: TroubleCode
    message: str


class TroubleDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Try again, after the remedy, or end the run with the trouble's code."""

    action: Annotated[
        Literal["again", "give_up"], Meta(title="What now?", description="Try again, or end this import")
    ]
    secret_ref: Reference | None = None


def check_captcha(answer: CaptchaAnswer) -> None:
    """A typing slip is told at once and costs no try."""
    text = answer.text.strip()
    if not text.isalnum() or not text.isascii() or len(text) != 6:
        raise InvalidInput("the picture has 6 letters and digits; type exactly these", field="text")
