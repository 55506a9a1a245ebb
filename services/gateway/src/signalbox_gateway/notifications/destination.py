"""The port of a destination: a new kind of channel is one module with a Struct that implements it."""

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_gateway.notifications.guarded_post import GuardedPoster
from signalbox_gateway.notifications.mail_server import MailServer
from signalbox_gateway.notifications.notification import Notification


class ChannelContext(Struct, frozen=True, kw_only=True):
    """What destinations share.

    Attributes:
        folder: that of the routes file; names of secret files are relative to it.
    """

    folder: Path
    poster: GuardedPoster
    mail: MailServer | None = None


class LinkRecipient(Struct, frozen=True, kw_only=True):
    """The one person that a destination reaches, who may decide by link."""

    to: str
    groups: tuple[str, ...] = ()


class Destination(Protocol):
    """A place that notifications are sent to; the members of the Struct are its configuration."""

    @property
    def link_recipient(self) -> LinkRecipient | None:
        """Whom a decision link in its messages is bound to; None when they contain none."""
        ...

    def check(self, context: ChannelContext) -> None:
        """Check what the type of the configuration cannot express; called when the file is loaded.

        Raises:
            SignalboxError: the configuration cannot work; the message names the remedy, and no secret.
        """
        ...

    async def send(self, notification: Notification, context: ChannelContext) -> None:
        """Send a notification once.

        Raises:
            Unavailable: a later attempt may succeed; `RateLimited` when the destination named the delay.
            Rejected: no attempt can succeed before the configuration or the destination is changed.
        """
        ...


def read_secret(context: ChannelContext, name: str) -> str:
    """Read a secret from its file, at every use, so that a rotated secret takes effect at once.

    Raises:
        Unavailable: the file cannot be read, or is empty.
    """
    path = context.folder / name
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Unavailable(f"cannot read the secret file {path}: {reason}") from None
    if not text:
        raise Unavailable(f"the secret file {path} is empty")
    return text
