"""The questions of an import: the characters of a captcha, and what to do when signing in fails.

Digests of open questions cover the schemas of the answers, docstrings included: a change would refuse them.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.results import AnsweredReference

TroubleCode = Literal[
    "wrong_password", "wrong_captchas", "nobody_answered", "portal_blocked", "account_locked"
]


class CaptchaEvidence(Struct, frozen=True, kw_only=True):
    """The image as `data:image/svg+xml;base64,…`; show it in an `<img>` only, where scripts do not run.

    Attributes:
        expires_at: when the portal forgets the image, and the run asks with a new one.
        tries_left: answers until the run asks `trouble`, this one included.
        why: "sign in to the portal", or "the session ended; the import goes on where it was".
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
    """The problem and its remedy."""

    tax_code: str
    code: TroubleCode
    message: str


class TroubleDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Try again, after the remedy, or end the run with the trouble's code."""

    action: Annotated[
        Literal["again", "give_up"], Meta(title="What now?", description="Try again, or end this import")
    ]
    secret_ref: AnsweredReference | None = None

    def __post_init__(self) -> None:
        if self.secret_ref is not None and self.secret_ref.endswith("\n"):
            raise ValueError("secret_ref must not end with a line feed")


def check_captcha(answer: CaptchaAnswer) -> None:
    """Reject an obvious typing error, which then does not use up the image."""
    text = answer.text.strip()
    if not text.isalnum() or not text.isascii() or len(text) != 6:
        raise InvalidInput("the picture has 6 letters and digits; type exactly these", field="text")
