"""Events and failures in a few words. Pure."""

import msgspec
from msgspec.structs import replace

from signalbox_client.stream_follower import StreamEvent
from signalbox_core.events.catalogue import Failure


def describe(event: StreamEvent) -> str:
    """A few words on an event: its error, or its title and who or what decided."""
    details = msgspec.json.decode(event.data, type=_EventDetails)
    if details.error:
        return describe_failure(replace(details.error, step=details.title or details.error.step))
    if details.reason:
        return details.reason
    return " ".join(
        filter(None, (details.title or details.step or details.name or details.approval_id, details.ending))
    )


class _EventDetails(msgspec.Struct, frozen=True):
    title: str | None = None
    step: str | None = None
    name: str | None = None
    approval_id: str | None = None
    decided_by: str | None = None
    modified: tuple[str, ...] = ()
    outcome: str | None = None
    reason: str | None = None
    error: Failure | None = None

    @property
    def ending(self) -> str | None:
        if self.outcome == "defaulted":
            return "undecided, the run continues with the default answer"
        modified = f", modified: {', '.join(self.modified)}" if self.modified else ""
        return f"by {self.decided_by}{modified}" if self.decided_by else None


def describe_failure(failure: Failure) -> str:
    """The step and the field of a failure, and its message."""
    where = (failure.step, failure.field)
    return ": ".join([*(part for part in where if part and part not in failure.message), failure.message])
