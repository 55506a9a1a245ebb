"""The events of changes; each has the same id on every attempt, so that the ledger has it once."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.events import CloudEvent, full_type
from signalbox_core.pubsub import Publisher
from signalbox_core.subjects import Subject
from signalbox_core.topology import LIFECYCLE
from signalbox_gateway.changes.difference import Difference

RecordChange = Callable[[CloudEvent], Coroutine[object, object, None]]


class ChangeRecord(Struct, frozen=True, kw_only=True):
    """What changed, and who changed it.

    Attributes:
        id: of the key, policy (`<pipeline>/<approval>`), token or schedule.
        members: the changed ones, by name.
        before, after: the members of the item; None if there was, or is, none.
        policy_digest: of a policy, as it is now.
        by: None of a file or a contract, which does not name who changed it.
    """

    id: str
    members: tuple[str, ...]
    before: Mapping[str, str] | None
    after: Mapping[str, str] | None
    policy_digest: str | UnsetType = UNSET
    by: Subject | None = None


def publish_changes(publisher: Publisher | None) -> RecordChange:
    """Return a function that publishes an event for the ledger, and fails if it is not stored.

    Args:
        publisher: None when this deployment keeps no ledger; nothing is published then.
    """

    async def publish(event: CloudEvent) -> None:
        if publisher is not None:
            await publisher.publish(LIFECYCLE, event, ordering_key=event.tenantid)

    return publish


def change_event(
    name: str, tenant: str, difference: Difference, at: datetime, *, state: str, by: Subject | None = None
) -> CloudEvent:
    """Build the event of a change.

    Args:
        name: the short name, such as `schedule.changed`.
        state: identifies the state before the change, so that the same change at another time is another
            event.
    """
    after = difference.after or {}
    data = ChangeRecord(
        id=difference.id,
        members=difference.members,
        before=difference.before,
        after=difference.after,
        policy_digest=after.get("policy_digest", UNSET),
        by=by,
    )
    identity = msgspec.json.encode([name, tenant, difference, state], order="sorted")
    return CloudEvent(
        id=f"change-{hashlib.sha256(identity).hexdigest()}",
        source="/signalbox/gateway",
        type=full_type(name),
        time=at,
        subject=difference.id,
        tenantid=tenant,
        runid="",
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
