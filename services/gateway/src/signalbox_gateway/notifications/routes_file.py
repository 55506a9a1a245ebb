"""The routes file: per tenant its destinations, and which events go to which of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.patterns import whole
from signalbox_core.pipeline.contract.ladder import is_target
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.process.json_file import read_json_file
from signalbox_gateway.notifications.destination import ChannelContext
from signalbox_gateway.notifications.guarded_post import GuardedSender
from signalbox_gateway.notifications.mail import MailDestination
from signalbox_gateway.notifications.mail_server import MailServer
from signalbox_gateway.notifications.notification import HEADLINES
from signalbox_gateway.notifications.slack import SlackDestination
from signalbox_gateway.notifications.teams import TeamsDestination
from signalbox_gateway.notifications.webhook import WebhookDestination

AnyDestination = MailDestination | SlackDestination | TeamsDestination | WebhookDestination
"""Every kind of destination; `kind` in the file selects one."""
DestinationName = Annotated[str, Meta(pattern=whole(r"[a-z0-9][a-z0-9-]{0,59}"))]
_DEFAULT_EVENTS: Final = (
    "approval.requested",
    "approval.reminded",
    "approval.delegated",
    "approval.escalated",
    "approval.expired",
)
_CONTENT: Final = "notification routes"
_FIELD: Final = "SIGNALBOX_GATEWAY_NOTIFICATIONS_FILE"
_CHECK_EVERY_S: Final = 1.0


class NotificationRoute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are sent to which destinations of the tenant.

    Attributes:
        to: names of destinations.
        events: short names of events; by default all but the decision and the withdrawal.
        addressee: only notifications for this group (`group:leads`) or subject; `for` in the file.
    """

    to: Annotated[tuple[DestinationName, ...], Meta(min_length=1)]
    events: Annotated[tuple[str, ...], Meta(min_length=1)] = _DEFAULT_EVENTS
    addressee: str | None = msgspec.field(name="for", default=None)


class TenantNotifications(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    destinations: dict[DestinationName, AnyDestination]
    routes: tuple[NotificationRoute, ...]


class RoutesFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of the file.

    Attributes:
        mail: the SMTP server; needed when a destination is of the kind `mail`.
        allow: `ip:port` pairs that webhooks may reach although the addresses are not public.
    """

    tenants: dict[str, TenantNotifications]
    mail: MailServer | None = None
    allow: frozenset[str] = frozenset()


class NotificationRoutes(Struct, frozen=True, kw_only=True):
    """The routes in use, with what their destinations share."""

    tenants: Mapping[str, TenantNotifications]
    context: ChannelContext

    def destinations(self, tenant: str) -> Mapping[str, AnyDestination]:
        """All destinations of a tenant, by name."""
        found = self.tenants.get(tenant)
        return found.destinations if found is not None else {}

    def concerns(self, tenant: str, event: str) -> bool:
        """Whether a route of the tenant has this event."""
        return any(event in route.events for route in self._routes(tenant))

    def select(
        self, tenant: str, event: str, addressees: frozenset[str] = frozenset()
    ) -> Mapping[str, AnyDestination]:
        """The destinations of an event, each once, by name."""
        names = {
            name
            for route in self._routes(tenant)
            if event in route.events and (route.addressee is None or route.addressee in addressees)
            for name in route.to
        }
        return {name: item for name, item in self.destinations(tenant).items() if name in names}

    def _routes(self, tenant: str) -> tuple[NotificationRoute, ...]:
        found = self.tenants.get(tenant)
        return found.routes if found is not None else ()


def kind_of(destination: AnyDestination) -> str:
    return str(destination.__struct_config__.tag)


def follow_routes(path: str | None) -> FollowedFile[NotificationRoutes] | None:
    """Open the routes file, which is hot-reloaded; None without one.

    Raises:
        InvalidInput: the file cannot be used; the message names the place and the remedy.
    """
    if path is None:
        return None
    return FollowedFile(Path(path), load_routes, content=_CONTENT, check_every_s=_CHECK_EVERY_S)


def load_routes(path: Path) -> NotificationRoutes:
    """Read and check a routes file.

    Raises:
        InvalidInput: it cannot be read, is malformed, or a destination cannot work.
    """
    content = read_json_file(path, RoutesFile, content=_CONTENT, field=_FIELD)
    context = ChannelContext(folder=path.parent, poster=GuardedSender(content.allow), mail=content.mail)
    for tenant, item in content.tenants.items():
        _check_tenant(path, tenant, item, context)
    return NotificationRoutes(tenants=content.tenants, context=context)


def _check_tenant(path: Path, tenant: str, item: TenantNotifications, context: ChannelContext) -> None:
    for route in item.routes:
        if unknown := set(route.to) - set(item.destinations):
            raise _invalid(path, f"a route of tenant {tenant!r} names no destination: {min(unknown)!r}")
        if route.addressee is not None and not is_target(route.addressee):
            raise _invalid(
                path,
                f"a route of tenant {tenant!r} is for {route.addressee!r}; use group:<name> or a subject",
            )
        if unknown := set(route.events) - set(HEADLINES):
            possible = ", ".join(HEADLINES)
            raise _invalid(
                path, f"a route of tenant {tenant!r} has the event {min(unknown)!r}; possible: {possible}"
            )
    for name, destination in item.destinations.items():
        try:
            destination.check(context)
        except SignalboxError as error:
            raise _invalid(path, f"destination {name!r} of tenant {tenant!r}: {error.detail}") from None


def _invalid(path: Path, problem: str) -> InvalidInput:
    return InvalidInput(f"the {_CONTENT} in {path}: {problem}", field=_FIELD)
