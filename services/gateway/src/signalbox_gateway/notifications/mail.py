"""Destinations of the kind `mail`: one mail to one address, as text and as HTML."""

from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.ids import derived_id
from signalbox_core.patterns import whole
from signalbox_gateway.notifications.destination import ChannelContext
from signalbox_gateway.notifications.notification import Notification


class MailDestination(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="mail"
):
    """`to`: one address."""

    to: Annotated[str, Meta(pattern=whole(r"[^\s@<>,;]+@[^\s@<>,;]+"), max_length=254)]

    def check(self, context: ChannelContext) -> None:
        if context.mail is None:
            raise InvalidInput("a destination of the kind mail needs the member `mail` of the file")

    async def send(self, notification: Notification, context: ChannelContext) -> None:
        assert context.mail is not None, "checked when the file was loaded"
        message = mail_of(notification, sender=context.mail.sender, to=self.to)
        await context.mail.send(message, context.folder)


def mail_of(notification: Notification, *, sender: str, to: str) -> EmailMessage:
    """Compose the mail. The Message-ID is the same for every attempt, so servers can deduplicate."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, notification.headline
    message["Date"] = format_datetime(notification.at)
    domain = parseaddr(sender)[1].rpartition("@")[2]
    message["Message-ID"] = f"<{derived_id(notification.tenant, notification.id, to)}@{domain}>"
    # RFC 3834: no out-of-office replies.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(notification))
    message.add_alternative(_html(notification), subtype="html")
    return message


def _text(notification: Notification) -> str:
    facts = [f"{label}: {value}" for label, value in notification.facts]
    return "\n".join([notification.headline, "", *facts, "", notification.url, ""])


def _html(notification: Notification) -> str:
    facts = "".join(
        f"<p style='margin:0 0 4px'>{escape(label)}: {escape(value)}</p>"
        for label, value in notification.facts
    )
    button = (
        f"<p style='margin:16px 0'><a href='{escape(notification.url, quote=True)}' style='padding:8px 16px;"
        "background:#1f5eff;color:#fff;text-decoration:none;border-radius:6px'>Open</a></p>"
    )
    return (
        "<!doctype html><html><body style='font-family:sans-serif;font-size:15px;line-height:1.5'>"
        f"<h1 style='font-size:18px'>{escape(notification.headline)}</h1>{facts}{button}</body></html>"
    )
