"""Between the workflow side of the worker plugin and its process: what is recorded, and the settings."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from signalbox_core.events import CloudEvent

PUBLISH: Final = "signalbox_publish"
"""The extern function that takes a `RecordedEvent`; called from workflow threads, so it must not block."""
SETTINGS: Final = "signalbox_plain_settings"
"""The extern function that returns the `PlainSettings`."""


class PlainSettings(Struct, frozen=True, kw_only=True):
    """How plain workflows of a worker are shown.

    Attributes:
        tenant: of the workflows whose start names none.
        shows_values: whether events carry results, error messages and the details of heartbeats.
    """

    tenant: str
    shows_values: bool = True


class RecordedEvent(Struct, frozen=True, kw_only=True):
    """A milestone, and the workflow task that recorded it.

    Attributes:
        execution_id: of the workflow.
        history_length: up to the start of the workflow task. It is part of the history, hence committed, if a
            later task has another length.
        is_replay: the task is part of the history already.
        is_first: the first event of this instance of the workflow, which has replayed it from its start.
    """

    workflow_id: str
    execution_id: str
    event: CloudEvent
    history_length: int
    is_replay: bool
    is_first: bool


Publish = Callable[[RecordedEvent], None]
