"""A wait that a POST to a one-time URL ends. An activity makes the URL; the workflow never has it."""

from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct

from signalbox_core.pipeline.contract.external_event import Callback, ExternalEvent
from signalbox_core.pipeline.workflow.external.wait import open_wait, receive
from signalbox_core.pipeline.workflow.external.wait_registry import OpenWait
from signalbox_core.pipeline.workflow.state import RunState

A = TypeVar("A", bound=Struct)


class OpenCallback(Generic[A]):
    """A wait that has begun.

    Attributes:
        callback: for the activity that hands out the URL, which is `deps.callback_url(callback)` there.
    """

    def __init__(self, state: RunState, wait: OpenWait) -> None:
        self._state = state
        self._wait = wait
        self.callback = Callback(
            pipeline=state.spec.name,
            workflow_id=state.workflow_id,
            wait_id=wait.wait_id,
            name=wait.event.name,
            expires_at=wait.deadline_at,
        )

    async def received(self) -> A:
        """Wait for the POST, and return what it carries. One that arrived before is taken at once.

        Raises:
            WaitExpiredError: nothing arrived in time; the run fails with code `wait_expired` unless the
                workflow catches it.
        """
        return cast("A", await receive(self._state, self._wait, None))


def open_callback(state: RunState, event: ExternalEvent[Any], within: timedelta | None) -> OpenCallback[Any]:
    """Begin the wait. Raises: ApplicationError: as `Run.callback` raises it."""
    return OpenCallback(state, open_wait(state, event, None, within, is_callback=True))
