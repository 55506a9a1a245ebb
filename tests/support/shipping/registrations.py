"""Whether a wait of a shipping run has entered the mailbox of its key."""

from signalbox_core.pipeline.workflow.external.mailbox_activities import OPEN_WAIT_ACTIVITY
from signalbox_core.testing.pipeline import RunUnderTest


async def is_registered(run: RunUnderTest) -> bool:
    events = (await run.handle.fetch_history()).events
    registrations = {
        event.event_id
        for event in events
        if event.activity_task_scheduled_event_attributes.activity_type.name == OPEN_WAIT_ACTIVITY
    }
    return any(
        event.activity_task_completed_event_attributes.scheduled_event_id in registrations for event in events
    )
