"""Webhooks of other companies' systems: their file, and how a verified body is read as an event."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from signalbox_core.crypto.secret_files import read_secret_file
from signalbox_core.crypto.standard_webhooks import parse_secrets
from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.ids import derived_id
from signalbox_core.patterns import whole
from signalbox_core.pipeline.contract.external_event import InboundEvent
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.process.json_file import read_json_file
from signalbox_core.traces import current_context
from signalbox_gateway.auth.principal import Principal, event_source

_FIELD: Final = "SIGNALBOX_GATEWAY_WEBHOOKS_FILE"
_CHECK_EVERY_S: Final = 1.0
_Name = Annotated[str, Meta(min_length=1, max_length=255)]
_Members = dict[str, msgspec.Raw]


class Webhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address for one sender, whose webhooks are events of one tenant.

    Members of the body are named by paths, such as `data.order.number`.

    Attributes:
        name: the last part of the address; unique in the deployment.
        sender: a name for who sends them, shown as starter of runs and sender of events.
        secret_file: one `whsec_…` secret a line; while a secret is rotated, each of them is accepted.
        event: the name of all its events; otherwise `events` maps the sender's types to names, and webhooks
            of other types are ignored.
        type_member: has the sender's type.
        data_member: has the data of the event; None if the whole body is the data.
        key_member: has the business key.
        run_member: has the run id; a webhook without it is delivered by its key, or starts a run.
    """

    name: Annotated[str, Meta(pattern=whole(r"[a-z0-9][a-z0-9-]{0,59}"))]
    tenant: _Name
    sender: _Name
    secret_file: _Name
    event: _Name | None = None
    events: Annotated[dict[_Name, _Name], Meta(min_length=1)] | None = None
    type_member: _Name = "type"
    data_member: _Name | None = "data"
    key_member: _Name | None = None
    run_member: _Name | None = None
    tolerance_s: Annotated[int, Meta(ge=1, le=3600)] = 300

    def __post_init__(self) -> None:
        if (self.event is None) == (self.events is None):
            raise ValueError("give one of `event` and `events`")

    @property
    def tolerance(self) -> timedelta:
        return timedelta(seconds=self.tolerance_s)

    @property
    def principal(self) -> Principal:
        """Who starts the runs."""
        return event_source(f"webhook:{self.name}", self.sender, self.tenant)

    def read(self, body: bytes, message_id: str) -> tuple[InboundEvent, str | None] | None:
        """Read a body: the event, and the id of the run that it is for; None for a type that is ignored.

        Args:
            message_id: the sender's `webhook-id`, to which those of other senders may be equal.

        Raises:
            InvalidInput: the body is not a JSON object, or a member is missing or of the wrong type.
        """
        name = self._event_name(_check_object(body))
        if name is None:
            return None
        data = msgspec.Raw(body) if self.data_member is None else _member(body, self.data_member)
        if data is None:
            raise _missing(str(self.data_member))
        trace = current_context()
        event = InboundEvent(
            name=name,
            event_id=derived_id(self.sender, message_id),
            data=data,
            key=_optional_text(body, self.key_member),
            sender=self.principal.subject,
            delivery_id=secrets.token_hex(13),
            traceparent=trace.traceparent if trace is not None else None,
        )
        return event, _optional_text(body, self.run_member)

    def _event_name(self, body: bytes) -> str | None:
        if self.events is None:
            return self.event
        given = _optional_text(body, self.type_member)
        if given is None:
            raise _missing(self.type_member)
        return self.events.get(given)


class Webhooks(Struct, frozen=True, kw_only=True):
    """The webhooks in use. `folder` is that of their file; names of secret files are relative to it."""

    by_name: Mapping[str, Webhook]
    folder: Path

    def secrets_of(self, webhook: Webhook) -> list[bytes]:
        """Read the secrets of a webhook, at every use.

        Raises:
            Unavailable: its file cannot be used now, which the sender cannot repair.
        """
        try:
            return parse_secrets(read_secret_file(self.folder / webhook.secret_file))
        except InvalidInput as error:
            raise Unavailable(f"the secret file of webhook {webhook.name}: {error.detail}") from None


class _WebhooksFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    webhooks: tuple[Webhook, ...]


def follow_webhooks(path: str | None) -> FollowedFile[Webhooks] | None:
    """Open the file of webhooks, which is hot-reloaded; None without one.

    Raises:
        InvalidInput: the file cannot be used; the message names the place and the remedy.
    """
    if path is None:
        return None
    return FollowedFile(Path(path), load_webhooks, content="webhooks", check_every_s=_CHECK_EVERY_S)


def load_webhooks(path: Path) -> Webhooks:
    """Read and check a file of webhooks.

    Raises:
        InvalidInput: it cannot be read, is malformed, names a webhook twice, or a secret cannot be used.
    """
    found = read_json_file(path, _WebhooksFile, content="webhooks", field=_FIELD).webhooks
    names = [webhook.name for webhook in found]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise _invalid(path, f"the webhook {min(repeated)!r} is there twice")
    webhooks = Webhooks(by_name={webhook.name: webhook for webhook in found}, folder=path.parent)
    for webhook in found:
        try:
            webhooks.secrets_of(webhook)
        except SignalboxError as error:
            # An OSError: the file of the secrets may be repaired without a change of this one.
            problem = f"webhook {webhook.name!r} cannot be used: {error.detail}"
            raise _invalid(path, problem) from OSError(error.detail)
    return webhooks


def _check_object(body: bytes) -> bytes:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("the body is not JSON", code="bad_json") from None
    if not isinstance(content, dict):
        raise InvalidInput("must be a JSON object", field="body")
    return body


def _member(body: bytes, path: str) -> msgspec.Raw | None:
    """The member at a path, as it was sent, so that no number loses digits; None if it is absent."""
    value: bytes | msgspec.Raw | None = body
    for name in path.split("."):
        try:
            value = msgspec.json.decode(value or b"null", type=_Members).get(name)
        except msgspec.ValidationError:
            return None
    return value if isinstance(value, msgspec.Raw) else None


def _optional_text(body: bytes, path: str | None) -> str | None:
    """A text or whole number. Raises: InvalidInput: it is something else."""
    value = _member(body, path) if path is not None else None
    if value is None:
        return None
    try:
        found = msgspec.json.decode(value, type=str | int | None)
    except msgspec.ValidationError:
        raise InvalidInput("must be a text or a whole number", field=path) from None
    return str(found) or None if found is not None else None


def _missing(path: str) -> InvalidInput:
    return InvalidInput("is required: the webhook is configured to have it", field=path)


def _invalid(path: Path, problem: str) -> InvalidInput:
    return InvalidInput(f"the webhooks in {path}: {problem}", field=_FIELD)
