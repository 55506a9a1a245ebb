"""The SMTP server that sends the mails of all tenants. It is the operator's choice, so it may be private."""

from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Final, Literal

import aiosmtplib
from msgspec import Meta, Struct

from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.patterns import whole

_TIMEOUT_S: Final = 20.0


class MailServer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach the server.

    Attributes:
        sender: the From of every mail, `Signalbox <signalbox@example.com>`.
        security: `starttls` requires TLS before anything else is sent; `tls` is TLS from the first byte.
        password_file: read at every use; relative to the folder of the routes file.
    """

    host: Annotated[str, Meta(min_length=1)]
    sender: Annotated[str, Meta(pattern=whole(r"[^\r\n]*[^\s@<>]+@[^\s@<>]+>?"))]
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: str | None = None

    async def send(self, message: EmailMessage, folder: Path) -> None:
        """Send one mail.

        Raises:
            Unavailable: the server is unavailable, refuses the credentials, or asks for another attempt.
            Rejected: the server permanently refuses the recipient or the message.
        """
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                use_tls=self.security == "tls",
                start_tls=self.security == "starttls",
                username=self.username,
                password=self._password(folder),
                timeout=_TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusals = error.recipients
            raise _refusal(self.host, max(item.code for item in refusals), refusals[0].message) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Unavailable(f"{self.host} refuses the credentials ({error.code})") from None
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(self.host, error.code, error.message) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"{self.host} does not accept mail: {type(error).__name__}") from error

    def _password(self, folder: Path) -> str | None:
        if self.password_file is None:
            return None
        try:
            return (folder / self.password_file).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise Unavailable(f"cannot read the password file {folder / self.password_file}") from None


def _refusal(host: str, code: int, message: str) -> Rejected | Unavailable:
    detail = f"{host} returned {code}: {' '.join(message.split())[:200]}"
    return Rejected(detail) if 500 <= code < 600 else Unavailable(detail)
