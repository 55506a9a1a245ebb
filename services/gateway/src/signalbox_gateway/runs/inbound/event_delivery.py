"""Delivers an event from outside to its run or, if it names none, by its key."""

from signalbox_core.ids import parse_run_id
from signalbox_core.pipeline.contract.external_event import InboundEvent, check_key
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.runs.inbound.keyed_delivery import KeyedDelivery, PipelineDelivery
from signalbox_gateway.runs.inbound.run_delivery import RunDelivery
from signalbox_gateway.runs.lookup import RunReader, unknown_run


class InboundDelivery:
    """For senders whose events are configured by a file, which is why they may or may not name a run."""

    def __init__(self, states: RunReader, to_run: RunDelivery, keyed: KeyedDelivery) -> None:
        self._states = states
        self._to_run = to_run
        self._keyed = keyed

    async def deliver(
        self, event: InboundEvent, run_id: str | None, principal: Principal
    ) -> tuple[PipelineDelivery, ...]:
        """Deliver the event; idempotent by its id.

        Raises:
            NotFound: the run does not exist, or no contract declares the event.
            InvalidInput: the run id or key is malformed, the data violates a contract, or a key is missing.
            Conflict: the run has ended, or too many events are waiting.
            Unavailable: the event is not stored; deliver it again.
        """
        if run_id is None:
            return await self._keyed.deliver(event, principal)
        if event.key is not None:
            check_key(event.key)
        snapshot = await self._states.find(principal.tenant, parse_run_id(run_id))
        if snapshot is None:
            raise unknown_run(run_id)
        return (await self._to_run.deliver(snapshot, event),)
