"""Controls runs through the API: cancel, pause, resume, retry. The base of the asyncio client."""

from typing import Literal

from signalbox_client import models, requests
from signalbox_client.async_connection import AsyncGatewayConnection
from signalbox_client.wire.event_models import EventDeliveries, EventDelivery


class AsyncRunControl:
    """The methods that control one run."""

    def __init__(self, connection: AsyncGatewayConnection) -> None:
        self._connection = connection

    async def run_input(self, run_id: str) -> models.RunInput:
        """Get the input of a run; secrets are masked."""
        return await self._connection.send(requests.get_input(run_id))

    async def cancel(self, run_id: str, reason: str | None = None) -> models.Accepted:
        """Request cancellation; the run cleans up before it ends."""
        return await self._connection.send(requests.control(run_id, "cancel", reason))

    async def pause(self, run_id: str) -> models.Accepted:
        """Request that the run starts no further step."""
        return await self._connection.send(requests.control(run_id, "pause"))

    async def resume(self, run_id: str) -> models.Accepted:
        """Request that a paused run continues."""
        return await self._connection.send(requests.control(run_id, "resume"))

    async def send_event_to_run(
        self, run_id: str, name: str, data: object, *, event_id: str
    ) -> EventDelivery:
        """Send an external event to a run that waits, or will wait, for it.

        Args:
            name: of the event in the pipeline's contract.
            data: a Struct or a JSON value of the event's type.
            event_id: identifies the event; a second one of the same id is a duplicate and has no effect.
        """
        return await self._connection.send(requests.send_event_to_run(run_id, name, event_id, data))

    async def send_event(
        self, name: str, data: object, *, key: str | None = None, event_id: str
    ) -> EventDeliveries:
        """Send an external event that starts a run, or that a run waits for by its business key.

        Args:
            key: required unless the event only starts runs, one for each event.
        """
        return await self._connection.send(requests.send_event(name, key, event_id, data))

    async def retry(
        self,
        run_id: str,
        *,
        at: Literal["failed", "start"] = "failed",
        changes: object = None,
        idempotency_key: str | None = None,
    ) -> models.Retried:
        """Retry a run that has ended.

        Args:
            at: `failed` continues the run from its failed step, under the same id; completed steps keep their
                results. `start` starts a new run with the same input.
            changes: the members of the input to change, as a JSON merge patch; with `start` only.
            idempotency_key: a repeated call with this key retries once; default: a random key.

        Raises:
            Conflict: the run has not ended, or cannot be retried this way; `code` names the reason.
            InvalidInput: the changed input breaks the pipeline's schema.
        """
        return await self._connection.send(requests.retry(run_id, at, changes, idempotency_key))
