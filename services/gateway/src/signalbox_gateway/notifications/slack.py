"""Destinations of the kind `slack`: incoming webhooks of Slack, Mattermost, Rocket.Chat and the like."""

import msgspec
from msgspec import Struct

from signalbox_gateway.notifications.destination import ChannelContext, read_secret
from signalbox_gateway.notifications.guarded_post import parse_post_url
from signalbox_gateway.notifications.notification import Notification


class SlackDestination(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="slack"
):
    """`url_file`: the file that holds the webhook's address, which is a secret."""

    url_file: str

    @property
    def link_recipient(self) -> None:
        return None

    def check(self, context: ChannelContext) -> None:
        parse_post_url(read_secret(context, self.url_file))

    async def send(self, notification: Notification, context: ChannelContext) -> None:
        body = msgspec.json.encode({"text": slack_text(notification)})
        url = read_secret(context, self.url_file)
        await context.poster.post(url, body, {"content-type": "application/json"})


def slack_text(notification: Notification) -> str:
    """The message in mrkdwn, which all compatible products render or show as plain text."""
    facts = [f"{label}: {_escaped(value)}" for label, value in notification.facts]
    return "\n".join([f"*{_escaped(notification.headline)}*", *facts, f"<{notification.url}|Open>"])


def _escaped(text: str) -> str:
    """Escape the control characters of mrkdwn, so that a title can make no link and no mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
