"""Destinations of the kind `teams`: incoming webhooks of Microsoft Teams, which take Adaptive Cards."""

import msgspec
from msgspec import Struct

from signalbox_gateway.notifications.destination import ChannelContext, read_secret
from signalbox_gateway.notifications.guarded_post import parse_post_url
from signalbox_gateway.notifications.notification import Notification


class TeamsDestination(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="teams"
):
    """`url_file`: the file that holds the webhook's address, which is a secret."""

    url_file: str

    @property
    def link_recipient(self) -> None:
        return None

    def check(self, context: ChannelContext) -> None:
        parse_post_url(read_secret(context, self.url_file))

    async def send(self, notification: Notification, context: ChannelContext) -> None:
        body = msgspec.json.encode(teams_message(notification))
        url = read_secret(context, self.url_file)
        await context.poster.post(url, body, {"content-type": "application/json"})


def teams_message(notification: Notification) -> dict[str, object]:
    """One Adaptive Card: the headline, the facts and a button."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "TextBlock",
                "text": _escaped(notification.headline),
                "weight": "Bolder",
                "size": "Medium",
                "wrap": True,
            },
            {
                "type": "FactSet",
                "facts": [{"title": label, "value": _escaped(value)} for label, value in notification.facts],
            },
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": notification.url}],
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": content_type, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _escaped(text: str) -> str:
    """Escape what Markdown would render as a link."""
    return text.replace("[", "\\[").replace("]", "\\]")
