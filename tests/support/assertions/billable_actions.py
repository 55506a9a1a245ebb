"""Counts what Temporal Cloud bills of a history (docs.temporal.io/evaluate/cloud/actions).

Heartbeats and queries are billed too, but are in no history.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

_ACTIONS: Final = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: "child",
    EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: "memo",
}
_CHANGE_VERSION: Final = "TemporalChangeVersion"


def billable_actions(events: Sequence[HistoryEvent]) -> Counter[str]:
    """Count the billable actions by kind. A child is two, the markers of one workflow task are one."""
    found = Counter(_ACTIONS[event.event_type] for event in events if event.event_type in _ACTIONS)
    found["child"] *= 2
    found["retry"] = sum(
        event.activity_task_started_event_attributes.attempt - 1
        for event in events
        if event.HasField("activity_task_started_event_attributes")
    )
    found["markers"] = len(
        {
            event.marker_recorded_event_attributes.workflow_task_completed_event_id
            for event in events
            if event.HasField("marker_recorded_event_attributes")
        }
    )
    found["search attributes"] = sum(_is_billed_upsert(event) for event in events)
    return +found


def _is_billed_upsert(event: HistoryEvent) -> bool:
    """Whether the event changes search attributes; those of patches are not billed."""
    names = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    return any(name != _CHANGE_VERSION for name in names)
