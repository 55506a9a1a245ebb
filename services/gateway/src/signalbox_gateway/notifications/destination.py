"""The port of a destination: a new kind of channel is one module with a Struct that implements it."""

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from signalbox_core.crypto.secret_files import read_secret_file
from signalbox_gateway.notifications.guarded_post import GuardedSender
from signalbox_gateway.notifications.mail_server import MailServer
from signalbox_gateway.notifications.notification import Notification


class ChannelContext(Struct, frozen=True, kw_only=True):
    """What destinations share.

    Attributes:
        folder: that of the routes file; names of secret files are relative to it.
    """

    folder: Path
    poster: GuardedSender
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
    """Read a secret of a destination. Raises: Unavailable: the file cannot be read, or is empty."""
    return read_secret_file(context.folder / name)
