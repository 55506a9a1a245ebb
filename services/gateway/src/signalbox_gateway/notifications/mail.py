"""Destinations of the kind `mail`: one mail to one address, as text and as HTML."""

from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.ids import derived_id
from signalbox_core.patterns import whole
from signalbox_core.subjects import check_groups
from signalbox_gateway.notifications.destination import ChannelContext, LinkRecipient
from signalbox_gateway.notifications.notification import Notification


class MailDestination(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="mail"
):
    """One recipient.

    Attributes:
        links: whether mails to it contain decision links; set it for the address of one person only.
        groups: of the recipient, for the policies of questions that are decided by link.
    """

    to: Annotated[str, Meta(pattern=whole(r"[^\s@<>,;]+@[^\s@<>,;]+"), max_length=254)]
    links: bool = False
    groups: tuple[str, ...] = ()

    def check(self, context: ChannelContext) -> None:
        if context.mail is None:
            raise InvalidInput("a destination of the kind mail needs the member `mail` of the file")
        try:
            check_groups(self.groups)
        except ValueError as error:
            raise InvalidInput(str(error)) from None

    @property
    def link_recipient(self) -> LinkRecipient | None:
        return LinkRecipient(to=self.to, groups=self.groups) if self.links else None

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
    ways = [f"Open: {notification.url}"]
    if notification.decide_url is not None:
        ways.insert(0, f"Decide without an account, once: {notification.decide_url}")
    return "\n".join([notification.headline, "", *facts, "", *ways, ""])


def _html(notification: Notification) -> str:
    facts = "".join(
        f"<p style='margin:0 0 4px'>{escape(label)}: {escape(value)}</p>"
        for label, value in notification.facts
    )
    buttons = _button("Open", notification.url)
    if notification.decide_url is not None:
        buttons = _button("Decide without an account, once", notification.decide_url) + buttons
    return (
        "<!doctype html><html><body style='font-family:sans-serif;font-size:15px;line-height:1.5'>"
        f"<h1 style='font-size:18px'>{escape(notification.headline)}</h1>{facts}{buttons}</body></html>"
    )


def _button(text: str, url: str) -> str:
    return (
        f"<p style='margin:16px 0'><a href='{escape(url, quote=True)}' style='display:inline-block;"
        "padding:8px 16px;background:#1f5eff;color:#fff;text-decoration:none;border-radius:6px'>"
        f"{escape(text)}</a></p>"
    )
