"""Starting runs by external events: which event starts a run, and what the run's input is."""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.ids import derived_id
from signalbox_core.pipeline.contract.external_event import INVALID_EVENT, ExternalEvent

D = TypeVar("D", bound=Struct)
OncePer = Literal["event", "key"]


class StartOn(Struct, Generic[D], frozen=True):
    """An external event that starts a run of the pipeline.

    Attributes:
        event: its `timeout` and `keep` have no effect here.
        input: makes the run's input from the event's data. Pure; gateways call it. It refuses the event by a
            ValueError, LookupError or ArithmeticError.
        once_per: `event`: every event id starts one run. `key`: every business key does, whatever events
            have it, for as long as Temporal retains the run.
    """

    event: ExternalEvent[D]
    input: Callable[[D], Struct]
    once_per: OncePer = "event"

    def run_id(self, pipeline: str, event_id: str, key: str | None) -> str:
        """Return the id of the run that the event starts. Events that start one run only have one run id."""
        identity = event_id if self.once_per == "event" or key is None else key
        return f"{pipeline}-{derived_id(self.event.name, self.once_per, identity)}"

    def build_input(self, data: msgspec.Raw) -> msgspec.Raw:
        """Return the run's input as JSON; the caller checks it against the pipeline's contract.

        Args:
            data: valid by the event's type.

        Raises:
            InvalidInput: `invalid_event`, because `input` refuses the event.
        """
        try:
            built = self.input(msgspec.json.decode(data, type=self.event.data))
        except (ValueError, LookupError, ArithmeticError) as error:
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise InvalidInput(
                f"no run can start from this event: {reason}", field="data", code=INVALID_EVENT
            ) from error
        return msgspec.Raw(msgspec.json.encode(built))


def check_starts(starts: tuple[StartOn[Any], ...], waited_for: tuple[ExternalEvent[Any], ...]) -> None:
    """Check that an event has one meaning in a contract.

    Raises:
        ValueError: an event starts runs twice, or is waited for too.
    """
    names = [start.event.name for start in starts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"event {name!r} is in `starts` twice")
        if any(event.name == name for event in waited_for):
            raise ValueError(
                f"event {name!r} is in `starts` and in `external_events`; an event either starts runs or "
                "is waited for, so give one of the two another name"
            )
