"""Groups the events of a batch by run, so that one call of the script writes several. Pure."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.events import CloudEvent
from signalbox_core.streams.record import Record, event_record

MAX_RECORDS_PER_CALL: Final = 500

PreparedEvent = tuple[CloudEvent, Record] | SignalboxError
"""An event with its record, or why it has none."""


class GroupedWrite(Struct, kw_only=True):
    """Events of one run that one call of the script writes, by their position in the batch."""

    mode: str
    positions: list[int]
    events: list[CloudEvent]
    records: list[Record]

    @property
    def is_full(self) -> bool:
        return len(self.records) == MAX_RECORDS_PER_CALL


def prepare_event(event: CloudEvent) -> PreparedEvent:
    """Encode the record of an event; an event that is too large or invalid gives its error."""
    try:
        return event, event_record(event)
    except InvalidInput as error:
        return error


def group_by_run(prepared: Sequence[PreparedEvent]) -> list[GroupedWrite]:
    """Group records by run; a run's records of one mode that follow each other share a call."""
    writes: list[GroupedWrite] = []
    last: dict[tuple[str, str], GroupedWrite] = {}
    for position, item in enumerate(prepared):
        if isinstance(item, SignalboxError):
            continue
        event, record = item
        mode = "append" if record.sequence else "live"
        key = (event.runid, event.tenantid)
        write = last.get(key)
        if write is None or write.mode != mode or write.is_full:
            write = last[key] = GroupedWrite(mode=mode, positions=[], events=[], records=[])
            writes.append(write)
        write.positions.append(position)
        write.events.append(event)
        write.records.append(record)
    return writes
