"""Workflows as a worker of an earlier release executes them: it refuses no wait and returns no event."""

from temporalio import workflow

from signalbox_core.pipeline.contract.external_event import (
    MAILBOX,
    OPEN_WAIT,
    REFUSE_WAIT,
    RETURN_EVENT,
    MailboxContent,
    MailboxWait,
    ReturnedEvent,
)
from signalbox_core.pipeline.workflow.external.mailbox import MailboxWorkflow
from support.shipping.contract import ShippingInput, ShippingResult
from support.shipping.workflow import ShippingWorkflow


@workflow.defn(name=MAILBOX)
class EarlierMailbox(MailboxWorkflow):
    """In a full mailbox the oldest wait gives way."""

    @workflow.init
    def __init__(self, content: MailboxContent) -> None:
        super().__init__(content)

    @workflow.run
    async def run(self, content: MailboxContent) -> None:
        await super().run(content)

    @workflow.signal(name=OPEN_WAIT)
    def open_wait(self, wait: MailboxWait) -> None:
        self._messages += 1
        self._state.add_wait(wait)

    @workflow.signal(name=RETURN_EVENT)
    def return_event(self, returned: ReturnedEvent) -> None:
        """Ignore it."""


@workflow.defn(name="shipping")
class EarlierShipping(ShippingWorkflow):
    @workflow.init
    def __init__(self, request: ShippingInput) -> None:
        super().__init__(request)
        workflow.set_signal_handler(REFUSE_WAIT, _ignore)

    @workflow.run
    async def run(self, request: ShippingInput) -> ShippingResult:
        return await super().run(request)


def _ignore(wait: MailboxWait) -> None:
    pass
